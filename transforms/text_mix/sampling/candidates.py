"""Candidates: rows that may be in a sample, with their texts, in files of the work folder; only references to the files cross a shuffle."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import BinaryIO

import numpy as np
import orjson

from transforms.accounting.table import as_text
from transforms.files import storage
from transforms.keys.select import smallest_reaching
from transforms.read_hf.rows import BadRow
from transforms.text_mix.clean_document import field_at, text_of
from transforms.text_mix.sampling.design import SampleTask

WITH_TEXT, WITHOUT_TEXT, EMPTY, BAD = 0, 1, 2, 3
CANDIDATE = np.dtype([('rank', '<u8'), ('file', '<u4'), ('row', '<i8'), ('state', 'u1'), ('units', '<u4'), ('offset', '<u8'), ('size', '<u4')])
_CODES = {'u8': 'Q', 'i8': 'q', 'u4': 'I', 'u1': 'B'}  # of array, by numpy's
_TRAILER = struct.Struct('<QQ')
_SLACK, _HELD_BYTES = 1 << 16, 1 << 20


@dataclass
class ReadSummary:
    """What a worker says of the files of a task.

    Attributes:
        rows: by the number of a file, how many it has.
        faults: (file, where, error, message, rows lost) of what cannot be read.
        units: rows with text, or their tokens.
        entries: candidates of all kinds.
    """

    rows: dict[str, int] = field(default_factory=dict)
    faults: list[tuple[str, str, str, str, int]] = field(default_factory=list)
    units: int = 0
    entries: int = 0


@dataclass(frozen=True)
class CandidateRef:
    """What crosses the shuffle of a task that is read.

    Attributes:
        task: its number.
        high: the largest rank that it looked for.
        path: of its file.
        units: rows with text, or their tokens.
        entries: candidates of all kinds.
    """

    task: int
    high: int
    path: str
    units: int
    entries: int


def candidates_path(folder: str, task: SampleTask) -> str:
    """Where the candidates of a task lie; a task that is read again ends with the same bytes under the same name."""
    return storage.join(folder, f'candidates-{task.source.number:05d}-{task.number:06d}-{task.low:016x}-{task.high:016x}')


class CandidateWriter:
    """Takes the rows of a task, the texts to a file and the rest to memory: of the rows with text at most twice the quota.

    Args:
        target: the file.
        task: what is read.
        tokens: how many a text has; None where rows are counted.

    Attributes:
        limit: the largest rank that can still be in the sample.
        summary: what is said of the task.
    """

    def __init__(self, target: BinaryIO, task: SampleTask, tokens: Callable[[str], int] | None) -> None:
        self._target, self._task, self._tokens = target, task, tokens
        self.low, self.limit = np.uint64(task.low), np.uint64(task.high)
        self.summary = ReadSummary()
        self._columns = {name: array(_CODES[CANDIDATE[name].str[1:]]) for name in CANDIDATE.names}
        self._held: list[bytes] = []
        self._at = self._units = self._held_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether the quota is reached, where rows come in the order of their ranks."""
        return self._units >= self._task.source.quota

    def chosen(self, ranks: np.ndarray) -> list[int]:
        """Which of some ranks are wanted."""
        return np.flatnonzero((ranks >= self.low) & (ranks <= self.limit)).tolist()

    def add(self, rank: int, file: int, row: int, item: dict | BadRow) -> None:
        """Takes a row."""
        if type(item) is BadRow:
            state, units, data = BAD, 0, orjson.dumps([item.error, as_text(item.message[:500])])
        else:
            state, units, data = self._encoded(field_at(item, self._task.source.text_field))
        columns = self._columns
        for name, value in (('rank', rank), ('file', file), ('row', row), ('state', state), ('units', units), ('offset', self._at), ('size', len(data))):
            columns[name].append(value)
        self._held.append(data)
        self._at += len(data)
        self._held_bytes += len(data)
        if self._held_bytes >= _HELD_BYTES:
            self._flush()
        self._units += units
        if self._units >= 2 * self._task.source.quota + _SLACK and not self._task.source.ends_early:
            self._cut()

    def _flush(self) -> None:
        self._target.write(b''.join(self._held))
        self._held, self._held_bytes = [], 0

    def _encoded(self, value: object) -> tuple[int, int, bytes]:
        """(state, units, bytes) of what a row has in the place of its text."""
        try:
            text = text_of(value)
            if not text or text.isspace():
                return WITHOUT_TEXT if text is None else EMPTY, 0, b''
            data = text.encode()
        except UnicodeEncodeError:
            return BAD, 0, orjson.dumps(['LoneSurrogate', 'its text holds half of a character, which UTF-8 cannot'])
        except UnicodeDecodeError as error:
            return BAD, 0, orjson.dumps(['InvalidUtf8', f'byte {error.start} of its text is no UTF-8'])
        return WITH_TEXT, self._tokens(text) if self._tokens else 1, data

    def lose(self, file: str, where: str, error: str, message: str, count: int = 0) -> None:
        """Says what cannot be read."""
        self.summary.faults.append((file, where, error, message, count))

    def count(self, file: int, rows: int) -> None:
        """Says how many rows a file has."""
        self.summary.rows[str(file)] = rows

    def _table(self) -> np.ndarray:
        table = np.empty(len(self._columns['rank']), CANDIDATE)
        for name, values in self._columns.items():
            table[name] = np.frombuffer(values, CANDIDATE[name]) if len(values) else 0
        return table

    def _cut(self) -> np.ndarray:
        """Forgets the rows that cannot be in the sample, for there are enough before them."""
        table, quota = self._table(), self._task.source.quota
        if self._units > quota:
            has_text = table[table['state'] == WITH_TEXT]
            limit, _ = smallest_reaching(lambda: [(has_text['rank'], has_text['units'])], max(1, quota))
            table = table[table['rank'] <= np.uint64(limit)]
            self.limit, self._units = np.uint64(limit), int(table['units'].sum())
            for name in CANDIDATE.names:
                self._columns[name] = array(self._columns[name].typecode, table[name].tobytes())
        return table

    def close(self) -> None:
        """Writes the table of rows, sorted by rank, and the summary behind the texts."""
        table = self._cut()
        table.sort(order=['rank', 'file', 'row'])
        self.summary.units, self.summary.entries = int(table['units'].sum()), len(table)
        self._flush()
        at = self._target.write(table.tobytes()) + self._at
        self._target.write(orjson.dumps(asdict(self.summary)))
        self._target.write(_TRAILER.pack(self._at, at))


def read_summary(path: str) -> ReadSummary:
    """What is said of a task that was read."""
    with storage.open_read(path) as source:
        _, at, end = _places(source)
        source.seek(at)
        return ReadSummary(**orjson.loads(source.read(end - at)))


def read_table(path: str) -> np.ndarray:
    """The candidates of a task, `CANDIDATE`, in order of rank."""
    with storage.open_read(path) as source:
        start, at, _ = _places(source)
        source.seek(start)
        return np.frombuffer(source.read(at - start), CANDIDATE)


def _places(source: BinaryIO) -> tuple[int, int, int]:
    end = source.seek(0, 2) - _TRAILER.size
    source.seek(end)
    return *_TRAILER.unpack(source.read(_TRAILER.size)), end


def read_texts(places: list[tuple[str, int, int]]) -> Iterator[bytes]:
    """The bytes at (path, offset, size), in the order in which they are asked for; each file is opened once."""
    found: list[bytes] = [b''] * len(places)
    source, opened = None, ''
    try:
        for place in sorted(range(len(places)), key=places.__getitem__):
            path, offset, size = places[place]
            if path != opened:
                if source:
                    source.close()
                source, opened = storage.open_read(path), path
            source.seek(offset)
            found[place] = source.read(size)
    finally:
        if source:
            source.close()
    return iter(found)
