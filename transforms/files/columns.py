"""Columns to Python values, where one value that Python cannot hold does not cost the others."""

from __future__ import annotations

import pyarrow as pa

_NANOSECONDS = pa.time64('ns')


class Unreadable:
    """Stands for a value that Python cannot hold."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __str__(self) -> str:
        return f'unreadable ({self.error})'


class PartialColumn(list):
    """A column of values of which some are Unreadable."""


def column_values(column: pa.Array) -> list:
    """The values of a column; a PartialColumn when one cannot be converted, with Unreadable in its place."""
    if column.type == _NANOSECONDS:
        return _times(column)
    try:
        return column.to_pylist()
    except (ValueError, OverflowError):
        return PartialColumn(_value(item) for item in column)


def _times(column: pa.Array) -> list:
    """Times of day, of which Python holds microseconds and pyarrow drops the rest in silence."""
    ticks = column.cast(pa.int64()).to_pylist()
    values = [Unreadable(ValueError(f'{tick} ns after midnight, Python has microseconds')) if tick is not None and tick % 1000 else value
              for value, tick in zip(column.to_pylist(), ticks, strict=True)]
    return PartialColumn(values) if any(type(value) is Unreadable for value in values) else values


def _value(item: pa.Scalar) -> object:
    try:
        return item.as_py()
    except (ValueError, OverflowError) as error:
        return Unreadable(error)
