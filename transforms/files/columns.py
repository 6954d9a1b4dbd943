"""Columns to Python values, where one value that Python cannot hold does not cost the others."""

from __future__ import annotations

import pyarrow as pa


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
    try:
        return column.to_pylist()
    except (ValueError, OverflowError):
        return PartialColumn(_value(item) for item in column)


def _value(item: pa.Scalar) -> object:
    try:
        return item.as_py()
    except (ValueError, OverflowError) as error:
        return Unreadable(error)
