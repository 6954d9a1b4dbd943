"""Backoff: how long faults are tolerated, and how long to wait before the next try."""

from __future__ import annotations

import random
import time

from transforms.hub import meter
from transforms.hub.errors import HubDown, Transient

_FIRST_WAIT, _LONGEST_WAIT = 0.3, 20.0
_LONGEST_ASKED, _ALL_ASKED = 300.0, 900.0


class Backoff:
    """Counts faults in a row; `restart` forgets them.

    Waits double from 0.3 s to 20 s, each shortened by up to half at random, so that many workers do not come back
    at one moment. A wait that the Hub asks for is kept instead, and does not count as silence.
    """

    def __init__(self, seconds: float, what: str) -> None:
        self._seconds, self._what = seconds, what
        self.restart()

    def restart(self) -> None:
        """Starts counting anew, for a byte has arrived."""
        self._since, self._asked, self._tries = time.monotonic(), 0.0, 0

    def wait(self, fault: Transient) -> None:
        """Waits before the next try.

        Raises:
            HubDown: it has lasted too long.
        """
        self._tries += 1
        silent = time.monotonic() - self._since - self._asked
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (self._tries - 1)) * random.uniform(0.5, 1.0)
        if fault.wait:
            wait = min(fault.wait, _LONGEST_ASKED)
            self._asked += wait
        left = self._seconds - silent
        if left <= 0 or self._asked > _ALL_ASKED:
            raise HubDown(f'{self._what}: the Hub gave nothing for {silent + self._asked:.0f} s in {self._tries} tries '
                          f'(last: {fault}). Run the same command again later: it resumes') from None
        wait = wait if fault.wait else min(wait, left)
        meter.add_wait(wait)
        time.sleep(wait)
