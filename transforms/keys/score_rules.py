"""Rules of ScoreThreshold: which scores stay, by their values or by their places in the order of all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

TIES = ('smallest', 'all', 'none')
REASONS = ('score_too_low', 'score_too_high', 'score_tied', 'score_missing', 'score_nan', 'score_unparsable')
TOO_LOW, TOO_HIGH, TIED, MISSING, NAN, UNPARSABLE = (-1 - i for i in range(len(REASONS)))
_ROUNDING = 1e-9  # 100 * 0.29 is 28.999999999999996


def reason_of(label: int) -> str:
    """The drop reason of a negative label."""
    return REASONS[-1 - label]


class PlaceRule(Protocol):
    """A rule by places. Place 0 is the highest score.

    Attributes:
        ties: what becomes of equal scores on both sides of a border: 'smallest' lets those stay above that come first by identity,
            'all' moves all of them above, 'none' all of them below.
        labels: of the records above the first border, between the first two, and so on: a bucket from 0, or a negative reason.
    """

    ties: str

    @property
    def labels(self) -> tuple[int, ...]: ...

    def borders(self, counts: np.ndarray) -> np.ndarray:
        """Of groups of `counts` scores, int64, shape (g,): how many are above each border, int64, shape (g, len(labels) - 1), ascending."""


@dataclass(frozen=True)
class Between:
    """Scores from `low` to `high`, both included unless `above` or `below`; compared in the type that the scores have.

    Raises:
        ValueError: a bound is NaN, or nothing lies between them.
    """

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False

    def __post_init__(self) -> None:
        if math.isnan(self.low) or math.isnan(self.high):
            raise ValueError('a threshold is NaN, it must be a number')
        if self.low > self.high or self.low == self.high and (self.above or self.below):
            raise ValueError(f'no score lies between {self.low:g} and {self.high:g}')

    def label(self, scores: np.ndarray, kind: np.dtype) -> np.ndarray:
        """Labels of scores, int16: 0, TOO_LOW or TOO_HIGH.

        Args:
            scores: float64, no NaN.
            kind: the type that they had: a float32 is at least 0.3 when it is at least the float32 next to 0.3, as in numpy and pandas.
        """
        low, high = (float(kind.type(bound)) if kind.kind == 'f' else bound for bound in (self.low, self.high))
        return np.select([scores <= low if self.above else scores < low, scores >= high if self.below else scores > high],
                         [np.int16(TOO_LOW), np.int16(TOO_HIGH)], np.int16(0))


def AtLeast(value: float) -> Between:  # noqa: N802 - reads as the other rules do
    """Scores of at least a value."""
    return Between(value)


def Above(value: float) -> Between:  # noqa: N802
    """Scores above a value."""
    return Between(value, above=True)


@dataclass(frozen=True)
class Top:
    """The n highest scores, or all where there are fewer."""

    n: int
    ties: str = 'smallest'
    labels = (0, TOO_LOW)

    def __post_init__(self) -> None:
        _check_ties(self.ties)
        if isinstance(self.n, bool) or not isinstance(self.n, int) or self.n < 0:
            raise ValueError(f'n is {self.n!r}, it must be an integer of at least 0')

    def borders(self, counts: np.ndarray) -> np.ndarray:
        return np.minimum(counts, self.n)[:, None]


@dataclass(frozen=True)
class Fraction:
    """The highest scores, a fraction f of the N valid ones: floor(N f + 1e-9) of them.

    Args:
        fraction: 0 keeps none, 1 all.
        ties: see `PlaceRule`.
        preset: 'original' for what DataComp's baselines.py does (Gadre et al., "DataComp", 2023): the threshold is number int(N f) + 1 of the
            descending scores and stays with all that equal it, so that one more is kept, and 0 keeps the highest. (1 ends in an
            IndexError there, and keeps all here.)

    Raises:
        ValueError: the fraction is not 0 to 1; no such preset, or one with ties of its own.
    """

    fraction: float
    ties: str = 'smallest'
    preset: str = ''
    labels = (0, TOO_LOW)

    def __post_init__(self) -> None:
        if self.preset not in ('', 'original'):
            raise ValueError(f"preset is {self.preset!r}, it must be 'original' or ''")
        if self.preset:
            if self.ties not in ('smallest', 'all'):
                raise ValueError(f"ties is {self.ties!r}, but the preset 'original' keeps all ties")
            object.__setattr__(self, 'ties', 'all')
        _check_ties(self.ties)
        _check_share('fraction', self.fraction, 1)

    def borders(self, counts: np.ndarray) -> np.ndarray:
        if self.preset:
            return np.minimum((counts * self.fraction).astype(np.int64) + 1, counts)[:, None]
        return _share(counts, self.fraction)[:, None]


@dataclass(frozen=True)
class Percentiles:
    """Scores from the `low`-th to the `high`-th percentile: without the lowest floor(N low / 100 + 1e-9) and the highest N - floor(N high / 100 + 1e-9)."""

    low: float
    high: float = 100
    ties: str = 'smallest'
    labels = (TOO_HIGH, 0, TOO_LOW)

    def __post_init__(self) -> None:
        _check_ties(self.ties)
        _check_share('low', self.low, 100)
        _check_share('high', self.high, 100)
        if self.low > self.high:
            raise ValueError(f'low is {self.low:g}, it must be at most high, {self.high:g}')

    def borders(self, counts: np.ndarray) -> np.ndarray:
        return np.stack([counts - _share(counts, self.high / 100), counts - _share(counts, self.low / 100)], 1)


@dataclass(frozen=True)
class Buckets:
    """Every score, labelled with its bucket of `n` of equal size, from 0 for the lowest to n - 1: the scores at places i with floor(i n / N) = bucket."""

    n: int
    ties: str = 'smallest'

    def __post_init__(self) -> None:
        _check_ties(self.ties)
        if isinstance(self.n, bool) or not isinstance(self.n, int) or not 2 <= self.n <= 1000:
            raise ValueError(f'n is {self.n!r}, it must be 2 to 1000 buckets')

    @property
    def labels(self) -> tuple[int, ...]:
        return tuple(range(self.n - 1, -1, -1))

    def borders(self, counts: np.ndarray) -> np.ndarray:
        return counts[:, None] - -(-counts[:, None] * np.arange(self.n - 1, 0, -1) // self.n)


def _check_ties(ties: str) -> None:
    if ties not in TIES:
        raise ValueError(f'ties is {ties!r}, it must be one of {", ".join(TIES)}')


def _check_share(name: str, value: float, whole: int) -> None:
    if not 0 <= value <= whole:
        raise ValueError(f'{name} is {value}, it must be 0 to {whole}')


def _share(counts: np.ndarray, fraction: float) -> np.ndarray:
    return np.minimum(np.floor(counts * fraction + _ROUNDING).astype(np.int64), counts)
