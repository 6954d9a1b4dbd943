"""The note of a job elsewhere, in the work folder: it keeps other runs out, and finds the job again."""

from __future__ import annotations

import orjson

from beam_pipelines.launcher.spec import UsageError
from transforms.files import storage

NAME = 'remote_job.json'
_TEXTS = {'flink': ('master', 'job'), 'dataflow': ('project', 'region', 'job', 'run')}


class Damaged(UsageError):
    """There is a note, and it cannot be read: whether a job still runs is not known."""


def save(work: str, note: dict) -> None:
    """Leaves a note, so that the next launcher finds the job."""
    storage.write_bytes(storage.join(work, NAME), orjson.dumps(note))


def read(work: str) -> dict:
    """The note, {} where there is none; `engine` says whose job it is.

    Raises:
        Damaged: there is one that says nothing.
    """
    path = storage.join(work, NAME)
    try:
        if not storage.exists(path):
            return {}
        note = orjson.loads(storage.read_bytes(path))
        needed = _TEXTS[note.setdefault('engine', 'flink')]
        if all(isinstance(note[name], str) for name in needed) and isinstance(note.get('id', ''), str):
            return note
        what = 'it has another form'
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = str(error) if isinstance(error, OSError) else 'it is damaged'
    raise Damaged(f'{path}, where a launcher wrote down its job, cannot be read ({what}): see whether a job of this output still runs '
                  '(`gcloud dataflow jobs list --status=active`, or the web page of Flink); if not, delete that file')


def delete(work: str) -> None:
    """Removes the note, so that the folder counts as free."""
    storage.delete_file(storage.join(work, NAME))
