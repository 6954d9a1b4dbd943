"""shape_check(): what Arrow would bend in silence when it makes a value one of a type."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable

import pyarrow as pa

Check = Callable[[object], str]


def shape_check(kind: pa.DataType) -> Check:
    """A function that says where a value is not of the shape of a type, '' where it is.

    Without it Arrow drops keys that have no field, takes a text for a list of its letters or for bytes, an empty list for an object
    without keys, a bool for a number, a number for a decimal or a duration, and of a time with a zone the date, or the time alone.
    """
    if pa.types.is_struct(kind):
        return _of_struct({f.name: shape_check(f.type) for f in kind})
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _of_list(shape_check(kind.value_type))
    if pa.types.is_timestamp(kind):
        return _of_time(kind.tz is not None)
    return _of_scalar(*next(((python, words) for test, python, words in _SCALARS if test(kind)), ((object,), '')))


_SCALARS: tuple[tuple[Callable[[pa.DataType], bool], tuple[type, ...], str], ...] = (
    (pa.types.is_boolean, (bool,), 'a bool'),
    (pa.types.is_integer, (int,), 'an integer'),
    (pa.types.is_floating, (float, int), 'a number'),
    (pa.types.is_string, (str,), 'a text'),
    (pa.types.is_large_string, (str,), 'a text'),
    (pa.types.is_binary, (bytes,), 'bytes'),
    (pa.types.is_large_binary, (bytes,), 'bytes'),
    (pa.types.is_date, (datetime.date,), 'a date'),
    (pa.types.is_decimal, (decimal.Decimal,), 'a decimal'),
    (pa.types.is_duration, (datetime.timedelta,), 'a duration'))
_EXACT = frozenset({bool, int, float, datetime.date})  # of which others are subclasses: a bool is an int, a datetime a date


def _of_scalar(allowed: tuple[type, ...], words: str) -> Check:
    is_exact = not _EXACT.isdisjoint(allowed)

    def check(value: object) -> str:
        if type(value) in allowed or (not is_exact and isinstance(value, allowed)):
            return ''
        return f' is {type(value).__name__}, {words} is expected'

    return check


def _of_time(has_zone: bool) -> Check:
    def check(value: object) -> str:
        if not isinstance(value, datetime.datetime):
            return f' is {type(value).__name__}, a time is expected'
        return '' if (value.tzinfo is not None) is has_zone else f" has {'no' if has_zone else 'a'} zone, others {'have' if has_zone else 'have none'}"

    return check


def _of_struct(fields: dict[str, Check]) -> Check:
    def check(value: object) -> str:
        if type(value) is not dict:
            return f' is {type(value).__name__}, an object is expected'
        for key, inner in value.items():
            if key not in fields:
                return f' has the key {key}, which was in none of the records that types were taken from'
            if inner is not None and (problem := fields[key](inner)):
                return f'.{key}{problem}'
        return ''

    return check


def _of_list(of_item: Check) -> Check:
    def check(value: object) -> str:
        if type(value) is not list:
            return f' is {type(value).__name__}, a list is expected'
        return next(filter(None, (of_item(one) for one in value if one is not None)), '')

    return check
