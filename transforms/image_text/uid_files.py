"""Files of uids: read, checked, sorted and merged in bounded memory, whatever their size."""

from __future__ import annotations

import io
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from transforms.files import storage
from transforms.image_text.uids import UID, follows, order_of, places_of, sort_uids

_MAGIC = b'\x93NUMPY'
_OTHERS = {b'PAR1': 'a Parquet file', b'PK\x03\x04': 'a zip archive (an .npz?)', b'\x1f\x8b': 'gzip', b'\x89HDF': 'an HDF5 file', b'<htm': 'a web page',
           b'<!DO': 'a web page', b'vers': 'a Git LFS pointer: fetch the file itself with git lfs pull'}
_HEADER_MOST = 10_000
_CHUNK = 1 << 20  # uids, 16 MiB
_RUN = 1 << 22  # uids sorted at once, 64 MiB
_LEAST = 1 << 10
_MERGED = 1 << 21  # uids that a merge holds, of all its files together


class UidFileError(ValueError):
    """The file holds no uids."""


@dataclass(frozen=True)
class UidFile:
    """A file of uids: .npy of the type u8,u8, or the same numbers without a header.

    Attributes:
        path: of any place.
        count: how many.
        start: bytes before the first.
    """

    path: str
    count: int
    start: int

    def chunks(self, size: int = _CHUNK) -> Iterator[np.ndarray]:
        """All of them in order, `UID`, shape (at most `size`,).

        Raises:
            UidFileError: the file has become shorter.
        """
        left = self.count
        with storage.open_read(self.path) as source:
            source.seek(self.start)
            while left:
                wanted = min(size, left)
                data = _read(source, wanted * UID.itemsize)
                if len(data) != wanted * UID.itemsize:
                    raise UidFileError(f'{self.path} has become shorter while it was read')
                yield np.frombuffer(data, UID)
                left -= wanted


def _read(source: io.BufferedIOBase, size: int) -> bytes:
    pieces = []
    while size and (piece := source.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b''.join(pieces)


def open_uids(path: str) -> UidFile:
    """Looks at a file of uids.

    Raises:
        UidFileError: it holds something else, or is cut.
        OSError: it is not there, or cannot be read.
    """
    size = storage.size_of(path)
    if size < 0:
        raise FileNotFoundError(f'{path} does not exist')
    if not size:
        raise UidFileError(f'{path} is empty; a file of no uids has a header')
    with storage.open_read(path) as source:
        head = _read(source, min(size, _HEADER_MOST + 12))
    if head.startswith(_MAGIC):
        return _of_npy(path, size, head)
    for magic, name in _OTHERS.items():
        if head.startswith(magic):
            raise UidFileError(f'{path} is {name}, not a file of uids (.npy of the type u8,u8, or the numbers alone)')
    if size % UID.itemsize:
        raise UidFileError(f'{path} has {size:,} bytes and no .npy header: uids without one are {UID.itemsize} bytes each, so it is cut or something else')
    return UidFile(path, size // UID.itemsize, 0)


def _of_npy(path: str, size: int, head: bytes) -> UidFile:
    source = io.BytesIO(head)
    try:
        version = np.lib.format.read_magic(source)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(source, max_header_size=_HEADER_MOST)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise UidFileError(f'{path} has a damaged .npy header: {error}') from None
    if dtype != UID or len(shape) != 1:
        raise UidFileError(f'{path} holds {dtype} of shape {shape}, uids are u8,u8 (two halves of 64 bits) of shape (n,)')
    start, (count,) = source.tell(), shape
    if size != start + count * UID.itemsize:
        raise UidFileError(f'{path} has {size:,} bytes and should have {start + count * UID.itemsize:,} for {count:,} uids: it is cut, or has something behind them')
    return UidFile(path, count, start)


def npy_header(count: int) -> bytes:
    """What np.save writes before `count` uids."""
    target = io.BytesIO()
    np.lib.format.write_array_header_1_0(target, {'descr': np.lib.format.dtype_to_descr(UID), 'fortran_order': False, 'shape': (count,)})
    return target.getvalue()


def save_uids(path: str, uids: Iterable[np.ndarray], count: int) -> None:
    """Writes a file as np.save does; it appears complete or not at all.

    Raises:
        RunAborted: the place cannot be written.
        ValueError: they are not `count`.
    """
    with storage.atomic_writer(path) as target:
        target.write(npy_header(count))
        for some in uids:
            target.write(np.ascontiguousarray(some, UID).data.cast('B') if len(some) else b'')
            count -= len(some)
        if count:
            raise ValueError(f'{path}: there are {-count:+} uids more than were announced')


class Stretch(NamedTuple):
    """Distinct uids in ascending order, and how often each comes: int64, shape (n, files)."""

    uids: np.ndarray
    counts: np.ndarray


@dataclass
class SortedUids:
    """A file of uids in ascending order: as it is, or as sorted runs in a scratch folder.

    Args:
        file: the file.
        scratch: folder for the runs of a file that is not sorted; as large as the file.
    """

    file: UidFile
    scratch: str
    is_sorted: bool = field(init=False)
    runs: tuple[UidFile, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.is_sorted = all(bool((follows(some) >= 0).all()) for some in _overlapping(self.file.chunks()))
        self.runs = (self.file,) if self.is_sorted else tuple(_sorted_runs(self.file, self.scratch))


def _overlapping(chunks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Each chunk with the last uid of the one before."""
    last = np.empty(0, UID)
    for some in chunks:
        yield np.concatenate([last, some])
        last = some[-1:]


def _sorted_runs(file: UidFile, scratch: str) -> Iterator[UidFile]:
    for some in file.chunks(_RUN):
        path = os.path.join(scratch, uuid.uuid4().hex)
        with open(path, 'wb') as target, storage.storage_errors(path):
            target.write(sort_uids(some).data.cast('B'))
        yield UidFile(path, len(some), 0)


def merge_uids(files: Sequence[SortedUids]) -> Iterator[Stretch]:
    """All distinct uids of some files in ascending order, with how often each comes in each file.

    Memory: 32 MiB of uids and four times that for sorting, whatever the files' number and size.
    """
    readers = [_Reader(run, number, max(_LEAST, _MERGED // sum(len(file.runs) for file in files)))
               for number, file in enumerate(files) for run in file.runs]
    readers = [reader for reader in readers if reader.fill()]
    while readers:
        bound = min((reader.last for reader in readers), key=lambda one: one.tolist())
        taken = [(reader.number, reader.take(bound)) for reader in readers]
        readers = [reader for reader in readers if reader.fill()]
        yield _stretch([(number, uids, counts) for number, (uids, counts) in taken], len(files))


def _stretch(taken: list[tuple[int, np.ndarray, np.ndarray]], files: int) -> Stretch:
    uids = np.concatenate([uids for _, uids, _ in taken])
    counts = np.concatenate([counts for _, _, counts in taken])
    numbers = np.repeat(np.array([number for number, _, _ in taken]), [len(uids) for _, uids, _ in taken])
    if len(taken) > 1:
        order = order_of(uids)
        uids, counts, numbers = uids[order], counts[order], numbers[order]
    is_first = np.concatenate([[True], follows(uids) != 0])[:len(uids)]
    place = np.cumsum(is_first) - 1
    distinct = uids[is_first]
    summed = np.bincount(place * files + numbers, counts, len(distinct) * files).astype(np.int64).reshape(-1, files)
    return Stretch(distinct, summed)


class _Reader:
    """Distinct uids of a sorted file, with how often each comes; copies at the border of two chunks are put together."""

    def __init__(self, file: UidFile, number: int, size: int) -> None:
        self.number = number
        self._chunks = file.chunks(size)
        self._uids, self._counts = np.empty(0, UID), np.empty(0, np.int64)
        self._ended = False

    @property
    def last(self) -> np.void:
        """The last uid that may be taken with all its copies."""
        return self._uids[-1 if self._ended else -2]

    def fill(self) -> bool:
        """Reads on until something can be taken; False when nothing is left. The last uid is held back: more copies may follow."""
        while not self._ended and len(self._uids) < 2:
            some = next(self._chunks, None)
            if some is None:
                self._ended = True
                break
            firsts = np.flatnonzero(np.concatenate([[True], follows(some) != 0]))
            uids, counts = some[firsts], np.diff(np.append(firsts, len(some)))
            if len(self._uids) and self._uids[-1] == uids[0]:
                counts[0] += self._counts[-1]
                self._uids, self._counts = self._uids[:-1], self._counts[:-1]
            self._uids, self._counts = np.concatenate([self._uids, uids]), np.concatenate([self._counts, counts])
        return bool(len(self._uids))

    def take(self, bound: np.void) -> tuple[np.ndarray, np.ndarray]:
        """(uids up to `bound`, how often each comes); the last one stays until its copies are known."""
        stop = int(places_of(self._uids, np.array([bound], UID), 'right')[0])
        taken = self._uids[:stop], self._counts[:stop]
        self._uids, self._counts = self._uids[stop:], self._counts[stop:]
        return taken


Choose = Callable[[np.ndarray], np.ndarray]


def union(counts: np.ndarray) -> np.ndarray:
    """How often a uid stays that is in any file: as often as it is in all of them together."""
    return counts.sum(1)


def intersection(counts: np.ndarray) -> np.ndarray:
    """A uid that is in every file stays as often as it is in the first."""
    return np.where((counts > 0).all(1), counts[:, 0], 0)


def difference(counts: np.ndarray) -> np.ndarray:
    """A uid of the first file that is in no other stays as often as it is there."""
    return np.where((counts[:, 1:] > 0).any(1), 0, counts[:, 0])


@dataclass(frozen=True)
class Combined:
    """How many uids a file or a combination has, and how many of them are different."""

    written: int
    distinct: int


def count_uids(file: SortedUids, watch: Callable[[int], None] = lambda count: None) -> Combined:
    """How many uids a file has, and how many are different; `watch` is called with how many were read."""
    distinct = 0
    for stretch in merge_uids([file]):
        distinct += len(stretch.uids)
        watch(int(stretch.counts.sum()))
    return Combined(file.file.count, distinct)


def combine_uids(files: Sequence[SortedUids], choose: Choose, keep_multiplicity: bool, path: str, scratch: str,
                 watch: Callable[[int], None] = lambda count: None) -> Combined:
    """Writes the uids of some files that are chosen, in ascending order.

    Args:
        files: the files.
        choose: of counts by file, int64, shape (n, files), how often each uid stays: `union`, `intersection`, `difference`.
        keep_multiplicity: whether a uid is written as often as that, and not once.
        path: of the file to write.
        scratch: folder for the result until its length is known; as large as the result.
        watch: called with how many uids were read.

    Raises:
        RunAborted: a disk is full or a place cannot be written.
        UidFileError: a file has become shorter.
    """
    written = distinct = 0
    body = os.path.join(scratch, uuid.uuid4().hex)
    with open(body, 'wb') as target, storage.storage_errors(body):
        for stretch in merge_uids(files):
            times = choose(stretch.counts)
            times = times if keep_multiplicity else np.minimum(times, 1)
            some = np.repeat(stretch.uids, times)
            target.write(some.data.cast('B') if len(some) else b'')
            written += len(some)
            distinct += int(np.count_nonzero(times))
            watch(int(stretch.counts.sum()))
    with storage.atomic_writer(path) as target, open(body, 'rb') as source:
        target.write(npy_header(written))
        shutil.copyfileobj(source, target, 1 << 22)
    os.remove(body)
    return Combined(written, distinct)
