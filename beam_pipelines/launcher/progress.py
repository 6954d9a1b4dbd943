"""The progress bar: counts what workers leave in the work folder, wherever they are: journal lines, or bytes worked off."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from typing import Protocol

from beam_pipelines.launcher.human import human_bytes
from transforms.files import storage
from transforms.run.journal import count_segments
from transforms.run.progress import done_bytes

_STORE_SECONDS = 10.0


class Counter(Protocol):
    """Says how much of a run is done."""

    def count(self) -> int:
        """The sum over all workers, wherever they are."""


class ByteCounter:
    """Counts the bytes of input that are worked off."""

    def __init__(self, work: str) -> None:
        self._work = work

    def count(self) -> int:
        """The sum over all workers."""
        return done_bytes(self._work)


class StoreCounter:
    """Asks another counter every ten seconds at most, for folders in an object store, where each look costs requests."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._last, self._next = 0, 0.0
        self._lock = threading.RLock()

    def count(self) -> int:
        """The count of some seconds ago; that before where the store does not answer."""
        with self._lock:
            if time.monotonic() >= self._next:
                try:
                    self._last = max(self._last, self._count())  # finishing clears the folder
                except (OSError, RuntimeError, ValueError):
                    pass
                self._next = time.monotonic() + _STORE_SECONDS
            return self._last


def make_counter(work: str, unit: str) -> Counter:
    """What counts bytes (unit 'B') or outcomes in a work folder."""
    journal = storage.join(work, 'journal')
    if storage.is_local(work):
        return ByteCounter(work) if unit == 'B' else JournalCounter(journal)
    return StoreCounter((lambda: done_bytes(work)) if unit == 'B' else lambda: count_segments(journal))


class JournalCounter:
    """Counts journal lines of a local work folder, reading only what is new."""

    def __init__(self, journal: str) -> None:
        self._journal = journal
        self._offsets: dict[str, int] = {}
        self._lines = 0
        self._lock = threading.RLock()  # a signal handler may count while its thread does

    def count(self) -> int:
        """The number of complete lines in all journals."""
        if not os.path.isdir(self._journal):
            return self._lines
        with self._lock:
            for unit in os.scandir(self._journal):
                for entry in os.scandir(unit.path) if unit.is_dir() else ():
                    self._lines += self._new_lines(entry)
            return self._lines

    def _new_lines(self, entry: os.DirEntry) -> int:
        start, size = self._offsets.get(entry.path, 0), entry.stat().st_size
        if size <= start:
            return 0
        with open(entry.path, 'rb') as file:
            file.seek(start)
            data = file.read(size - start)
        self._offsets[entry.path] = start + len(data)
        return data.count(b'\n')


class ProgressBar:
    """A tqdm bar that a thread moves twice a second while the runner blocks.

    Args:
        counter: says how much is done.
        total: how much there is, 0 when unknown.
        unit: what is counted, 'B' for bytes.
        mode: 'auto', 'on' or 'off'.
        run_id: unique name of the run.
        is_over: says whether the run has saved its verdict.
    """

    def __init__(self, counter: Counter, total: int, unit: str, mode: str, run_id: str = '',
                 is_over: Callable[[], bool] = lambda: False) -> None:
        self.run_id, self.is_over = run_id, is_over
        self._counter, self._unit = counter, unit
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        if mode == 'off' or (mode == 'auto' and not sys.stderr.isatty()):
            return
        from tqdm import tqdm

        already = self._counter.count()
        width = min(100, shutil.get_terminal_size((100, 24)).columns)
        self._bar = tqdm(total=total or None, initial=already, unit=unit if unit == 'B' else f' {unit}s', unit_scale=unit == 'B', unit_divisor=1024, desc='working', smoothing=0.05,
                         ncols=width, nrows=24, mininterval=0.4, leave=False)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def done_so_far(self) -> str:
        """The same for people."""
        return f'{human_bytes(self.done())} of the input' if self._unit == 'B' else f'{self.done():,} outcomes'

    def done(self) -> int:
        """How much is done so far; 0 when finishing removes what is counted meanwhile."""
        try:
            return self._counter.count()
        except OSError:  # see above
            return 0

    def _follow(self) -> None:
        while not self._stop.wait(0.5):
            self._move()

    def _move(self) -> None:
        try:
            self._bar.n = max(self._bar.n, self._counter.count())
        except OSError:  # as in `done`
            return
        self._bar.refresh()

    def close(self) -> None:
        """Stops moving and leaves the bar as it is."""
        if self._thread:
            self._stop.set()
            self._thread.join()
            self._bar.close()
            self._thread = None
