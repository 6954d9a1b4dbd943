"""SmallestRanks: the n records of the smallest ranks, a sample where ranks are hashes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam
import numpy as np

from transforms.keys.blocks import BlockRef, BlockStore, by_group, fill, stretches_of
from transforms.keys.pack import PackFn
from transforms.keys.rows import RowsByUnit, write_places
from transforms.keys.select import nth_key, up_to
from transforms.run.run import Run
from transforms.run.start_up_check import StartUpCheck

KEY = np.dtype([('rank', '<u8'), ('unit', '<u4'), ('row', '<i8')])
_GROUPED = np.dtype([('group', '<u4'), *KEY.descr])


@dataclass(frozen=True, eq=False)
class UnitRanks:
    """Ranks of some records of one unit.

    Attributes:
        unit: number of what is read again in one go, such as a part; numbers are in the order of identity.
        rows: int64, shape (n,): the records' numbers in the unit, from 0.
        ranks: uint64, shape (n,): see `select.to_ordered` for other numbers.
        group: of which the smallest are wanted, such as an entry of a mixture.
    """

    unit: int
    rows: np.ndarray
    ranks: np.ndarray
    group: int = 0


def _to_keys(ranks: UnitRanks) -> np.ndarray:
    keys = np.empty(len(ranks.rows), _GROUPED)
    fill(keys, 'group', ranks.group)
    fill(keys, 'rank', ranks.ranks)
    fill(keys, 'unit', ranks.unit)
    fill(keys, 'row', ranks.rows)
    if len(keys) and int(keys['row'].min()) < 0:
        raise ValueError(f"row is {int(keys['row'].min())}, it must be 0 or more")
    return keys


def _smallest(arrays: Callable[[], Iterable[np.ndarray]], count: int, n: int) -> Iterator[np.ndarray]:
    """Of `count` keys the n smallest by (rank, unit, row), or all."""
    if n >= count or not n:
        yield from arrays() if n else ()
        return
    cut = nth_key(arrays, n, KEY.names)
    for keys in arrays():
        yield keys[up_to(keys, cut, KEY.names)]


@dataclass(frozen=True)
class _Pack:
    """Keys to (group, BlockRef), without those that cannot be among the n smallest."""

    run: Run
    wanted: Mapping[int, int]

    def __call__(self, keys: np.ndarray) -> Iterator[tuple[int, BlockRef]]:
        keys = by_group(keys)
        kept = [some for group, start, stop in stretches_of(keys['group'])
                for some in _smallest([keys[start:stop]].copy, stop - start, self.wanted.get(group, 0))]
        if kept:
            keys = np.concatenate(kept)
            packed = np.empty(len(keys), KEY)
            for name in KEY.names:
                packed[name] = keys[name]
            yield from BlockStore(self.run, KEY).write(packed, stretches_of(keys['group']))


def _decide(group: tuple[int, Iterable[BlockRef]], run: Run, wanted: Mapping[int, int]) -> Iterator[tuple[int, BlockRef]]:
    number, refs = group
    store, refs = BlockStore(run, KEY), list(refs)
    for keys in _smallest(lambda: map(store.read, refs), sum(ref.count for ref in refs), wanted[number]):
        yield from write_places(run, keys['unit'], keys['row'])


@dataclass(eq=False)
class SmallestRanks(beam.PTransform):
    """PCollection[UnitRanks] to PCollection[tuple[int, RowSet]]: for each unit the rows that are among the n smallest of a group.

    Of equal ranks the smallest (unit, row) comes first. A group that has fewer gives all.

    Memory: 16 MiB of keys where ranks arise and one such block where a group is decided, whatever their number and distribution.
    A record is 20 bytes on the disk of the work folder, unless it is not among the n smallest of its block; a reference for 700,000
    of them crosses the shuffle, and one for each block and unit that has chosen rows.

    Args:
        run: the run.
        units: the numbers of all units.
        wanted: how many of each group, by its number.

    Raises:
        ValueError: a group wants less than no record, or a number does not fit its field.
        RunAborted: the disk is full or the work folder cannot be written.
    """

    run: Run
    units: tuple[int, ...]
    wanted: Mapping[int, int]

    def __post_init__(self) -> None:
        if wrong := [n for n in self.wanted.values() if n < 0]:
            raise ValueError(f'wanted has {wrong[0]} records for a group, it must be 0 or more')

    def expand(self, ranks: beam.PCollection[UnitRanks]):  # noqa: ANN201 - Beam reads tuples wrongly
        chosen = (ranks | 'Pack' >> beam.ParDo(PackFn(_to_keys, _Pack(self.run, self.wanted))).with_output_types(tuple[int, BlockRef])
                  | 'ByGroup' >> beam.GroupByKey()
                  | 'CheckGroups' >> StartUpCheck(self.run)
                  | 'Decide' >> beam.FlatMap(partial(_decide, run=self.run, wanted=self.wanted)).with_output_types(tuple[int, Any]))
        return (chosen,) | 'ToUnits' >> RowsByUnit(self.run, self.units)
