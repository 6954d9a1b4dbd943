"""Quotas: how many rows, or tokens, each entry of a mixture gives."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction


def largest_remainder(total: int, weights: Sequence[float]) -> list[int]:
    """`total` in proportion to weights, as integers whose sum is exact.

    Each gets the floor of its share, and those with the largest remainders one more; of equal ones the first (Hamilton's method). Shares
    are computed without rounding.

    Raises:
        ValueError: no weight is above 0, and there is something to share.
    """
    exact = [Fraction(weight) for weight in weights]
    whole = sum(exact)
    if not whole:
        if total:
            raise ValueError('no entry has a weight above 0')
        return [0] * len(exact)
    shares = [total * weight / whole for weight in exact]
    floors = [int(share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda i: (floors[i] - shares[i], i))
    for i in by_remainder[:total - sum(floors)]:
        floors[i] += 1
    return floors


def fill_up(total: int, weights: Sequence[float], there: Sequence[int | None]) -> list[int]:
    """Quotas of which none is more than there is: what an entry lacks is shared by those that have more, in proportion to their weights.

    Args:
        total: the sum, where there is enough.
        weights: of the entries.
        there: how much each has; None where that is not known, and then it takes what it is given.
    """
    quotas = [0] * len(weights)
    capped: set[int] = set()
    while True:
        open_ones = [i for i, weight in enumerate(weights) if i not in capped and weight > 0]
        left = total - sum(quotas[i] for i in capped)
        if not open_ones:
            return quotas
        for i, quota in zip(open_ones, largest_remainder(left, [weights[i] for i in open_ones]), strict=True):
            quotas[i] = quota
        short = [i for i in open_ones if there[i] is not None and quotas[i] > there[i]]
        if not short:
            return quotas
        for i in short:
            quotas[i] = there[i]
        capped.update(short)
