"""WriteFragments: small records to sorted files in the work folder, and their merge in identity order.

Records leave the workers in any order. Each bundle writes what it saw as sorted fragments; only references to
them cross a shuffle (about 0.3 KB for 2 MB of records), and finishing merges them with one buffer for each
fragment that overlaps.
"""

import heapq
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam
import pyarrow as pa
from apache_beam.transforms.window import GlobalWindows

from transforms.files import storage

_FLUSH_BYTES = 2 << 20
_BATCH_ROWS = 256
_SCHEMA = pa.schema([('file', pa.string()), ('row', pa.int64()), ('payload', pa.binary())])


@dataclass(frozen=True)
class KeyedPayload:
    """Bytes to be sorted by (file, row), the identity of their record."""

    file: str
    row: int
    payload: bytes


@dataclass(frozen=True)
class FragmentRef:
    """One sorted file of `rows` payloads: its kind, path and smallest identity."""

    kind: str
    path: str
    file: str
    row: int
    rows: int


def write_fragment(folder: str, kind: str, items: list[KeyedPayload]) -> FragmentRef:
    """Writes the items sorted by identity; returns the reference to the file."""
    items.sort(key=lambda item: (item.file, item.row))
    path = storage.join(folder, f'{kind}-{uuid.uuid4().hex}.arrow')
    with storage.atomic_writer(path) as target, pa.ipc.new_stream(
            pa.PythonFile(target, 'w'), _SCHEMA,
            options=pa.ipc.IpcWriteOptions(compression='zstd')) as writer:
        for start in range(0, len(items), _BATCH_ROWS):
            part = items[start:start + _BATCH_ROWS]
            writer.write_batch(pa.record_batch(
                [[i.file for i in part], [i.row for i in part], [i.payload for i in part]], schema=_SCHEMA))
    return FragmentRef(kind, path, items[0].file, items[0].row, len(items))


def read_fragment(path: str) -> Iterator[KeyedPayload]:
    """The payloads of one fragment in order."""
    with storage.open_read(path) as source, pa.ipc.open_stream(source) as reader:
        for batch in reader:
            yield from map(KeyedPayload, *(column.to_pylist() for column in batch.columns))


def merge_fragments(refs: Iterable[FragmentRef]) -> Iterator[KeyedPayload]:
    """All payloads of the fragments in identity order; a fragment is opened when its first identity is due."""
    waiting = sorted(refs, key=lambda ref: (ref.file, ref.row, ref.path), reverse=True)
    heads: list[tuple[tuple[str, int], int, KeyedPayload, Iterator[KeyedPayload]]] = []
    opened = 0
    while waiting or heads:
        while waiting and (not heads or (waiting[-1].file, waiting[-1].row) <= heads[0][0]):
            opened += 1
            _push(heads, opened, read_fragment(waiting.pop().path))
        _, order, item, rest = heapq.heappop(heads)
        yield item
        _push(heads, order, rest)


def _push(heads: list, order: int, items: Iterator[KeyedPayload]) -> None:
    if (item := next(items, None)) is not None:
        heapq.heappush(heads, ((item.file, item.row), order, item, items))


class _WriteFragmentsFn(beam.DoFn):
    def __init__(self, folder: str, kind: str) -> None:
        self._folder, self._kind = folder, kind

    def start_bundle(self) -> None:
        self._items: list[KeyedPayload] = []
        self._bytes = 0

    def process(self, item: KeyedPayload) -> Iterator[FragmentRef]:
        self._items.append(item)
        self._bytes += len(item.payload) + 200
        if self._bytes >= _FLUSH_BYTES:
            yield self._flush()

    def finish_bundle(self) -> Iterator[object]:
        if self._items:
            yield GlobalWindows.windowed_value(self._flush())

    def _flush(self) -> FragmentRef:
        items, self._items, self._bytes = self._items, [], 0
        return write_fragment(self._folder, self._kind, items)


@dataclass(eq=False)
class WriteFragments(beam.PTransform):
    """PCollection[KeyedPayload] to PCollection[FragmentRef]; memory is 2 MiB of payloads.

    Args:
        folder: work folder for the fragments; a retried bundle leaves files there that nobody refers to.
        kind: what the payloads are; finishing picks fragments by it.

    Raises:
        RunAborted: the disk is full or the folder cannot be written.
    """

    folder: str
    kind: str

    def expand(self, items: beam.PCollection[KeyedPayload]) -> beam.PCollection[FragmentRef]:
        return items | 'WriteSorted' >> beam.ParDo(_WriteFragmentsFn(self.folder, self.kind))
