"""RowStore: the rows of one tarball in small Arrow files, found by the name of their document.

A tarball's members come in an order of their own, so rows are looked up by member. Only the names stay in memory
(about 0.15 KB a row); texts are read in batches, of which a few are kept.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import asdict, fields
from functools import lru_cache

import pyarrow as pa

from transforms.files import storage
from transforms.olmocr.rows import OlmocrRow

_BATCH_ROWS = 64
_TYPES = {'str': pa.string(), 'int': pa.int64(), 'bool': pa.bool_(), 'str | None': pa.string()}
_SCHEMA = pa.schema([(f.name, _TYPES[f.type]) for f in fields(OlmocrRow)])


def write_rows(folder: str, rows: list[OlmocrRow]) -> str:
    """Writes one segment; returns its path."""
    path = storage.join(folder, f'rows-{uuid.uuid4().hex}.arrow')
    with storage.atomic_writer(path) as target, pa.ipc.new_file(
            pa.PythonFile(target, 'w'), _SCHEMA,
            options=pa.ipc.IpcWriteOptions(compression='zstd')) as writer:
        for start in range(0, len(rows), _BATCH_ROWS):
            writer.write_batch(pa.RecordBatch.from_pylist([asdict(r) for r in rows[start:start + _BATCH_ROWS]], _SCHEMA))
    return path


class RowStore:
    """The rows in `segments`, in order and by member."""

    def __init__(self, segments: tuple[str, ...]) -> None:
        self._sources = [storage.open_read(path) for path in segments]
        self._readers = [pa.ipc.open_file(source) for source in self._sources]
        self._batch = lru_cache(maxsize=4)(self._read_batch)
        self._positions: dict[str, list[tuple[int, int, int, int]]] = {}
        self._dropped: set[str] = set()
        for segment, reader in enumerate(self._readers):
            for batch in range(reader.num_record_batches):
                self._index(segment, batch, reader.get_batch(batch))

    def _index(self, segment: int, batch: int, table: pa.RecordBatch) -> None:
        columns = (table[name].to_pylist() for name in ('member', 'row', 'wanted'))
        for i, (member, row, wanted) in enumerate(zip(*columns, strict=True)):
            if wanted:
                self._positions.setdefault(member, []).append((row, segment, batch, i))
            else:
                self._dropped.add(member)

    def is_named(self, member: str) -> bool:
        """True when some row names `member`, be it one that was dropped."""
        return member in self._positions or member in self._dropped

    def members(self) -> Iterator[str]:
        """Every member that a wanted row names."""
        return iter(self._positions)

    def row_numbers(self, member: str) -> list[int]:
        """The wanted rows that name `member`."""
        return [place[0] for place in self._positions.get(member, ())]

    def rows(self, member: str) -> Iterator[OlmocrRow]:
        """The wanted rows of `member`, by row number."""
        for _, segment, batch, i in sorted(self._positions.get(member, ())):
            yield OlmocrRow(**self._batch(segment, batch)[i])

    def _read_batch(self, segment: int, batch: int) -> list[dict]:
        return self._readers[segment].get_batch(batch).to_pylist()

    def close(self) -> None:
        """Closes the files and lets go of what was read: the cache refers to this store, and would keep it."""
        self._batch.cache_clear()
        self._readers = []
        for source in self._sources:
            source.close()
