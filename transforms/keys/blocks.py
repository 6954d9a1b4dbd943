"""Blocks: arrays of keys in files of the work folder, of which only references cross a shuffle; small runs may carry them inline."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from transforms.files import storage
from transforms.run.run import Run

_PACKED = struct.Struct('<16sQQ')
_INLINE_BYTES = 4 << 20  # Flink sorts no element larger than its buffers


@dataclass(frozen=True)
class BlockRef:
    """A stretch of an array: `count` items from `start` of a file of the folder of blocks, or the items themselves where `name` is ''.

    There is one for each partition and unit, and the DirectRunner takes nine times their pickled size: so that is kept small.
    """

    name: str
    start: int
    count: int
    items: bytes = b''

    def __reduce__(self) -> tuple:
        return _unpacked, (_PACKED.pack(bytes.fromhex(self.name) if self.name else b'', self.start, self.count) + self.items,)


def _unpacked(data: bytes) -> BlockRef:
    name, start, count = _PACKED.unpack_from(data)
    return BlockRef(name.hex() if name.strip(b'\0') else '', start, count, data[_PACKED.size:])


class BlockStore:
    """Writes and reads blocks of one type.

    Args:
        run: the run; its `inline_blocks` says whether blocks travel through the shuffle themselves.
        dtype: of an item.
    """

    def __init__(self, run: Run, dtype: np.dtype | type) -> None:
        self._folder, self._inline, self._dtype = run.blocks, run.inline_blocks, np.dtype(dtype)

    def write(self, items: np.ndarray, stretches: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, BlockRef]]:
        """Saves items, and gives (key, reference) for each (key, start, stop).

        Raises:
            RunAborted: the disk is full or the work folder cannot be written.
        """
        items = np.ascontiguousarray(items, self._dtype)
        if self._inline:
            size = max(1, _INLINE_BYTES // self._dtype.itemsize)
            for key, start, stop in stretches:
                for at in range(start, stop, size):
                    piece = items[at:min(at + size, stop)]
                    yield key, BlockRef('', 0, len(piece), piece.tobytes())
            return
        name = uuid.uuid4().hex
        with storage.atomic_writer(storage.join(self._folder, name)) as target:
            target.write(items.data.cast('B') if items.size else b'')
        for key, start, stop in stretches:
            yield key, BlockRef(name, start, stop - start)

    def read(self, ref: BlockRef) -> np.ndarray:
        """The items of a reference."""
        if not ref.name:
            return np.frombuffer(ref.items, self._dtype)
        size, path = self._dtype.itemsize, storage.join(self._folder, ref.name)
        with storage.open_read(path) as source:
            source.seek(ref.start * size)
            data = source.read(ref.count * size)
        if len(data) != ref.count * size:
            raise storage.RunAborted(f'{path} is shorter than when it was written')
        return np.frombuffer(data, self._dtype)


def fill(keys: np.ndarray, name: str, values: np.ndarray | int) -> None:
    """Sets a field of all keys, to one integer or one for each; raises as `fitting`."""
    keys[name] = fitting(name, values, keys.dtype[name], len(keys))


def fitting(name: str, values: np.ndarray | int, dtype: np.dtype, count: int) -> np.ndarray:
    """One integer, or one for each of `count` keys, in their type; shape () or (count,).

    Raises:
        ValueError: they are no integers, of another shape, or do not fit the type, which numpy would take all the same.
    """
    values, limits = np.asarray(values), np.iinfo(dtype)
    if values.dtype.kind not in 'iu' or values.shape not in ((), (count,)):
        raise ValueError(f'{name} is {values.dtype} of shape {values.shape}, it must be an integer, or {count} of them')
    if values.size and not limits.min <= int(values.min()) <= int(values.max()) <= limits.max:
        raise ValueError(f'{name} is {int(values.min())} to {int(values.max())}, it must be {limits.min} to {limits.max}')
    return values.astype(dtype, copy=False)


def by_group(keys: np.ndarray) -> np.ndarray:
    """Keys in the order of their field `group`, those of one group as they came."""
    groups = keys['group']
    return keys[np.argsort(groups, kind='stable')] if (groups[1:] != groups[:-1]).any() else keys


def stretches_of(keys: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """(key, start, stop) of each run of equal keys."""
    if not len(keys):
        return
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    stops = np.append(starts[1:], len(keys))
    yield from zip(keys[starts].tolist(), starts.tolist(), stops.tolist(), strict=True)
