"""JobLog: what a job logs for people, shown while it is followed, and kept for the line that says why it failed."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Callable

from beam_pipelines.launcher.console import ABORTED, last_error
from beam_pipelines.launcher.dataflow.api import DataflowApi, Message, Refused, Unreachable, one_line

_LOG = logging.getLogger(__name__)
_SHOWN = 40
_KEPT = 200
_INSIDE_TRACEBACK = re.compile(r'\s|Traceback \(most recent call last\)|During handling of the above')


class JobLog:
    """The log of one job.

    Args:
        api: where it is asked for.
        job_id: of the job.
        warn: shows a line.

    Attributes:
        errors: texts of the last errors, oldest first.
    """

    def __init__(self, api: DataflowApi, job_id: str, warn: Callable[[str], None]) -> None:
        self._api, self._job_id, self._warn = api, job_id, warn
        self._seen: set[str] = set()
        self._since: object = None
        self._warnings = 0
        self._is_refused = False
        self.errors: deque[str] = deque(maxlen=_KEPT)

    def show(self) -> None:
        """Shows warnings and errors that are new. A log that cannot be read is no reason not to follow the job."""
        try:
            messages = self._api.messages(self._job_id, self._since)
        except Unreachable as error:
            _LOG.info('the log of the job is away: %s', error)
            return
        except Refused as error:
            if not self._is_refused:
                self._warn(f"the job's warnings and errors cannot be read ({error}); its state can")
            self._is_refused = True
            return
        for message in messages:
            if message.id not in self._seen:
                self._seen.add(message.id)
                self._since = message.time
                self._take(message)

    def _take(self, message: Message) -> None:
        _LOG.info('%s', message.text)
        if message.is_error:
            self.errors.append(message.text)
        if not (message.is_error or message.is_warning) or ('\n' not in message.text.strip() and _INSIDE_TRACEBACK.match(message.text)):
            return
        self._warnings += 1
        if self._warnings <= _SHOWN:
            aborted = ABORTED.search(message.text)
            self._warn(aborted[1] if aborted else one_line(last_error(message.text) if 'Traceback' in message.text else message.text))
        elif self._warnings == _SHOWN + 1:
            self._warn('there are more warnings and errors in its log')

    def close(self, console: str) -> None:
        """Says how many were not shown."""
        if self._warnings > _SHOWN:
            self._warn(f'{self._warnings - _SHOWN} more warnings and errors are in its log: {console}')
