"""Signs of life: while a worker is busy it touches a file of its own in the work folder.

So whoever watches the run learns within seconds that a worker is lost, also where no record is finished for minutes.
"""

import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from transforms.files import storage
from transforms.hub import meter
from transforms.run.run import CLAIM

ALIVE = 'alive'
_BEAT_SECONDS = 2.0
_REMOTE_BEAT_SECONDS = 20.0


class _Beat:
    """Touches one file as long as any work of this process is under way."""

    def __init__(self, folder: str) -> None:
        self._folder, self._path = folder, storage.join(folder, uuid.uuid4().hex)
        self._busy = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def enter(self) -> None:
        with self._lock:
            self._busy += 1
            if self._thread is None:
                self._touch(first=True)
                self._thread = threading.Thread(target=self._run, name='alive', daemon=True)
                self._thread.start()

    def leave(self) -> None:
        with self._lock:
            self._busy -= 1

    def _run(self) -> None:
        pause = _BEAT_SECONDS if storage.is_local(self._folder) else _REMOTE_BEAT_SECONDS
        while True:
            time.sleep(pause)
            with self._lock:
                if not self._busy:
                    self._thread = None
                    return
            self._touch(first=False)

    def _touch(self, first: bool) -> None:
        try:
            if not storage.is_local(self._folder):
                if not first and not storage.exists(storage.join(self._folder.rpartition('/')[0], CLAIM)):
                    return  # finishing has removed the work folder
                storage.write_bytes(self._path, str(time.time()).encode())
            elif first:
                os.makedirs(self._folder, exist_ok=True)
                open(self._path, 'ab').close()
                os.utime(self._path)
            else:
                os.utime(self._path)  # never made anew: finishing may have removed the work folder
        except (OSError, RuntimeError):
            return  # a sign of life and nothing more: without it the work goes on


_BEATS: dict[str, _Beat] = {}
_BEATS_LOCK = threading.Lock()


@contextmanager
def at_work(work: str) -> Iterator[None]:
    """Shows in the work folder that this process is busy, as long as the block lasts."""
    with _BEATS_LOCK:
        beat = _BEATS.setdefault(work, _Beat(storage.join(work, ALIVE)))
    beat.enter()
    try:
        yield
    finally:
        beat.leave()
        meter.save(work)
