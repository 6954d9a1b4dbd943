"""Watchdog: tells from what can be seen of a run whether anything still moves."""

from __future__ import annotations

import time
from collections.abc import Hashable
from dataclasses import dataclass, field

from transforms.files import storage
from transforms.run.heartbeat import ALIVE


def worker_signs(work: str) -> tuple:
    """What Python workers have touched: changes while any of them is at work, () before the first."""
    try:
        return tuple((info.path, info.modified, info.size) for info in storage.list_files(storage.join(work, ALIVE)))
    except OSError:  # finishing removes the folder while it is listed
        return ()


def clear_worker_signs(work: str) -> None:
    """Forgets the workers of an earlier try."""
    storage.delete_tree(storage.join(work, ALIVE))


@dataclass
class Watchdog:
    """Says when a job hangs: nothing that can be seen has changed for `limit` seconds.

    Attributes:
        limit: seconds without any sign.
        worker_seen: whether a Python worker ever took up work.
    """

    limit: float
    worker_seen: bool = False
    _last: Hashable = None
    _since: float = field(default_factory=time.monotonic)

    def update(self, job_marks: Hashable, worker: tuple, done: int, now: float | None = None) -> str:
        """'' while it moves; 'no worker' or 'stalled' when it has not for too long.

        Args:
            job_marks: what the cluster tells of the job, None before it knows it.
            worker: `worker_signs()`.
            done: outcomes so far.
            now: monotonic seconds.
        """
        now = time.monotonic() if now is None else now
        self.worker_seen = self.worker_seen or bool(worker) or done > 0
        # Before a worker was seen, the job's own marks count for little: a job that restarts again and again moves.
        signs = (job_marks, worker, done) if self.worker_seen else bool(job_marks)
        if signs != self._last:
            self._last, self._since = signs, now
        if now - self._since < self.limit:
            return ''
        return 'stalled' if self.worker_seen else 'no worker'
