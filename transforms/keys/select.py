"""The k-th smallest of more numbers than memory holds, and numbers whose order is that of scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import numpy as np

_AT_ONCE = 1 << 20
_SIGN = np.uint64(1 << 63)
_FLOAT = np.dtype(np.float64)


def kth_smallest(arrays: Callable[[], Iterable[np.ndarray]], k: int) -> tuple[int, int, int]:
    """The k-th smallest (from 0) of uint64 numbers, exactly, whatever their distribution; see `kth_smallest_each`."""
    return kth_smallest_each(arrays, [k])[0]


def kth_smallest_each(arrays: Callable[[], Iterable[np.ndarray]], ks: Sequence[int]) -> list[tuple[int, int, int]]:
    """For each k the k-th smallest (from 0) of uint64 numbers, exactly, whatever their distribution.

    A radix select: each pass counts 16 bits of those numbers that agree with what is known of an answer, for all answers at once.

    Args:
        arrays: gives all numbers as arrays, anew at each call; at most five times.
        ks: which; there must be more numbers than that.

    Returns:
        For each the number, how many are smaller, and how many equal it.

    Raises:
        IndexError: there are not so many numbers.
    """
    found = [(0, 0, 0)] * len(ks)
    for shift in (48, 32, 16, 0):
        prefixes = np.unique(np.array([prefix for prefix, _, _ in found], np.uint64))
        sums = np.cumsum(_count_digits(arrays, prefixes, shift), axis=1)
        for i, (k, (prefix, below, _)) in enumerate(zip(ks, found, strict=True)):
            row = sums[np.searchsorted(prefixes, np.uint64(prefix))]
            digit = int(np.searchsorted(row, k - below, 'right'))
            if digit == len(row) or k < 0:
                raise IndexError(f'there is no value number {k} of {int(row[-1])}')
            smaller = int(row[digit - 1]) if digit else 0
            found[i] = prefix << 16 | digit, below + smaller, int(row[digit]) - smaller
        if shift and sum({prefix: equal for prefix, _, equal in found}.values()) <= _AT_ONCE:
            prefixes = np.unique(np.array([prefix for prefix, _, _ in found], np.uint64))
            rest = [values[_places(values, prefixes, shift)[1]] for values in arrays()]
            arrays = [np.concatenate(rest)].copy
    return found


def _count_digits(arrays: Callable[[], Iterable[np.ndarray]], prefixes: np.ndarray, shift: int) -> np.ndarray:
    """How often each 16 bits from `shift` follow each prefix, shape (prefixes, 65,536)."""
    counts = np.zeros(len(prefixes) << 16, np.int64)
    for values in arrays():
        if shift < 48:
            at, agree = _places(values, prefixes, shift + 16)
            at, values = at[agree], values[agree]
        digits = (values >> np.uint64(shift)).astype(np.uint16)
        counts += np.bincount(digits if len(prefixes) == 1 else at << 16 | digits, minlength=len(counts))
    return counts.reshape(len(prefixes), 1 << 16)


def _places(values: np.ndarray, prefixes: np.ndarray, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """The place of each number's bits from `shift` among the sorted prefixes, and whether it is there."""
    bits = values >> np.uint64(shift)
    if len(prefixes) == 1:
        return np.zeros(len(values), np.int8), bits == prefixes[0]
    at = np.minimum(np.searchsorted(prefixes, bits), len(prefixes) - 1)
    return at, prefixes[at] == bits


def nth_key(arrays: Callable[[], Iterable[np.ndarray]], n: int, fields: Sequence[str]) -> tuple[int, ...]:
    """The n-th smallest (from 1) of structured keys by some of their fields; see `nth_keys`."""
    return nth_keys(arrays, [n], fields)[0]


def nth_keys(arrays: Callable[[], Iterable[np.ndarray]], ns: Sequence[int], fields: Sequence[str]) -> list[tuple[int, ...]]:
    """For each n the n-th smallest (from 1) of structured keys by some of their fields, in this order, exactly.

    A radix select for each field, the later ones among ties alone, so never all ties are held.

    Args:
        arrays: gives all keys as arrays, anew at each call.
        ns: which; there must be so many.
        fields: names of fields of integers of at least 0.

    Returns:
        For each the values of its fields, for `up_to`; fewer where all that agree in these are among the n.
    """
    found = kth_smallest_each(lambda: (keys[fields[0]].astype(np.uint64, copy=False) for keys in arrays()), [n - 1 for n in ns])
    cuts: list[tuple[int, ...]] = [(value,) for value, _, _ in found]
    tied: dict[int, list[int]] = {}
    for i, (n, (value, below, equal)) in enumerate(zip(ns, found, strict=True)):
        if n - below < equal and fields[1:]:
            tied.setdefault(value, []).append(i)
    for value, places in tied.items():
        rest = nth_keys(partial(_tied, arrays, fields[0], value), [ns[i] - found[i][1] for i in places], fields[1:])
        for i, cut in zip(places, rest, strict=True):
            cuts[i] += cut
    return cuts


def _tied(arrays: Callable[[], Iterable[np.ndarray]], field: str, value: int) -> Iterator[np.ndarray]:
    """Those keys whose field has the value."""
    return (keys[keys[field] == value] for keys in arrays())


def up_to(keys: np.ndarray, cut: Sequence[int], fields: Sequence[str]) -> np.ndarray:
    """Which of structured keys are at most `cut`, the values of the first of some fields; bool."""
    smaller, tied = np.zeros(len(keys), bool), np.ones(len(keys), bool)
    for field, value in zip(fields, cut, strict=False):
        if not tied.any():
            break
        smaller |= tied & (keys[field] < value)
        tied &= keys[field] == value
    return smaller | tied


def smallest_reaching(arrays: Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]], target: int) -> tuple[int, int]:
    """The smallest value up to which, itself included, weights add up to `target`; with weights of 1 the target-th smallest value.

    The same radix select as `kth_smallest`, over sums instead of counts.

    Args:
        arrays: gives (values, uint64; weights, integers of at least 0 whose sum is below 2^53), anew at each call; four times.
        target: at least 1.

    Returns:
        The value, and the sum of the weights of those that are smaller.

    Raises:
        IndexError: the weights do not add up to that.
    """
    prefix, below = 0, 0
    for shift in (48, 32, 16, 0):
        sums = np.zeros(1 << 16, np.float64)  # exact below 2^53
        for values, weights in arrays():
            agree = slice(None) if shift == 48 else values >> np.uint64(shift + 16) == np.uint64(prefix)
            digits = (values[agree] >> np.uint64(shift)).astype(np.uint16)
            sums += np.bincount(digits, weights[agree].astype(np.float64), 1 << 16)
        reached = np.cumsum(sums)
        digit = int(np.searchsorted(reached, target - below))
        if digit == len(sums):
            raise IndexError(f'the weights add up to {below + int(reached[-1])}, which is less than {target}')
        below += int(reached[digit] - sums[digit])
        prefix = prefix << 16 | digit
    return prefix, below


def to_ordered(values: np.ndarray) -> np.ndarray:
    """Float64 or int64 to uint64 of the same order; -0.0 equals 0.0, and NaN comes after all others.

    Raises:
        TypeError: they are of another type.
    """
    if values.dtype == np.int64 and values.dtype.isnative:
        return values.view(np.uint64) ^ _SIGN
    if values.dtype != np.float64 or not values.dtype.isnative:
        raise TypeError(f'scores are {values.dtype}, they must be float64 or int64')
    values = np.where(np.isnan(values), np.nan, values + 0.0)
    bits = values.view(np.uint64)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def from_ordered(number: int, dtype: np.dtype = _FLOAT) -> float | int:
    """The value that `to_ordered` made a number of."""
    bits = np.array([number], np.uint64)
    return int((bits ^ _SIGN).view(np.int64)[0]) if dtype == np.int64 else float(from_ordered_all(bits)[0])


def from_ordered_all(numbers: np.ndarray) -> np.ndarray:
    """The float64 that `to_ordered` made uint64 of."""
    return np.where(numbers & _SIGN, numbers ^ _SIGN, ~numbers).view(np.float64)
