"""The k-th smallest of more numbers than memory holds, and numbers whose order is that of scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

_AT_ONCE = 1 << 20
_SIGN = np.uint64(1 << 63)


def kth_smallest(arrays: Callable[[], Iterable[np.ndarray]], k: int) -> tuple[int, int, int]:
    """The k-th smallest (from 0) of uint64 numbers, exactly, whatever their distribution.

    A radix select: each pass counts 16 bits of those numbers that agree with what is known of the answer.

    Args:
        arrays: gives all numbers as arrays, anew at each call; at most five times.
        k: which; there must be more numbers than that.

    Returns:
        The number, how many are smaller, and how many equal it.

    Raises:
        IndexError: there are not so many numbers.
    """
    prefix = below = equal = 0
    for shift in (48, 32, 16, 0):
        counts = np.zeros(1 << 16, np.int64)
        for values in arrays():
            counts += np.bincount((_matching(values, prefix, shift) >> np.uint64(shift)).astype(np.uint16), minlength=1 << 16)
        sums = np.cumsum(counts)
        digit = int(np.searchsorted(sums, k - below, 'right'))
        if digit == len(sums) or k < 0:
            raise IndexError(f'there is no value number {k} of {int(sums[-1])}')
        equal = int(counts[digit])
        below += int(sums[digit]) - equal
        prefix = prefix << 16 | digit
        if shift and equal <= _AT_ONCE:
            rest = [_matching(values, prefix, shift - 16) for values in arrays()]
            arrays = [np.concatenate(rest)].copy
    return prefix, below, equal


def nth_key(arrays: Callable[[], Iterable[np.ndarray]], n: int, fields: Sequence[str]) -> tuple[int, ...]:
    """The n-th smallest (from 1) of structured keys by some of their fields, in this order, exactly.

    A radix select for each field, the later ones among ties alone, so never all ties are held.

    Args:
        arrays: gives all keys as arrays, anew at each call.
        n: which; there must be so many.
        fields: names of fields of integers of at least 0.

    Returns:
        The values of its fields, for `up_to`; fewer where all that agree in these are among the n.
    """
    cut: list[int] = []
    for _ in fields:
        value, below, equal = kth_smallest(lambda: (_following(keys, cut, fields) for keys in arrays()), n - 1)
        cut.append(value)
        n -= below
        if n == equal:
            break
    return tuple(cut)


def _following(keys: np.ndarray, cut: Sequence[int], fields: Sequence[str]) -> np.ndarray:
    """The next field of those keys that agree with `cut`, uint64."""
    for field, value in zip(fields, cut, strict=False):
        keys = keys[keys[field] == value]
    return keys[fields[len(cut)]].astype(np.uint64)


def up_to(keys: np.ndarray, cut: Sequence[int], fields: Sequence[str]) -> np.ndarray:
    """Which of structured keys are at most `cut`, the values of the first of some fields; bool."""
    smaller, tied = np.zeros(len(keys), bool), np.ones(len(keys), bool)
    for field, value in zip(fields, cut, strict=False):
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


def _matching(values: np.ndarray, prefix: int, shift: int) -> np.ndarray:
    """Those numbers whose bits above the 16 from `shift` are `prefix`."""
    return values if shift == 48 else values[values >> np.uint64(shift + 16) == np.uint64(prefix)]


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


def from_ordered(number: int, dtype: np.dtype) -> float | int:
    """The value that `to_ordered` made a number of."""
    bits = np.array([number], np.uint64)
    if dtype == np.int64:
        return int((bits ^ _SIGN).view(np.int64)[0])
    return float(np.where(bits & _SIGN, bits ^ _SIGN, ~bits).view(np.float64)[0])
