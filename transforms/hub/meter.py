"""What this process fetched from the Hub and how long it waited for it, and their sums over all processes of a run.

A run's processes leave their counts in its work folder; they inform, and take no part in the accounts' identity.
"""

from __future__ import annotations

import threading
import uuid
from typing import NamedTuple

import orjson

from transforms.files import storage

_FOLDER = 'fetched'


class Fetched(NamedTuple):
    """Counts of one process, or of all.

    Attributes:
        bytes: that were fetched.
        waits: how often a request was put off, because the Hub asked for that or did not answer.
        seconds: waited in all, of requests side by side each.
    """

    bytes: int = 0
    waits: int = 0
    seconds: float = 0.0


_lock = threading.Lock()
_now = _saved = Fetched()
_name = uuid.uuid4().hex


def add(size: int) -> None:
    """Adds to the bytes that this process has fetched; for several threads."""
    global _now
    with _lock:
        _now = _now._replace(bytes=_now.bytes + size)


def add_wait(seconds: float) -> None:
    """Adds a wait before a request is made again; for several threads."""
    global _now
    with _lock:
        _now = _now._replace(waits=_now.waits + 1, seconds=_now.seconds + seconds)


def total() -> int:
    """Bytes since the process, or its present run, started."""
    return _now.bytes


def restart() -> None:
    """A new run begins in this process."""
    global _now, _saved, _name
    with _lock:
        _now, _saved, _name = Fetched(), Fetched(), uuid.uuid4().hex


def save(work: str) -> None:
    """Leaves the counts in the run's work folder, if they have grown and the folder is still there."""
    global _saved
    now = _now
    if now == _saved or not storage.exists(work):
        return
    storage.write_bytes(storage.join(work, _FOLDER, _name), orjson.dumps(list(now)))
    _saved = now


def saved_total(work: str) -> Fetched:
    """The counts of all processes of the run, earlier tries of it included."""
    save(work)
    counts = [Fetched(*orjson.loads(storage.read_bytes(info.path))) for info in storage.list_files(storage.join(work, _FOLDER))]
    return Fetched(sum(one.bytes for one in counts), sum(one.waits for one in counts), sum(one.seconds for one in counts))
