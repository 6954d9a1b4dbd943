"""The journal: what is already done, kept beside the output so that a killed run goes on where it stopped.

One folder for each unit of work (an archive, a group of files), one file for each writer, one JSON line for
each outcome: `[file, row, outcome]`, or `["", 0, notes]` for what was seen of the unit as a whole. A torn last
line is ignored. Locally a line is appended and flushed (it survives a kill of the process); on other file
systems, which cannot append, a segment is written for every few outcomes, with their number in its name.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from typing import BinaryIO

import orjson

from transforms.files import storage

_SEGMENT_LINES = 64


def unit_folder(journal: str, unit: str) -> str:
    """Where one unit's journals lie: under a hash of its name, which may hold any characters."""
    return storage.join(journal, hashlib.sha256(unit.encode()).hexdigest()[:20])


class Journal:
    """Appends outcomes. Not for several threads at once."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._unit: str | None = None
        self._file: BinaryIO | None = None
        self._lines: list[bytes] = []

    def add(self, unit: str, file: str, row: int, outcome: dict) -> None:
        """Remembers the outcome of record (file, row) of `unit`."""
        if unit != self._unit:
            self.close()
            self._unit = unit
        line = orjson.dumps([file, row, outcome], option=orjson.OPT_APPEND_NEWLINE)
        if not storage.is_local(self._folder):
            self._lines.append(line)
            if len(self._lines) >= _SEGMENT_LINES:
                self._flush_segment()
            return
        if self._file is None:
            folder = unit_folder(self._folder, unit)
            os.makedirs(folder, exist_ok=True)
            self._file = open(os.path.join(folder, f'{uuid.uuid4().hex}.jsonl'), 'ab', buffering=0)
        self._file.write(line)

    def close(self) -> None:
        """Makes everything that was added durable."""
        self._flush_segment()
        if self._file:
            self._file.close()
            self._file = None

    def _flush_segment(self) -> None:
        if self._lines and self._unit is not None:
            path = storage.join(unit_folder(self._folder, self._unit), f'{uuid.uuid4().hex}.{len(self._lines)}.jsonl')
            storage.write_bytes(path, b''.join(self._lines))
            self._lines = []


def read_journal(folder: str, unit: str) -> dict[tuple[str, int], dict]:
    """The outcomes of one unit by (file, row); notes on the unit are under ('', 0)."""
    journaled: dict[tuple[str, int], dict] = {}
    for info in storage.list_files(unit_folder(folder, unit), '*.jsonl'):
        for line in storage.read_bytes(info.path).splitlines():
            try:
                file, row, outcome = orjson.loads(line)
            except ValueError:
                continue  # torn by a kill: its image never got its name either
            journaled[(file, row)] = outcome
    return journaled


def count_segments(folder: str) -> int:
    """Lines of all journals on a file system that cannot append, by listing them alone."""
    counts = (info.path.rsplit('.', 2)[-2] for info in storage.list_files(folder, '**/*.jsonl'))
    return sum(int(count) for count in counts if count.isdigit())


def drop_failures(folder: str) -> None:
    """Removes the lines of what failed or was dropped from all journals, so that it is done again."""
    for info in storage.list_files(folder, '**/*.jsonl') if storage.exists(folder) else ():
        lines = storage.read_bytes(info.path).splitlines(keepends=True)
        kept = [line for line in lines if not _has_failed(line)]
        if len(kept) < len(lines):
            storage.write_bytes(info.path, b''.join(kept))


def _has_failed(line: bytes) -> bool:
    try:
        return bool(orjson.loads(line)[2].get('error'))
    except ValueError:
        return True  # torn by a kill


def is_output_there(output: str, outcome: dict) -> bool:
    """Whether what a journal says was written (`output`, `bytes`) is there; a failure needs no file.

    On other than local disks the journal is written after the file so its lines are trusted.
    """
    if outcome.get('error') or not storage.is_local(output):
        return True
    return storage.size_of(storage.join(output, outcome['output'])) == outcome['bytes']
