"""Columns to Python values, where one value that Python cannot hold does not cost the others."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

_NANOSECONDS = pa.time64('ns')


class Unreadable:
    """Stands for a value that Python cannot hold."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __str__(self) -> str:
        return f'unreadable ({self.error})'


class PartialColumn(list):
    """A column of values of which some are Unreadable."""


_TOO_FINE = Unreadable(ValueError('a time of day in nanoseconds, Python has microseconds'))


def column_values(column: pa.Array) -> list:
    """The values of a column; a PartialColumn when one cannot be converted, with Unreadable in its place."""
    try:
        values = column.to_pylist()
    except (ValueError, OverflowError):
        values = PartialColumn(_value(item) for item in column)
    if not _has_nanoseconds(column.type) or not _is_finer(column):
        return values
    return PartialColumn(_TOO_FINE if _is_finer(column.slice(i, 1)) else value for i, value in enumerate(values))


def _has_nanoseconds(kind: pa.DataType) -> bool:
    """Whether a type is, or holds, times of day in nanoseconds, of which pyarrow drops what Python cannot hold in silence."""
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _has_nanoseconds(kind.value_type)
    return kind == _NANOSECONDS or any(_has_nanoseconds(kind.field(i).type) for i in range(kind.num_fields))


def _is_finer(array: pa.Array) -> bool:
    """Whether a time of day in it is finer than microseconds."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _is_finer(array.dictionary_decode())
    if pa.types.is_run_end_encoded(kind):
        return _is_finer(pc.run_end_decode(array))
    if kind == _NANOSECONDS:
        ticks = array.cast(pa.int64())
        return bool(pc.any(pc.not_equal(pc.multiply(pc.divide(ticks, 1000), 1000), ticks)).as_py())
    if not kind.num_fields or pa.types.is_union(kind):
        return False
    if pa.types.is_map(kind):
        first, last = array.offsets[0].as_py(), array.offsets[-1].as_py()
        return any(_is_finer(inner.slice(first, last - first)) for inner in (array.keys, array.items))
    inner = array.flatten()
    return any(map(_is_finer, inner)) if isinstance(inner, list) else _is_finer(inner)


def _value(item: pa.Scalar) -> object:
    try:
        return item.as_py()
    except (ValueError, OverflowError) as error:
        return Unreadable(error)
