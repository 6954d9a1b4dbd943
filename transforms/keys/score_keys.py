"""ScoreKeys and labels: what ScoreThreshold needs of records, as columns that take no room where they are constant or count up."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from transforms.keys.blocks import BlockRef, BlockStore, stretches_of
from transforms.run.run import Run

LABEL = np.dtype([('row', '<i8'), ('label', '<i2')])
RUN = np.dtype([('unit', '<u4'), ('row', '<i8'), ('count', '<i8')])
ORDER = ('down', 'tie', 'unit', 'row')
_PIECE = 1 << 16  # keys of a block, 2.4 MB at most: what travels inline is no larger than 4 MiB
_LABELS = 1 << 18  # labels of a block, 2.6 MB at most
_KEYS_HEAD = struct.Struct('<QQQQB')
_LABELS_HEAD = struct.Struct('<QqB')
_RUNS_WORTH = 16  # records in a run, on average, from which on runs are kept


@dataclass(frozen=True, eq=False)
class ScoreKeys:
    """Columns of n keys, as `keys['down']` gives them; a mask or a slice gives some of the keys.

    Attributes:
        down: uint64, shape (n,): falls where scores rise.
        group, tie: uint64, shape (n,), or (1,) where all have one.
        runs: `RUN`s: stretches of rows of one unit that count up by one; None where `unit` and `row` tell.
        unit, row: uint32 and int64, shape (n,); None where `runs` tell.
    """

    down: np.ndarray
    group: np.ndarray
    tie: np.ndarray
    runs: np.ndarray | None = None
    unit: np.ndarray | None = None
    row: np.ndarray | None = None

    @classmethod
    def of(cls, down: np.ndarray, group: np.ndarray, tie: np.ndarray, unit: int, row: np.ndarray) -> ScoreKeys:
        """The keys of records of one unit."""
        starts = np.flatnonzero(np.concatenate([[True], row[1:] != row[:-1] + 1])) if len(row) else np.empty(0, np.int64)
        if len(row) < _RUNS_WORTH * len(starts):
            return cls(down, group, tie, None, np.full(len(row), unit, np.uint32), row)
        runs = np.empty(len(starts), RUN)
        runs['unit'], runs['row'], runs['count'] = unit, row[starts], np.diff(np.append(starts, len(row)))
        return cls(down, group, tie, runs)

    def __len__(self) -> int:
        return len(self.down)

    @property
    def nbytes(self) -> int:
        """Of the columns that are held."""
        return sum(column.nbytes for column in (self.down, self.group, self.tie, self.runs, self.unit, self.row) if column is not None)

    def __getitem__(self, what: str | slice | np.ndarray) -> np.ndarray | ScoreKeys:
        if not isinstance(what, str):
            return self._some(what)
        if what == 'down':
            return self.down
        if what in ('group', 'tie'):
            column = getattr(self, what)
            return column if len(column) == len(self) else np.broadcast_to(column, len(self))
        if self.runs is None:
            return self.unit if what == 'unit' else self.row
        if what == 'unit':
            return np.repeat(self.runs['unit'], self.runs['count'])
        counts = self.runs['count']
        return np.arange(len(self)) + np.repeat(self.runs['row'] - (np.cumsum(counts) - counts), counts)

    def _some(self, which: slice | np.ndarray) -> ScoreKeys:
        group, tie = (column if len(column) == 1 else column[which] for column in (self.group, self.tie))
        if self.runs is not None and isinstance(which, slice):
            return ScoreKeys(self.down[which], group, tie, _runs_between(self.runs, *which.indices(len(self))[:2]))
        return ScoreKeys(self.down[which], group, tie, None, self['unit'][which], self['row'][which])

    def to_bytes(self) -> bytes:
        """For `from_bytes`."""
        places = [self.runs] if self.runs is not None else [self.unit, self.row]
        head = _KEYS_HEAD.pack(len(self), len(self.group), len(self.tie), 0 if self.runs is None else len(self.runs), self.runs is not None)
        return head + b''.join(np.ascontiguousarray(column).tobytes() for column in (self.down, self.group, self.tie, *places))

    @classmethod
    def from_bytes(cls, data: bytes) -> ScoreKeys:
        """What `to_bytes` made bytes of."""
        count, groups, ties, runs, has_runs = _KEYS_HEAD.unpack_from(data)
        at, columns = _KEYS_HEAD.size, []
        places = [(RUN, runs)] if has_runs else [(np.dtype('<u4'), count), (np.dtype('<i8'), count)]
        for dtype, length in ((np.dtype('<u8'), count), (np.dtype('<u8'), groups), (np.dtype('<u8'), ties), *places):
            columns.append(np.frombuffer(data, dtype, length, at))
            at += length * dtype.itemsize
        return cls(*columns[:3], columns[3]) if has_runs else cls(*columns[:3], None, *columns[3:])


def _runs_between(runs: np.ndarray, start: int, stop: int) -> np.ndarray:
    """The runs of the keys from `start` to `stop`, the first and the last perhaps shortened."""
    if start >= stop:
        return runs[:0]
    ends = np.cumsum(runs['count'])
    first, last = np.searchsorted(ends, start, 'right'), np.searchsorted(ends, stop, 'left')
    some = runs[first:last + 1].copy()
    skipped = start - (int(ends[first]) - int(some['count'][0]))
    some['row'][0] += skipped
    some['count'][0] -= skipped
    some['count'][-1] -= int(ends[last]) - stop
    return some


def join_keys(pieces: Sequence[ScoreKeys]) -> ScoreKeys:
    """All keys of several, in their order."""
    if len(pieces) == 1:
        return pieces[0]
    down = np.concatenate([piece.down for piece in pieces])
    group, tie = (_joined([getattr(piece, name) for piece in pieces], [piece[name] for piece in pieces]) for name in ('group', 'tie'))
    if all(piece.runs is not None for piece in pieces):
        return ScoreKeys(down, group, tie, _joined_runs(np.concatenate([piece.runs for piece in pieces])))
    return ScoreKeys(down, group, tie, None, np.concatenate([piece['unit'] for piece in pieces]), np.concatenate([piece['row'] for piece in pieces]))


def _joined(short: Sequence[np.ndarray], whole: Sequence[np.ndarray]) -> np.ndarray:
    if all(len(column) == 1 for column in short) and len({int(column[0]) for column in short}) == 1:
        return short[0]
    return np.concatenate(whole)


def _joined_runs(runs: np.ndarray) -> np.ndarray:
    """Runs of which one goes on where the one before ends put together."""
    starts = np.flatnonzero(np.concatenate([[True], (runs['unit'][1:] != runs['unit'][:-1])
                                            | (runs['row'][1:] != runs['row'][:-1] + runs['count'][:-1])]))
    joined = runs[starts]
    joined['count'] = np.add.reduceat(runs['count'], starts)
    return joined


def order_of(keys: ScoreKeys) -> np.ndarray:
    """The order of keys by group, then by `ORDER`; what decides among equal scores is looked at for these alone."""
    group, down = keys['group'], keys['down']
    order = np.lexsort([down, group])
    group, down = group[order], down[order]
    same = (group[1:] == group[:-1]) & (down[1:] == down[:-1])
    if same.any():
        tied = np.zeros(len(order), bool)
        tied[1:] |= same
        tied[:-1] |= same
        some = order[tied]
        order[tied] = some[np.lexsort([*(keys[name][some] for name in ('row', 'unit', 'tie')), down[tied], group[tied]])]
    return order


class KeyStore:
    """Writes and reads keys in the blocks of a run."""

    def __init__(self, run: Run) -> None:
        self._store = BlockStore(run, np.uint8)

    def write(self, keys: ScoreKeys, partitions: np.ndarray) -> Iterator[tuple[int, BlockRef]]:
        """Saves keys that are ordered by partition; gives (partition, reference)."""
        data, stretches, at = [], [], 0
        for partition, start, stop in stretches_of(partitions):
            for begin in range(start, stop, _PIECE):
                piece = keys[begin:min(begin + _PIECE, stop)].to_bytes()
                data.append(piece)
                stretches.append((partition, at, at + len(piece)))
                at += len(piece)
        yield from self._store.write(np.frombuffer(b''.join(data), np.uint8), stretches)

    def read(self, ref: BlockRef) -> ScoreKeys:
        """The keys of a reference."""
        return ScoreKeys.from_bytes(self._store.read(ref).tobytes())


class LabelStore:
    """Writes and reads labels in the blocks of a run, by unit."""

    def __init__(self, run: Run) -> None:
        self._store = BlockStore(run, np.uint8)

    def write(self, keys: ScoreKeys, labels: np.ndarray) -> Iterator[tuple[int, BlockRef]]:
        """Saves a label for each key; gives (unit, reference)."""
        if not len(keys):
            return
        data, stretches, at = [], [], 0
        for unit, rows, some in _by_unit(keys, labels.astype('<i2', copy=False)):
            for start in range(0, len(some), _LABELS):
                piece = _pack_labels(rows + start if isinstance(rows, int) else rows[start:start + _LABELS], some[start:start + _LABELS])
                data.append(piece)
                stretches.append((unit, at, at + len(piece)))
                at += len(piece)
        yield from self._store.write(np.frombuffer(b''.join(data), np.uint8), stretches)

    def read(self, ref: BlockRef) -> np.ndarray:
        """`LABEL`s of a reference."""
        data = self._store.read(ref).tobytes()
        count, first, has_rows = _LABELS_HEAD.unpack_from(data)
        found = np.empty(count, LABEL)
        found['label'] = np.frombuffer(data, '<i2', count, _LABELS_HEAD.size)
        found['row'] = np.frombuffer(data, '<i8', count, _LABELS_HEAD.size + 2 * count) if has_rows else np.arange(first, first + count)
        return found


def _by_unit(keys: ScoreKeys, labels: np.ndarray) -> Iterator[tuple[int, int | np.ndarray, np.ndarray]]:
    """(unit, first row where rows count up, else all of them, labels)."""
    if keys.runs is not None:
        ends = np.cumsum(keys.runs['count']).tolist()
        for unit, row, count, end in zip(keys.runs['unit'].tolist(), keys.runs['row'].tolist(), keys.runs['count'].tolist(), ends, strict=True):
            yield unit, row, labels[end - count:end]
        return
    order = np.lexsort([keys.row, keys.unit])
    units, rows, labels = keys.unit[order], keys.row[order], labels[order]
    for unit, start, stop in stretches_of(units):
        some = rows[start:stop]
        is_run = int(some[-1]) - int(some[0]) == stop - start - 1 and bool((some[1:] != some[:-1]).all())
        yield unit, int(some[0]) if is_run else some, labels[start:stop]


def _pack_labels(rows: int | np.ndarray, labels: np.ndarray) -> bytes:
    has_rows = not isinstance(rows, int)
    return _LABELS_HEAD.pack(len(labels), 0 if has_rows else rows, has_rows) + labels.tobytes() + (rows.astype('<i8', copy=False).tobytes() if has_rows else b'')
