"""KthValue: the k-th value of a whole dataset, exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam
import numpy as np

from transforms.keys.blocks import BlockRef, BlockStore, by_group, fill, stretches_of
from transforms.keys.pack import PackFn
from transforms.keys.select import from_ordered, kth_smallest, to_ordered
from transforms.run.run import Run
from transforms.run.start_up_check import StartUpCheck

SCORE = np.dtype([('group', '<u4'), ('score', '<u8')])
_ORDERED = np.dtype('<u8')
_DTYPES = {'float64': np.dtype(np.float64), 'int64': np.dtype(np.int64)}


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of some records of one group: an array, shape (n,)."""

    scores: np.ndarray
    group: int = 0


@dataclass(frozen=True)
class Kth:
    """The k-th value of a group.

    Attributes:
        value: the value; None when there is no such one.
        count: how many values there are.
        smaller: how many of them are smaller.
        equal: how many equal it, itself included.
    """

    value: float | int | None
    count: int
    smaller: int = 0
    equal: int = 0


@dataclass(frozen=True)
class Largest:
    """The n-th largest, from 1; None where there are fewer."""

    n: int

    def __call__(self, count: int) -> int:
        return count - self.n


@dataclass(frozen=True)
class TopFraction:
    """The int(count * fraction)-th largest, at least the first; in floating point, as published programs compute it.

    Raises:
        ValueError: the fraction is not 0 to 1.
    """

    fraction: float

    def __post_init__(self) -> None:
        if not 0 <= self.fraction <= 1:
            raise ValueError(f'fraction is {self.fraction}, it must be 0 to 1')

    def __call__(self, count: int) -> int:
        return count - max(1, int(count * self.fraction))


@dataclass(frozen=True)
class _ToKeys:
    dtype: str

    def __call__(self, element: Scores) -> np.ndarray:
        dtype, scores = _DTYPES[self.dtype], element.scores
        if (scores.dtype.kind == 'f') != (dtype.kind == 'f'):
            raise TypeError(f'scores are {scores.dtype}, and KthValue was told {dtype}')
        keys = np.empty(len(scores), SCORE)
        fill(keys, 'group', element.group)
        fill(keys, 'score', to_ordered(scores.astype(dtype, casting='safe')))
        return keys


def _pack(keys: np.ndarray, run: Run) -> Iterator[tuple[int, BlockRef]]:
    keys = by_group(keys)
    yield from BlockStore(run, _ORDERED).write(keys['score'], stretches_of(keys['group']))


def _decide(group: tuple[int, Iterable[BlockRef | None]], run: Run, index: Callable[[int], int], dtype: str) -> tuple[int, Kth]:
    number, refs = group
    store, refs = BlockStore(run, _ORDERED), [ref for ref in refs if ref is not None]
    count = sum(ref.count for ref in refs)
    k = index(count)
    if not 0 <= k < count:
        return number, Kth(None, count)
    value, smaller, equal = kth_smallest(lambda: map(store.read, refs), k)
    return number, Kth(from_ordered(value, _DTYPES[dtype]), count, smaller, equal)


@dataclass(eq=False)
class KthValue(beam.PTransform):
    """PCollection[Scores] to PCollection[tuple[int, Kth]]: one answer for each group.

    Memory: 16 MiB of scores where they arise and one such block where the answer is found, whatever their number and distribution.
    A score is 8 bytes on the disk of the work folder; a reference for 1.4 million of them crosses the shuffle.

    Args:
        run: the run.
        index: which value, from 0 for the smallest, given how many there are: `Largest(n)`, `TopFraction(0.3)`.
        groups: the numbers of all groups.
        dtype: 'float64', which also holds every float32, or 'int64'. NaN counts as larger than all others.

    Raises:
        ValueError: no such dtype.
        TypeError: scores are of another kind than `dtype`.
        RunAborted: the disk is full or the work folder cannot be written.
    """

    run: Run
    index: Callable[[int], int]
    groups: tuple[int, ...] = (0,)
    dtype: str = 'float64'

    def __post_init__(self) -> None:
        if self.dtype not in _DTYPES:
            raise ValueError(f'dtype is {self.dtype!r}, it must be float64 or int64')

    def expand(self, scores: beam.PCollection[Scores]) -> beam.PCollection[tuple[int, Kth]]:
        blocks = scores | 'Pack' >> beam.ParDo(PackFn(_ToKeys(self.dtype), partial(_pack, run=self.run))).with_output_types(tuple[int, Any])
        seeds = scores.pipeline | 'Groups' >> beam.Create([(g, None) for g in self.groups], reshuffle=False).with_output_types(tuple[int, Any])
        return ((blocks, seeds) | 'Gather' >> beam.Flatten() | 'ByGroup' >> beam.GroupByKey()
                | 'CheckGroups' >> StartUpCheck(self.run)
                | 'Decide' >> beam.Map(partial(_decide, run=self.run, index=self.index, dtype=self.dtype)).with_output_types(tuple[int, Kth]))
