"""ReservoirSample: exactly n elements of any PCollection, the same ones however the pipeline runs."""

from __future__ import annotations

import pickle
import uuid
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Any, BinaryIO, NamedTuple

import apache_beam as beam
import numpy as np
from apache_beam.coders import Coder
from apache_beam.transforms.window import GlobalWindows

from transforms.files import storage
from transforms.keys.blocks import BlockRef, BlockStore
from transforms.keys.ranks import checked_weight, rank_of, rank_secret, weighted_rank
from transforms.keys.select import nth_key, up_to
from transforms.run.run import Run
from transforms.run.start_up_check import StartUpCheck

_RANK = np.dtype([('rank', '<u8'), ('rest', '<u8')])
_SLACK = 4096
_LARGEST = (1 << 64) - 1


class _Spill(NamedTuple):
    """What a bundle has of one group: the ranks of its candidates, and the file that holds them with others."""

    ranks: BlockRef
    path: str


class _Cut(NamedTuple):
    """The largest (rank, rest) of a group that is drawn."""

    group: str
    rank: int
    rest: int


class _Candidates:
    """The ranks of those elements of one group in a bundle that may be among the n smallest; at most 2 n and some."""

    def __init__(self, n: int) -> None:
        self._n, self._limit = n, _LARGEST
        self._ranks, self._rests = array('Q'), array('Q')

    def take(self, rank: int, rest: int) -> bool:
        """Takes an element unless n others before it are smaller."""
        if rank > self._limit:
            return False
        self._ranks.append(rank)
        self._rests.append(rest)
        if len(self._ranks) >= 2 * self._n + _SLACK:
            self._cut()
        return True

    def _cut(self) -> None:
        ranks, rests = self._arrays()
        if len(ranks) > self._n:
            self._limit = int(np.partition(ranks, self._n - 1)[self._n - 1])
            kept = ranks <= np.uint64(self._limit)
            self._ranks, self._rests = array('Q', ranks[kept].tobytes()), array('Q', rests[kept].tobytes())

    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        return np.array(self._ranks, np.uint64), np.array(self._rests, np.uint64)

    def finish(self) -> np.ndarray:
        """The ranks, as `_RANK`."""
        self._cut()
        ranks, rests = self._arrays()
        found = np.empty(len(ranks), _RANK)
        found['rank'], found['rest'] = ranks, rests
        return found


class _SpillFn(beam.DoFn):
    def __init__(self, sample: ReservoirSample, coder: Coder) -> None:
        self._sample, self._coder = sample, coder

    def start_bundle(self) -> None:
        self._groups: dict[str, tuple[bytes, _Candidates]] = {}
        self._path, self._writer = '', None

    def process(self, element: Any) -> None:
        sample = self._sample
        group = sample.group_fn(element) if sample.group_fn else ''
        if not (n := sample.wanted(group)):
            return
        if group not in self._groups:
            self._groups[group] = rank_secret(sample.seed, group), _Candidates(n)
        secret, candidates = self._groups[group]
        rank, rest = rank_of(sample.id_fn(element), secret)
        if sample.weight_fn:
            if not (weight := checked_weight(sample.weight_fn(element))):
                return
            rank = weighted_rank(rank, weight)
        if candidates.take(rank, rest):
            pickle.dump((group, rank, rest, self._coder.encode(element)), self._target())

    def _target(self) -> BinaryIO:
        if self._writer is None:
            self._path = storage.join(self._sample.run.work, 'samples', uuid.uuid4().hex)
            self._writer = storage.atomic_writer(self._path)
            self._file = self._writer.__enter__()
        return self._file

    def finish_bundle(self) -> Iterator[Any]:
        if self._writer is not None:
            self._writer.__exit__(None, None, None)
        store = BlockStore(self._sample.run, _RANK)
        for group, (_, candidates) in self._groups.items():
            ranks = candidates.finish()
            for _, ref in store.write(ranks, [(0, 0, len(ranks))] if len(ranks) else []):
                yield GlobalWindows.windowed_value((group, _Spill(ref, self._path)))


def _decide(spilled: tuple[str, Iterable[_Spill]], run: Run, wanted: Callable[[str], int]) -> Iterator[tuple[str, _Cut]]:
    """(path of a spill, largest rank of a group that is drawn)."""
    group, spills = spilled
    store, spills = BlockStore(run, _RANK), list(spills)

    def arrays() -> Iterator[np.ndarray]:
        return (store.read(spill.ranks) for spill in spills)

    n, cut = wanted(group), ()
    if sum(spill.ranks.count for spill in spills) > n:
        cut = nth_key(arrays, n, _RANK.names)
    drawn = np.sort(np.concatenate([keys[up_to(keys, cut, _RANK.names)] for keys in arrays()]))
    if (drawn[1:] == drawn[:-1]).any():
        raise ValueError(f'two elements{f" of {group}" if group else ""} have the same id: an element is drawn by its id, so each needs its own')
    last = drawn[-1]  # spills hold more than was drawn, also where all ranks that are left are
    for path in sorted({spill.path for spill in spills}):
        yield path, _Cut(group, int(last['rank']), int(last['rest']))


def _read(spill: tuple[str, Iterable[_Cut]], coder: Coder) -> Iterator[Any]:
    path, cuts = spill
    largest = {cut.group: (cut.rank, cut.rest) for cut in cuts}
    with storage.open_read(path) as source:
        while True:
            try:
                group, rank, rest, data = pickle.load(source)
            except EOFError:
                return
            if (rank, rest) <= largest[group]:
                yield coder.decode(data)


@dataclass(eq=False)
class ReservoirSample(beam.PTransform):
    """PCollection[T] to PCollection[T]: exactly n elements, or all where there are fewer; any n are equally likely.

    An element is drawn by its rank, a seeded hash of its id: the same elements for the same seed on every runner, whatever the number
    of workers, bundles and retries. With weights the draw is that without replacement of Efraimidis and Spirakis (2006): one after the
    other, each time in proportion to the weights of what is left.

    Memory: the ranks of 2 n elements (32 bytes each) where elements arise, n where a group is decided. Elements cross no shuffle: those
    that may be drawn wait in files of the work folder, and only references to them do.

    Args:
        n: how many, of each group; or by group, 0 for one that is not there.
        run: the run, whose work folder all workers share.
        id_fn: an element's id: text, an integer or bytes, its own among those of its group.
        group_fn: the group of an element, each with a sample of its own; None for one sample of all.
        weight_fn: a finite number of at least 0; an element of weight 0 is never drawn. None for equal weights.
        seed: of the ranks.

    Raises:
        ValueError: n is negative; the elements are in windows; while running, a weight is no such number, or two elements that are drawn have one id.
        TypeError: n is no integer, or an id is of another type.
        RunAborted: the disk is full or the work folder cannot be written.
    """

    n: int | Mapping[str, int]
    _: KW_ONLY
    run: Run
    id_fn: Callable[[Any], str | int | bytes]
    group_fn: Callable[[Any], str] | None = None
    weight_fn: Callable[[Any], float] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        given = list(self.n.values()) if isinstance(self.n, Mapping) else [self.n]
        if wrong := [n for n in given if isinstance(n, bool) or not isinstance(n, (int, np.integer))]:
            raise TypeError(f'n is {wrong[0]!r}, it must be an integer')
        if wrong := [n for n in given if n < 0]:
            raise ValueError(f'n is {wrong[0]}, it must be 0 or more')

    def wanted(self, group: str) -> int:
        """How many of a group."""
        return int(self.n.get(group, 0) if isinstance(self.n, Mapping) else self.n)

    def expand(self, elements: beam.PCollection) -> beam.PCollection:
        if not isinstance(elements.windowing.windowfn, GlobalWindows):
            raise ValueError('ReservoirSample draws from all elements at once and leaves no windows: take them off with '
                             'beam.WindowInto(beam.window.GlobalWindows()), and give the window as the group with group_fn')
        coder = beam.coders.registry.get_coder(elements.element_type)
        spilled = elements | 'Spill' >> beam.ParDo(_SpillFn(self, coder)).with_output_types(tuple[str, Any])
        return (spilled | 'ByGroup' >> beam.GroupByKey()
                | 'CheckGroups' >> StartUpCheck(self.run)
                | 'Decide' >> beam.FlatMap(partial(_decide, run=self.run, wanted=self.wanted)).with_output_types(tuple[str, Any])
                | 'BySpill' >> beam.GroupByKey()
                | 'CheckReading' >> StartUpCheck(self.run)
                | 'Read' >> beam.FlatMap(partial(_read, coder=coder)).with_output_types(elements.element_type))
