"""The note of a job elsewhere, in the work folder: it keeps other runs out, and finds the job again."""

from __future__ import annotations

import orjson

from transforms.files import storage

NAME = 'remote_job.json'


def save(work: str, note: dict) -> None:
    """Leaves a note, so that the next launcher finds the job."""
    storage.write_bytes(storage.join(work, NAME), orjson.dumps(note))


def read(work: str) -> dict:
    """The note, {} for none that can be read."""
    path = storage.join(work, NAME)
    try:
        note = orjson.loads(storage.read_bytes(path)) if storage.exists(path) else {}
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def delete(work: str) -> None:
    """Removes the note, so that the folder counts as free."""
    storage.delete_file(storage.join(work, NAME))
