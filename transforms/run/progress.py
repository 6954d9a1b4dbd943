"""How many bytes of the input are worked off: each process leaves its count in the work folder, for the progress bar.

A bundle that is run again counts again; it informs, and takes no part in the accounts.
"""

from __future__ import annotations

import threading
import time
import uuid

from transforms.files import storage

FOLDER = 'progress'
_SECONDS, _REMOTE_SECONDS = 0.5, 20.0


class _Done:
    """The count of one process for one run, saved twice a second while it grows."""

    def __init__(self, work: str) -> None:
        self._work, self._path = work, storage.join(work, FOLDER, uuid.uuid4().hex)
        self._pause = _SECONDS if storage.is_local(work) else _REMOTE_SECONDS
        self._lock = threading.Lock()
        self._bytes = 0
        self._saved_at = 0.0

    def add(self, size: int) -> None:
        with self._lock:
            self._bytes += size
            now = time.monotonic()
            if now - self._saved_at < self._pause:
                return
            self._saved_at = now
            try:
                if storage.exists(self._work):  # finishing may have removed it
                    storage.write_bytes(self._path, str(self._bytes).encode())
            except (OSError, RuntimeError):
                return  # it only informs: without it the work goes on


_DONE: dict[str, _Done] = {}
_DONE_LOCK = threading.Lock()


def restart() -> None:
    """Begins to count anew, for another run in this process."""
    with _DONE_LOCK:
        _DONE.clear()


def add_done(work: str, size: int) -> None:
    """Adds to the bytes of input that this process has worked off."""
    with _DONE_LOCK:
        done = _DONE.setdefault(work, _Done(work))
    done.add(size)


def done_bytes(work: str) -> int:
    """The sum over all processes; 0 where the work folder is gone."""
    folder = storage.join(work, FOLDER)
    if storage.is_local(work) and not storage.exists(folder):
        return 0
    return sum(int(storage.read_bytes(info.path) or 0) for info in storage.list_files(folder, '*') if '.tmp' not in info.path)
