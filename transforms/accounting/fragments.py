"""Fragments: what was collected of one part as sorted files in the work folder, and their merge in order of file and row.

Records leave the workers in any order. A worker writes what it saw as fragments sorted by (file, row); only references to
them cross a shuffle (about 0.3 KB for 4,000 records), and finishing merges them with one batch of each fragment that overlaps.
"""

from __future__ import annotations

import bisect
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from transforms.files import storage

_BATCH_ROWS, _BATCH_BYTES = 1024, 256 << 10
_OPEN_FRAGMENTS = 100  # and as many while they are merged in two steps: macOS allows 256 open files
PAYLOADS = pa.schema([('file', pa.string()), ('row', pa.int64()), ('payload', pa.binary())])


@dataclass(frozen=True)
class FragmentRef:
    """One sorted file of `rows` rows: its part, the kind of its rows, its path, and its first identity within the part."""

    part: int
    kind: str
    path: str
    first: tuple[str, int]
    rows: int


def write_fragment(folder: str, part: int, kind: str, batches: Iterable[pa.RecordBatch], rows: int) -> FragmentRef:
    """Writes batches whose rows, with columns `file` and `row`, are sorted already; returns the reference to the file.

    Raises:
        RunAborted: the disk is full or the folder cannot be written.
    """
    path = storage.join(folder, f'{kind}-{part:05d}-{uuid.uuid4().hex}.arrow')
    first = None
    batches = iter(batches)
    head = next(batches)
    with storage.atomic_writer(path) as target, pa.ipc.new_stream(
            pa.PythonFile(target, 'w'), head.schema, options=pa.ipc.IpcWriteOptions(compression='lz4')) as writer:
        while head is not None:
            first = first or identity_at(head, 0)
            size = min(_BATCH_ROWS, max(1, _BATCH_BYTES * head.num_rows // max(1, head.nbytes)))
            for start in range(0, head.num_rows, size):
                writer.write_batch(head.slice(start, size))
            head = next(batches, None)
    return FragmentRef(part, kind, path, first, rows)


def write_payloads(folder: str, part: int, kind: str, items: list[tuple[str, int, bytes]]) -> FragmentRef:
    """Writes (file, row, payload) sorted by identity."""
    items.sort(key=lambda item: item[:2])
    files, rows, payloads = zip(*items, strict=True)
    return write_fragment(folder, part, kind, [pa.record_batch([files, rows, payloads], schema=PAYLOADS)], len(items))


def identity_at(batch: pa.RecordBatch | pa.Table, index: int) -> tuple[str, int]:
    """(file, row) of one row; -1 is the last."""
    index %= batch.num_rows
    return batch['file'][index].as_py(), batch['row'][index].as_py()


class _Cursor:
    """The rows of one fragment that were not merged yet, a batch at a time."""

    def __init__(self, path: str, schema: pa.Schema) -> None:
        self._source, self._schema = storage.open_read(path), schema
        self._reader = pa.ipc.open_stream(self._source)
        self._advance()

    def _advance(self) -> None:
        try:
            self._show(_padded(self._reader.read_next_batch(), self._schema))
        except StopIteration:
            self.batch = None
            self._source.close()

    def _show(self, batch: pa.RecordBatch) -> None:
        self.batch, self.first, self.last = batch, identity_at(batch, 0), identity_at(batch, -1)

    def take(self, bound: tuple[str, int]) -> pa.RecordBatch:
        """The rows up to and with `bound`, which is no less than the first."""
        batch = self.batch
        if self.last <= bound:
            self._advance()
            return batch
        count = bisect.bisect_right(range(batch.num_rows), bound, key=lambda i: identity_at(batch, i))
        self._show(batch.slice(count))
        return batch.slice(0, count)


def _padded(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with all columns of `schema`; those that it has not are null."""
    if batch.schema.equals(schema):
        return batch
    names = set(batch.schema.names)
    return pa.record_batch([batch[f.name] if f.name in names else pa.nulls(batch.num_rows, f.type) for f in schema], schema=schema)


def merge_fragments(refs: Iterable[FragmentRef], schema: pa.Schema, folder: str) -> Iterator[pa.Table]:
    """All rows of fragments of one kind in order of file and row, as tables of `schema`, of at most a batch of each.

    Where more than 100 fragments overlap they are merged in two steps, by way of files in `folder`.
    """
    waiting = sorted(refs, key=lambda ref: (ref.first, ref.path), reverse=True)
    cursors: list[_Cursor] = []
    while waiting or cursors:
        if not cursors:
            cursors.append(_Cursor(waiting.pop().path, schema))
        bound = min(cursor.last for cursor in cursors)
        while waiting and waiting[-1].first <= bound:
            if len(cursors) >= _OPEN_FRAGMENTS and len(waiting) > 1:
                waiting = _merged_in_groups(waiting, schema, folder)
                continue
            cursors.append(_Cursor(waiting.pop().path, schema))
            bound = min(bound, cursors[-1].last)
        taken = [cursor.take(bound) for cursor in cursors if cursor.first <= bound]
        cursors = [cursor for cursor in cursors if cursor.batch is not None]
        yield _sorted(taken)


def _merged_in_groups(waiting: list[FragmentRef], schema: pa.Schema, folder: str) -> list[FragmentRef]:
    """The same rows in a hundredth of the files."""
    groups = [waiting[i:i + _OPEN_FRAGMENTS] for i in range(0, len(waiting), _OPEN_FRAGMENTS)]
    return [write_fragment(folder, group[0].part, group[0].kind,
                           (batch for table in merge_fragments(group, schema, folder) for batch in table.to_batches()),
                           sum(ref.rows for ref in group)) for group in groups]


def _sorted(batches: list[pa.RecordBatch]) -> pa.Table:
    table = pa.Table.from_batches(batches)
    if len(batches) == 1:
        return table
    return table.combine_chunks().take(pc.sort_indices(table, [('file', 'ascending'), ('row', 'ascending')]))


def read_payloads(refs: Iterable[FragmentRef], folder: str) -> Iterator[tuple[str, int, bytes]]:
    """(file, row, payload) of fragments that `write_payloads` made, in order of file and row."""
    for table in merge_fragments(refs, PAYLOADS, folder):
        yield from zip(*(column.to_pylist() for column in table.columns), strict=True)
