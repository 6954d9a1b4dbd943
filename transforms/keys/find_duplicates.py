"""FindDuplicates: which records repeat a better one and which one that is, decided on their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam
import numpy as np

from transforms.keys.blocks import BlockRef, BlockStore, fill
from transforms.keys.pack import PackFn
from transforms.keys.rows import RowsByUnit, write_places
from transforms.run.run import Run
from transforms.run.start_up_check import StartUpCheck

HASH_BYTES = 16
KEY = np.dtype([('high', '<u8'), ('low', '<u8'), ('priority', '<u4'), ('unit', '<u4'), ('file', '<u4'), ('row', '<i8')])
MEMBER = np.dtype([('row', '<i8'), ('file', '<u4'), ('of_unit', '<u4'), ('of_file', '<u4'), ('of_row', '<i8'), ('size', '<i8')])
_ORDER = ('row', 'file', 'unit', 'priority', 'low', 'high')  # as np.lexsort takes it, the first key last
_AT_ONCE = 1 << 19  # keys of a partition that are sorted at once, 18 MiB
_PLANNED = _AT_ONCE * 15 // 16  # of a partition; one that chance makes larger than `_AT_ONCE` is decided in two rounds
_MAX_PARTITIONS = 1024


@dataclass(frozen=True, eq=False)
class UnitHashes:
    """Hashes of some records of one unit.

    Attributes:
        unit: number of what is read again in one go, such as a part; numbers are in the order of identity.
        rows: int64, shape (n,): the records' numbers in the unit, or in its files.
        hashes: uint64, shape (n, 2): of what must not come twice; see `hash_texts`.
        priority: of the unit's records, 0 to 2^32 - 1: of equal ones that with the smallest stays, then the first.
        files: shape (n,): numbers of the files of the unit that the rows are counted in, or 0 for all.
    """

    unit: int
    rows: np.ndarray
    hashes: np.ndarray
    priority: int = 0
    files: np.ndarray | int = 0


@dataclass(frozen=True)
class Repeats:
    """The records of one unit that are in a group of several with one hash, as references to blocks of them."""

    refs: tuple[BlockRef, ...]

    def members(self, run: Run) -> np.ndarray:
        """All of them, `MEMBER`s in order of (file, row): each with the group's best record and how many there are in the group.

        Raises:
            ValueError: one is there twice, because its record came twice.
        """
        store = BlockStore(run, MEMBER)
        members = np.concatenate([np.empty(0, MEMBER), *(store.read(ref) for ref in self.refs)])
        members = members[np.lexsort((members['row'], members['file']))]
        if ((members['row'][1:] == members['row'][:-1]) & (members['file'][1:] == members['file'][:-1])).any():
            raise ValueError('a record came twice: it would be a duplicate of itself, and lost')
        return members

    def lost(self, unit: int, run: Run) -> np.ndarray:
        """Those that are not the best of their group."""
        members = self.members(run)
        return members[~is_best(members, unit)]


def is_best(members: np.ndarray, unit: int) -> np.ndarray:
    """Of members of a unit, which are the best records of their groups."""
    return (members['of_unit'] == unit) & (members['of_file'] == members['file']) & (members['of_row'] == members['row'])


def hash_texts(texts: Iterable[str], secret: bytes) -> np.ndarray:
    """Hashes as of `hash_text`, uint64 of shape (n, 2)."""
    return np.frombuffer(b''.join([hash_text(text, secret) for text in texts]), '<u8').reshape(-1, 2)


def hash_text(text: str, secret: bytes) -> bytes:
    """A keyed 128-bit hash (blake2b); nobody who does not know `secret` can make two texts collide."""
    return hashlib.blake2b(text.encode(), digest_size=HASH_BYTES, key=secret).digest()


def _to_keys(hashes: UnitHashes) -> np.ndarray:
    keys = np.empty(len(hashes.rows), KEY)
    if hashes.hashes.shape != (len(keys), 2):
        raise ValueError(f'hashes have the shape {hashes.hashes.shape}, it must be ({len(keys)}, 2)')
    fill(keys, 'high', hashes.hashes[:, 0])
    fill(keys, 'low', hashes.hashes[:, 1])
    fill(keys, 'priority', hashes.priority)
    fill(keys, 'unit', hashes.unit)
    fill(keys, 'file', hashes.files)
    fill(keys, 'row', hashes.rows)
    return keys


@dataclass(frozen=True, eq=False)
class _Groups:
    """The best key of each hash, in order of (high, low), and how many there are of it."""

    best: np.ndarray
    counts: np.ndarray


def _grouped(keys: np.ndarray, counts: np.ndarray | None = None) -> _Groups:
    """Groups of some keys, each of which counts for `counts` records.

    Raises:
        ValueError: two keys are of one record.
    """
    order = np.argsort(keys['high'])
    keys = keys[order]
    counts = np.ones(len(keys), np.int64) if counts is None else counts[order]
    high = np.ascontiguousarray(keys['high'])
    same = high[1:] == high[:-1]
    if not same.any():
        return _Groups(keys, counts)
    tied = np.zeros(len(keys), bool)
    tied[1:] |= same
    tied[:-1] |= same
    group = keys[tied]
    order = np.lexsort([group[name] for name in _ORDER])
    group, count = group[order], counts[tied][order]
    repeats = (group['high'][1:] == group['high'][:-1]) & (group['low'][1:] == group['low'][:-1])
    if (repeats & (group['unit'][1:] == group['unit'][:-1]) & (group['file'][1:] == group['file'][:-1])
            & (group['row'][1:] == group['row'][:-1])).any():
        raise ValueError('a record came twice: it would be a duplicate of itself, and lost')
    firsts = np.flatnonzero(np.concatenate(([True], ~repeats)))
    summed = np.zeros(len(group), np.int64)
    summed[firsts] = np.add.reduceat(count, firsts)
    keys[tied], counts[tied] = group, summed
    return _Groups(keys[counts > 0], counts[counts > 0])


def _members(keys: np.ndarray, groups: _Groups) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(units, MEMBERs) of those keys that are in groups of several."""
    if groups.counts.max(initial=0) < 2:
        return
    several = groups.counts > 1
    best, counts = groups.best[several], groups.counts[several]
    at = np.searchsorted(best['high'], keys['high'], 'left')
    while True:  # hashes of one high half are rare: a step for each
        inside = at < len(best)
        more = np.zeros(len(keys), bool)
        more[inside] = (best['high'][at[inside]] == keys['high'][inside]) & (best['low'][at[inside]] < keys['low'][inside])
        if not more.any():
            break
        at[more] += 1
    inside = at < len(best)
    inside[inside] = (best['high'][at[inside]] == keys['high'][inside]) & (best['low'][at[inside]] == keys['low'][inside])
    keys, at = keys[inside], at[inside]
    members = np.empty(len(keys), MEMBER)
    members['row'], members['file'], members['size'] = keys['row'], keys['file'], counts[at]
    for name in ('unit', 'file', 'row'):
        members[f'of_{name}'] = best[name][at]
    yield keys['unit'], members


@dataclass(frozen=True)
class _Pack:
    """Keys to (partition, BlockRef)."""

    run: Run
    partitions: int

    def __call__(self, keys: np.ndarray) -> Iterator[tuple[int, BlockRef]]:
        keys = keys[np.argsort(keys['high'])]
        edges = np.searchsorted(keys['high'], _edges(self.partitions), 'left').tolist()
        stretches = ((number, start, stop) for number, (start, stop) in enumerate(zip(edges, [*edges[1:], len(keys)], strict=True))
                     if stop > start)
        yield from BlockStore(self.run, KEY).write(keys, stretches)


def _edges(partitions: int) -> np.ndarray:
    """The smallest high half of each partition."""
    return np.array([(number << 64) // partitions for number in range(partitions)], np.uint64)


def _decide(partition: tuple[int, Iterable[BlockRef]], run: Run, partitions: int) -> Iterator[tuple[int, BlockRef]]:
    """References to the members of groups of several, by unit."""
    number, refs = partition
    store, refs = BlockStore(run, KEY), list(refs)
    rounds = -(-sum(ref.count for ref in refs) // _AT_ONCE)
    first, last = (number << 64) // partitions, (number + 1 << 64) // partitions
    for i in range(rounds):  # more than one where the plan's estimate was far too low
        begin, end = (first + (last - first) * at // rounds for at in (i, i + 1))
        yield from _decide_round(store, refs, begin, end, run)


def _decide_round(store: BlockStore, refs: list[BlockRef], begin: int, end: int, run: Run) -> Iterator[tuple[int, BlockRef]]:
    """The keys of a range of hashes, at most `_AT_ONCE` of them at a time: a single hash may be that of all records."""
    groups, pieces = _Groups(np.empty(0, KEY), np.empty(0, np.int64)), 0
    for keys in _at_most(store, refs, begin, end):
        more = _grouped(keys)
        groups = more if not pieces else _grouped(np.concatenate([groups.best, more.best]), np.concatenate([groups.counts, more.counts]))
        pieces += 1
    again = (keys,) if pieces == 1 else _at_most(store, refs, begin, end) if pieces else ()
    for some in again:
        for units, members in _members(some, groups):
            yield from write_places(run, units, members)


def _at_most(store: BlockStore, refs: list[BlockRef], begin: int, end: int) -> Iterator[np.ndarray]:
    held, count = [], 0
    for ref in refs:
        keys = _between(store.read(ref), begin, end)
        held.append(keys)
        count += len(keys)
        if count >= _AT_ONCE:
            yield np.concatenate(held)
            held, count = [], 0
    if count:
        yield np.concatenate(held)


def _between(keys: np.ndarray, begin: int, end: int) -> np.ndarray:
    high = keys['high']
    start = np.searchsorted(high, np.uint64(begin), 'left')
    stop = len(keys) if end >= 1 << 64 else np.searchsorted(high, np.uint64(end), 'left')
    return keys[start:stop].copy()  # a view would hold all of its block


@dataclass(eq=False)
class FindDuplicates(beam.PTransform):
    """PCollection[UnitHashes] to PCollection[tuple[int, Repeats]]: for each unit its records that share their hash with others.

    Of records with one hash that with the smallest (priority, unit, file, row) is the best, which stays; each of the group is told which
    it is, and how many they are. The answer depends on nothing else. Each record must come once; one that comes twice is refused where
    that is noticed, here or by `Repeats.members`.

    Memory: 16 MiB of keys where hashes arise, 18 MiB of them (and seven times that for sorting) where a partition is decided. A record
    is 36 bytes on the disk of the work folder, and 36 more where it is in a group; what crosses the shuffle is a reference for each
    partition and 450,000 keys, and one for each partition and unit that has duplicates.

    Args:
        run: the run.
        units: the numbers of all units.
        keys: how many records there are, about.

    Raises:
        ValueError: a number does not fit its field, or a record comes twice.
        RunAborted: the disk is full or the work folder cannot be written.
    """

    run: Run
    units: tuple[int, ...]
    keys: int = 1 << 24

    def expand(self, hashes: beam.PCollection[UnitHashes]):  # noqa: ANN201 - Beam reads tuples wrongly
        partitions = min(_MAX_PARTITIONS, max(1, -(-self.keys // _PLANNED)))
        decided = (hashes | 'Pack' >> beam.ParDo(PackFn(_to_keys, _Pack(self.run, partitions))).with_output_types(tuple[int, BlockRef])
                   | 'ByPartition' >> beam.GroupByKey()
                   | 'CheckPartitions' >> StartUpCheck(self.run)
                   | 'Decide' >> beam.FlatMap(partial(_decide, run=self.run, partitions=partitions)).with_output_types(tuple[int, Any]))
        return (decided,) | 'ToUnits' >> RowsByUnit(self.run, self.units, Repeats)
