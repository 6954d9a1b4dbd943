"""FindDuplicates: which records repeat a better one, decided on their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import TaggedOutput

from transforms.keys.blocks import BlockRef, BlockStore, fill
from transforms.keys.pack import PackFn
from transforms.keys.rows import RowsByUnit, write_places
from transforms.run.run import Run
from transforms.run.start_up_check import StartUpCheck

HASH_BYTES = 16
KEY = np.dtype([('high', '<u8'), ('low', '<u8'), ('priority', '<u4'), ('unit', '<u4'), ('row', '<i8')])
_AT_ONCE = 2 << 20  # keys of a partition that are sorted at once, 64 MiB
_MAX_PARTITIONS = 1024


@dataclass(frozen=True, eq=False)
class UnitHashes:
    """Hashes of some records of one unit.

    Attributes:
        unit: number of what is read again in one go, such as a part; numbers are in the order of identity.
        rows: int64, shape (n,): the records' numbers in the unit.
        hashes: uint64, shape (n, 2): of what must not come twice; see `hash_texts`.
        priority: of the unit's records, 0 to 2^32 - 1: of equal ones that with the smallest stays, then the first.
    """

    unit: int
    rows: np.ndarray
    hashes: np.ndarray
    priority: int = 0


def hash_texts(texts: Iterable[str], secret: bytes) -> np.ndarray:
    """Keyed 128-bit hashes (blake2b), uint64 of shape (n, 2); nobody who does not know `secret` can make two texts collide."""
    digests = b''.join(hashlib.blake2b(text.encode(), digest_size=HASH_BYTES, key=secret).digest() for text in texts)
    return np.frombuffer(digests, '<u8').reshape(-1, 2)


def _to_keys(hashes: UnitHashes) -> np.ndarray:
    keys = np.empty(len(hashes.rows), KEY)
    if hashes.hashes.shape != (len(keys), 2):
        raise ValueError(f'hashes have the shape {hashes.hashes.shape}, it must be ({len(keys)}, 2)')
    fill(keys, 'high', hashes.hashes[:, 0])
    fill(keys, 'low', hashes.hashes[:, 1])
    fill(keys, 'priority', hashes.priority)
    fill(keys, 'unit', hashes.unit)
    fill(keys, 'row', hashes.rows)
    return keys


def without_duplicates(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the best key of each hash, sorted by the hash's high half; the others).

    Raises:
        ValueError: two keys are of one record.
    """
    keys = keys[np.argsort(keys['high'])]
    high = np.ascontiguousarray(keys['high'])
    same = high[1:] == high[:-1]
    if not same.any():
        return keys, keys[:0]
    tied = np.zeros(len(keys), bool)
    tied[1:] |= same
    tied[:-1] |= same
    group = keys[tied]
    group = group[np.lexsort((group['row'], group['unit'], group['priority'], group['low'], group['high']))]
    keys[tied] = group
    repeats = (group['high'][1:] == group['high'][:-1]) & (group['low'][1:] == group['low'][:-1])
    if (repeats & (group['unit'][1:] == group['unit'][:-1]) & (group['row'][1:] == group['row'][:-1])).any():
        raise ValueError('a record came twice: it would be a duplicate of itself, and lost')
    lost = np.zeros(len(keys), bool)
    lost[tied] = np.concatenate(([False], repeats))
    return keys[~lost], keys[lost]


@dataclass(frozen=True)
class _Pack:
    """Keys to (partition, BlockRef); those that repeat another in the same array are decided at once, and never get that far."""

    run: Run
    partitions: int

    def __call__(self, keys: np.ndarray) -> Iterator[Any]:
        kept, lost = without_duplicates(keys)
        edges = np.searchsorted(kept['high'], _edges(self.partitions), 'left').tolist()
        stretches = ((number, start, stop) for number, (start, stop) in enumerate(zip(edges, [*edges[1:], len(kept)], strict=True))
                     if stop > start)
        yield from BlockStore(self.run, KEY).write(kept, stretches)
        for place in write_places(self.run, lost['unit'], lost['row']):
            yield TaggedOutput('places', place)


def _edges(partitions: int) -> np.ndarray:
    """The smallest high half of each partition."""
    return np.array([(number << 64) // partitions for number in range(partitions)], np.uint64)


def _decide(partition: tuple[int, Iterable[BlockRef]], run: Run, partitions: int) -> Iterator[tuple[int, BlockRef]]:
    """References to rows that go, by unit."""
    number, refs = partition
    store, refs = BlockStore(run, KEY), list(refs)
    rounds = -(-sum(ref.count for ref in refs) // _AT_ONCE)
    first, last = (number << 64) // partitions, (number + 1 << 64) // partitions
    for i in range(rounds):  # more than one where the plan's estimate was far too low
        begin, end = (first + (last - first) * at // rounds for at in (i, i + 1))
        blocks = [_between(store.read(ref), begin, end) for ref in refs]
        _, lost = without_duplicates(np.concatenate(blocks))
        yield from write_places(run, lost['unit'], lost['row'])


def _between(keys: np.ndarray, begin: int, end: int) -> np.ndarray:
    high = keys['high']
    start = np.searchsorted(high, np.uint64(begin), 'left')
    stop = len(keys) if end >= 1 << 64 else np.searchsorted(high, np.uint64(end), 'left')
    return keys[start:stop].copy()  # a view would hold all of its block


@dataclass(eq=False)
class FindDuplicates(beam.PTransform):
    """PCollection[UnitHashes] to PCollection[tuple[int, RowSet]]: for each unit the rows that repeat a better record.

    Of records with one hash that with the smallest (priority, unit, row) stays. The answer depends on nothing else. Each record must
    come once; one that comes twice is refused where that is noticed, here or by `RowSet.rows`.

    Memory: 16 MiB of keys where hashes arise, 64 MiB of them (and twice that for sorting) where a partition is decided. A record is
    32 bytes on the disk of the work folder; what crosses the shuffle is a reference for each partition and 500,000 keys, and one
    for each partition and unit that has duplicates.

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
        partitions = min(_MAX_PARTITIONS, max(1, -(-self.keys // (_AT_ONCE // 2))))
        packed = hashes | 'Pack' >> beam.ParDo(PackFn(_to_keys, _Pack(self.run, partitions))).with_outputs('places', main='blocks')
        decided = (packed.blocks | 'TypedBlocks' >> beam.Map(_as_is).with_output_types(tuple[int, BlockRef])
                   | 'ByPartition' >> beam.GroupByKey()
                   | 'CheckPartitions' >> StartUpCheck(self.run)
                   | 'Decide' >> beam.FlatMap(partial(_decide, run=self.run, partitions=partitions)).with_output_types(tuple[int, Any]))
        places = packed.places | 'TypedPlaces' >> beam.Map(_as_is).with_output_types(tuple[int, Any])
        return (places, decided) | 'ToUnits' >> RowsByUnit(self.run, self.units)


def _as_is(element: Any) -> Any:
    return element
