"""Bytes that this process fetched from the Hub, and their sum over all processes of a run.

A run's processes leave their counts in its work folder; they inform, and take no part in the accounts' identity.
"""

from __future__ import annotations

import threading
import uuid

from transforms.files import storage

_FOLDER = 'fetched'
_lock = threading.Lock()
_total = _saved = 0
_name = uuid.uuid4().hex


def add(size: int) -> None:
    """Adds to the bytes that this process has fetched; for several threads."""
    global _total
    with _lock:
        _total += size


def total() -> int:
    """Bytes since the process, or its present run, started."""
    return _total


def restart() -> None:
    """A new run begins in this process."""
    global _total, _saved, _name
    with _lock:
        _total, _saved, _name = 0, 0, uuid.uuid4().hex


def save(work: str) -> None:
    """Leaves the count in the run's work folder, if it has grown and the folder is still there."""
    global _saved
    now = _total
    if now == _saved or not storage.exists(work):
        return
    storage.write_bytes(storage.join(work, _FOLDER, _name), str(now).encode())
    _saved = now


def saved_total(work: str) -> int:
    """What all processes of the run have fetched, earlier tries of it included."""
    save(work)
    return sum(int(storage.read_bytes(info.path)) for info in storage.list_files(storage.join(work, _FOLDER)))
