"""ScoreThreshold: which records stay by their scores, exactly, at any size and on any runner."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.pvalue import TaggedOutput

from transforms.keys.blocks import BlockRef, fitting
from transforms.keys.gather import GatherFn
from transforms.keys.pack import PackFn
from transforms.keys.rows import RowsByUnit
from transforms.keys.score_keys import (
    LABEL,
    ORDER,
    KeyStore,
    LabelStore,
    ScoreKeys,
    join_keys,
    order_of,
)
from transforms.keys.score_rules import TIED, TOO_LOW, Between, PlaceRule
from transforms.keys.score_values import score_values
from transforms.keys.select import (
    from_ordered,
    from_ordered_all,
    kth_smallest_each,
    nth_keys,
    to_ordered,
    up_to,
)
from transforms.run.run import Run
from transforms.run.start_up_check import StartUpCheck

_AT_ONCE = 1 << 19  # keys of many groups that are sorted at once, 20 MiB
_MAX_PARTITIONS = 1024
_CUTS, _DECIDED = 'cuts', 'decided'
Arrays = Callable[[], Iterable[ScoreKeys]]
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # numbers of groups need not be spread: multiplied by this (Fibonacci hashing) they are


@dataclass(frozen=True, eq=False)
class UnitScores:
    """Scores of some records of one unit.

    Attributes:
        unit: number of what is read again in one go, such as a part; numbers are in the order of identity.
        rows: int64, shape (n,): the records' numbers in the unit, from 0.
        scores: numbers, or texts that a model wrote (see `parse_score`), shape (n,); in an Arrow array perhaps null.
        groups: uint64, shape (n,), each decided on its own (see `group_key` for names); or one number for all.
        ties: uint64, shape (n,): of equal scores that with the smallest comes first, such as a seeded hash; then the first by (unit, row).
    """

    unit: int
    rows: np.ndarray
    scores: np.ndarray | pa.Array
    groups: np.ndarray | int = 0
    ties: np.ndarray | int = 0


@beam.coders.registry.register_row
@dataclass(frozen=True)
class KeyedScore:
    """The score of one record, by its place.

    Attributes:
        unit: number of what is read again in one go, such as a part; numbers are in the order of identity.
        row: its number in the unit.
        score: None where there is none.
        group: decided on its own, such as a source.
    """

    unit: int
    row: int
    score: float | None
    group: str = ''


def group_key(name: str, secret: bytes = b'') -> int:
    """The number of a group with a name, 64 bits; 0 for ''. Who does not know `secret` cannot make two names collide."""
    return int.from_bytes(hashlib.blake2b(name.encode('utf-8', 'surrogatepass'), digest_size=8, key=secret).digest(), 'little') if name else 0


@dataclass(frozen=True)
class Labels:
    """What a rule says of each record of one unit, as references to blocks."""

    refs: tuple[BlockRef, ...]

    def all(self, run: Run) -> np.ndarray:
        """`LABEL`s of all records in order of rows: a bucket, 0 for one that stays, or less than 0: see `score_rules.reason_of`.

        Raises:
            ValueError: a record came twice.
        """
        store = LabelStore(run)
        pieces = sorted(map(store.read, self.refs), key=lambda piece: int(piece['row'][0]))
        labels = np.concatenate([np.empty(0, LABEL), *pieces])
        rows = labels['row']
        if (rows[1:] <= rows[:-1]).any():
            labels = labels[np.argsort(rows, kind='stable')]
            if (labels['row'][1:] == labels['row'][:-1]).any():
                raise ValueError('a record came twice: it has two scores')
        return labels

    def kept(self, run: Run) -> np.ndarray:
        """The rows that stay, int64, ascending."""
        labels = self.all(run)
        return labels['row'][labels['label'] >= 0]


@dataclass(frozen=True, eq=False)
class Cuts:
    """What a rule by places came to, for some groups; all arrays have the shape (g,), `values` (g, borders).

    Attributes:
        groups: their numbers, uint64.
        counts: how many valid scores there are, int64.
        above: how many are above each border in the end, ties included, shape (g, borders).
        values: the lowest score above each border, float64; NaN where none is above it.
    """

    groups: np.ndarray
    counts: np.ndarray
    above: np.ndarray
    values: np.ndarray


class Thresholded(NamedTuple):
    """What ScoreThreshold gives.

    Attributes:
        main: PCollection[tuple[int, Labels]], one for each unit.
        cuts: PCollection[Cuts], each group once; empty for a rule by values.
    """

    main: beam.PCollection
    cuts: beam.PCollection


def _to_scores(scores: list[KeyedScore], secret: bytes) -> UnitScores:
    return UnitScores(scores[0].unit, np.array([one.row for one in scores], np.int64), pa.array([one.score for one in scores], pa.float64()),
                      np.array([group_key(one.group, secret) for one in scores], np.uint64))


@dataclass(frozen=True, eq=False)
class _Judged:
    """Keys, and what is certain of each: a label of less than 0, or with a rule by values any label."""

    keys: ScoreKeys
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.labels.nbytes

    @classmethod
    def join(cls, pieces: list[_Judged]) -> _Judged:
        return cls(join_keys([piece.keys for piece in pieces]), np.concatenate([piece.labels for piece in pieces]))


def _judge(element: UnitScores, rule: Between | PlaceRule) -> _Judged:
    values, labels, kind = score_values(element.scores)
    count = len(element.rows)
    if len(values) != count:
        raise ValueError(f'scores are {len(values)}, it must be {count}, one for each row')
    if isinstance(rule, Between):
        labels = np.where(labels == 0, rule.label(values, kind), labels)
    unit = int(fitting('unit', element.unit, np.dtype('<u4'), count))
    rows = fitting('row', element.rows, np.dtype('<i8'), count)
    if count and int(rows.min()) < 0:
        raise ValueError(f'row is {int(rows.min())}, it must be 0 or more')
    group, tie = (np.atleast_1d(fitting(name, given, np.dtype('<u8'), count)) for name, given in (('group', element.groups), ('tie', element.ties)))
    return _Judged(ScoreKeys.of(~to_ordered(values), group, tie, unit, rows), labels)


@dataclass(frozen=True)
class _Pack:
    """Keys to (partition, BlockRef); labels that are certain to (unit, BlockRef) under the tag."""

    run: Run
    partitions: int
    by_value: bool

    def __call__(self, judged: _Judged) -> Iterator[Any]:
        keys, labels = judged.keys, judged.labels
        certain = np.ones(len(keys), bool) if self.by_value else labels < 0
        if certain.any():
            for item in LabelStore(self.run).write(keys if certain.all() else keys[certain], labels[certain]):
                yield TaggedOutput(_DECIDED, item)
            keys = keys[~certain]
        partitions = _partition_of(keys['group'], self.partitions)
        if (partitions[1:] < partitions[:-1]).any():
            order = np.argsort(partitions, kind='stable')
            keys, partitions = keys[order], partitions[order]
        yield from KeyStore(self.run).write(keys, partitions)


def _partition_of(groups: np.ndarray, partitions: int) -> np.ndarray:
    if partitions == 1:
        return np.zeros(len(groups), np.uint16)
    return ((groups * _SPREAD >> np.uint64(32)) * np.uint64(partitions) >> np.uint64(32)).astype(np.uint16)


def _decide(partition: tuple[int, Iterable[BlockRef]], run: Run, rule: PlaceRule) -> Iterator[Any]:
    """(unit, BlockRef of its labels), and under the tag the cuts, for the groups of one partition."""
    _, refs = partition
    store, refs = KeyStore(run), list(refs)
    groups, counts = _count_groups(store, refs)
    many = counts > _AT_ONCE
    for group, count in zip(groups[many].tolist(), counts[many].tolist(), strict=True):
        yield from _decide_large(run, rule, partial(_of_group, store, refs, group), group, count)
    rounds = np.cumsum(np.where(many, 0, counts)) // _AT_ONCE
    for number in np.unique(rounds[~many]).tolist():
        some = groups[(rounds == number) & ~many]
        yield from _decide_sorted(run, rule, join_keys([keys[_among(keys['group'], some)] for keys in map(store.read, refs)]))


def _count_groups(store: KeyStore, refs: Sequence[BlockRef]) -> tuple[np.ndarray, np.ndarray]:
    """All groups in ascending order, and how many keys each has."""
    groups, counts = np.empty(0, np.uint64), np.empty(0, np.int64)
    for keys in map(store.read, refs):
        found, more = (keys.group, [len(keys)]) if len(keys.group) == 1 else np.unique(keys.group, return_counts=True)
        groups, at = np.unique(np.concatenate([groups, found]), return_inverse=True)
        counts = np.bincount(at, np.concatenate([counts, more]), len(groups)).astype(np.int64)
    return groups, counts


def _of_group(store: KeyStore, refs: Sequence[BlockRef], group: int) -> Iterator[ScoreKeys]:
    for keys in map(store.read, refs):
        mine = keys.group == np.uint64(group)
        if mine.any():
            yield keys if mine.all() else keys[mine]


def _among(groups: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Which of some groups are among the sorted `wanted`."""
    return wanted[np.minimum(np.searchsorted(wanted, groups), len(wanted) - 1)] == groups


class _Border(NamedTuple):
    """A border of a large group.

    Attributes:
        cut: what keys above it are at most, as `up_to` takes it; None when none is above.
        above: how many are.
        lowest: `down` of the last of them.
        tied: `down` of the scores of which some or all that are below equal some above or all at the border; None when there are none.
    """

    cut: tuple[int, ...] | None = None
    above: int = 0
    lowest: int | None = None
    tied: int | None = None


def _find_borders(arrays: Arrays, rule: PlaceRule, count: int) -> list[_Border]:
    wanted = rule.borders(np.array([count]))[0].tolist()
    places = sorted({place for place in wanted if place})
    found = {0: _Border()}
    if rule.ties == 'smallest':
        cuts = nth_keys(arrays, places, ORDER) if places else ()
        found.update((place, _Border(cut, place, cut[0], cut[0])) for place, cut in zip(places, cuts, strict=True))
        return [found[place] for place in wanted]
    values = _downs(arrays, places)
    for place, (value, better, equal) in zip(places, values, strict=True):
        if rule.ties == 'all' or place == better + equal:
            found[place] = _Border((value,), better + equal, value)
        else:
            lowest = _downs(arrays, [better])[0][0] if better else None
            found[place] = _Border((value - 1,) if better else None, better, lowest, value)
    return [found[place] for place in wanted]


def _downs(arrays: Arrays, places: Sequence[int]) -> list[tuple[int, int, int]]:
    return kth_smallest_each(lambda: (keys['down'] for keys in arrays()), [place - 1 for place in places]) if places else []


def _decide_large(run: Run, rule: PlaceRule, arrays: Arrays, group: int, count: int) -> Iterator[Any]:
    """One group of more keys than are held: its borders are found by selection."""
    borders = _find_borders(arrays, rule, count)
    labels, tied = np.array(rule.labels, np.int16), borders[-1].tied
    for keys in arrays():
        passed = np.zeros(len(keys), np.int16)
        for border in borders:
            passed += True if border.cut is None else ~up_to(keys, border.cut, ORDER)
        found = labels[passed]
        if tied is not None:
            found[(found == TOO_LOW) & (keys['down'] == np.uint64(tied))] = TIED
        yield from LabelStore(run).write(keys, found)
    lowest = np.array([np.nan if border.lowest is None else from_ordered(~border.lowest & 0xFFFFFFFFFFFFFFFF) for border in borders])
    yield TaggedOutput(_CUTS, Cuts(np.array([group], np.uint64), np.array([count]), np.array([[border.above for border in borders]]), lowest[None]))


def _decide_sorted(run: Run, rule: PlaceRule, keys: ScoreKeys) -> Iterator[Any]:
    """Groups whose keys are all here."""
    keys = keys[order_of(keys)]
    group, down = keys['group'], keys['down']
    new_group = np.concatenate([[True], group[1:] != group[:-1]])
    new_score = new_group | np.concatenate([[True], down[1:] != down[:-1]])
    firsts, score_firsts = np.flatnonzero(new_group), np.flatnonzero(new_score)
    number, score_number = np.cumsum(new_group) - 1, np.cumsum(new_score) - 1
    counts = np.diff(np.append(firsts, len(keys)))
    above = rule.borders(counts)
    last = firsts[:, None] + np.maximum(above, 1) - 1  # the last key above a border
    splits = (above > 0) & (above < counts[:, None])
    splits[splits] = score_number[last[splits]] == score_number[last[splits] + 1]
    ends = firsts[:, None] + above
    if rule.ties == 'all':
        ends[splits] = np.append(score_firsts, len(keys))[score_number[last[splits]] + 1]
    elif rule.ties == 'none':
        ends[splits] = score_firsts[score_number[last[splits]]]
    passed = sum((np.arange(len(keys)) >= ends[number, i] for i in range(ends.shape[1])), np.zeros(len(keys), np.int16))
    labels = np.array(rule.labels, np.int16)[passed]
    if rule.ties != 'all':
        split = splits[number, -1]
        labels[(labels == TOO_LOW) & split & (score_number == score_number[last[number, -1]])] = TIED
    yield from LabelStore(run).write(keys, labels)
    above = ends - firsts[:, None]
    values = np.where(above > 0, from_ordered_all(~down[np.maximum(ends, 1) - 1]), np.nan)
    yield TaggedOutput(_CUTS, Cuts(group[firsts], counts, above, values))


@dataclass(eq=False)
class ScoreThreshold(beam.PTransform):
    """PCollection of UnitScores or KeyedScore to Thresholded: what a rule says of each record, unit by unit.

    The answer is exact at any size and depends on nothing but scores, identities and the rule. A record whose score is missing, NaN or
    no number counts for nothing, and its label says so.

    Memory: 16 MiB of keys where scores arise, 19 MiB of them (and six times that for sorting) where groups are decided, one group of
    more records by selection in blocks of 2 MiB. On the disk of the work folder a record is 8 bytes by places (36 with groups, ties, or
    rows that do not count up), and 2 for its label (10). What crosses the shuffle are references to blocks of 65,536 keys, and one for each
    unit and block of labels.

    Args:
        rule: AtLeast, Above or Between values; Top, Fraction, Percentiles or Buckets of the order of each group.
        run: the run.
        units: the numbers of all units.
        keys: how many records there are, about; matters where they are of many groups.
        secret: of the names of KeyedScore's groups, see `group_key`.

    Raises:
        ValueError: a number does not fit its field.
        TypeError: scores are neither numbers nor texts.
        RunAborted: the disk is full or the work folder cannot be written.
    """

    rule: Between | PlaceRule
    _: KW_ONLY
    run: Run
    units: tuple[int, ...]
    keys: int = 1
    secret: bytes = b''

    def expand(self, scores: beam.PCollection):  # noqa: ANN201 - Beam reads tuples wrongly
        by_value = isinstance(self.rule, Between)
        partitions = min(_MAX_PARTITIONS, max(1, -(-self.keys // _AT_ONCE)))
        gather = GatherFn(KeyedScore, attrgetter('unit'), partial(_to_scores, secret=self.secret))
        pack = PackFn(partial(_judge, rule=self.rule), _Pack(self.run, partitions, by_value), _Judged.join)
        packed = (scores | 'Gather' >> beam.ParDo(gather).with_output_types(UnitScores)
                  | 'Pack' >> beam.ParDo(pack).with_output_types(tuple[int, BlockRef]).with_outputs(_DECIDED, main='blocks'))
        decided = (packed.blocks | 'ByPartition' >> beam.GroupByKey()
                   | 'CheckPartitions' >> StartUpCheck(self.run)
                   | 'Decide' >> beam.FlatMap(partial(_decide, run=self.run, rule=self.rule))
                   .with_output_types(tuple[int, BlockRef]).with_outputs(_CUTS, main='labels'))
        labels = (decided.labels, packed[_DECIDED]) | 'ToUnits' >> RowsByUnit(self.run, self.units, Labels)
        return Thresholded(labels, decided[_CUTS])
