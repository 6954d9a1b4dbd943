"""RowSet and RowsByUnit: which rows of each unit a decision has chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam
import numpy as np

from transforms.keys.blocks import BlockRef, BlockStore, stretches_of
from transforms.run.run import Run
from transforms.run.start_up_check import StartUpCheck

ROW = np.dtype('<i8')


@dataclass(frozen=True)
class RowSet:
    """Chosen rows of one unit, as references to blocks of them."""

    refs: tuple[BlockRef, ...]

    def rows(self, run: Run) -> np.ndarray:
        """The rows, int64, ascending.

        Raises:
            ValueError: one is chosen twice, because its record came twice.
        """
        store = BlockStore(run, ROW)
        rows = np.sort(np.concatenate([np.empty(0, ROW), *(store.read(ref) for ref in self.refs)]))
        if (rows[1:] == rows[:-1]).any():
            raise ValueError('a record came twice: it was chosen twice')
        return rows


def write_places(run: Run, units: np.ndarray, items: np.ndarray) -> Iterator[tuple[int, BlockRef]]:
    """(unit, reference to its items) of chosen records: `items` are their rows, or structured with a field `row`."""
    if not len(units):
        return
    order = np.lexsort((items['row'] if items.dtype.names else items, units))
    units = units[order]
    yield from BlockStore(run, items.dtype if items.dtype.names else ROW).write(items[order], stretches_of(units))


def _gathered(unit: int, refs: Iterable[BlockRef | None], to: Callable[[tuple[BlockRef, ...]], Any]) -> tuple[int, Any]:
    return unit, to(tuple(ref for ref in refs if ref is not None))


@dataclass(eq=False)
class RowsByUnit(beam.PTransform):
    """PCollections of (unit, BlockRef) to PCollection[tuple[int, RowSet]], one for each unit of the plan, also for none of its rows.

    Args:
        run: the run.
        units: all units that there are.
        to: what is made of a unit's references, instead of a RowSet.
    """

    run: Run
    units: tuple[int, ...]
    to: Callable[[tuple[BlockRef, ...]], Any] = RowSet

    def expand(self, chosen: tuple[beam.PCollection, ...]) -> beam.PCollection[tuple[int, Any]]:
        seeds = chosen[0].pipeline | 'Units' >> beam.Create(
            [(unit, None) for unit in self.units], reshuffle=False).with_output_types(tuple[int, Any])
        return ((*chosen, seeds) | 'Gather' >> beam.Flatten() | 'ByUnit' >> beam.GroupByKey()
                | 'CheckUnits' >> StartUpCheck(self.run)
                | 'ToRowSets' >> beam.MapTuple(partial(_gathered, to=self.to)).with_output_types(tuple[int, Any]))
