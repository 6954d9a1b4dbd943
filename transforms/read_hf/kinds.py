"""One type for a column: how types of several files are put together, and how a value becomes one of that type.

A split's schema is an Arrow schema of its top-level columns. Type null stands for any value: a column that was empty
where it was looked at, or one that mixes types, whose values stay as they are.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable

import pyarrow as pa

from transforms.files.json_values import JsonError, dumps
from transforms.read_hf.features import LABELS

# In the metadata of a schema: that it is the card's, or that every value was looked at.
FROM_CARD, COMPLETE = b'card', b'complete'
Change = Callable[[object], object]
_PYTHON = {'int': int, 'float': float, 'str': str, 'bool': bool, 'struct': dict, 'bytes': bytes}
# What `datasets` takes for a time in JSON: a date, perhaps with a time of day and a zone; no finer than microseconds here.
_TIME = re.compile(r'(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,6}))?)?)?(Z|[+-]\d\d(?::?\d\d)?)?)?\Z')


def parse_time(text: str) -> datetime.datetime | None:
    """The time that a text is, in UTC when it names a zone; None when it is none."""
    match = _TIME.match(text) if 10 <= len(text) <= 40 else None
    if match is None:
        return None
    *parts, fraction, zone = match.groups()
    try:
        time = datetime.datetime(*(int(p or 0) for p in parts), int((fraction or '').ljust(6, '0')))
        if zone and zone != 'Z':
            minutes = int(zone[1:3]) * 60 + int(zone[3:].lstrip(':') or 0)
            time -= datetime.timedelta(minutes=minutes if zone[0] == '+' else -minutes)
    except (ValueError, OverflowError):
        return None
    return time.replace(tzinfo=datetime.timezone.utc) if zone else time


def family(kind: pa.DataType) -> str:
    """What a type is to Python: int, float, str and so on."""
    types = pa.types
    if types.is_dictionary(kind):
        return family(kind.value_type)
    for name, test in (('null', types.is_null), ('bool', types.is_boolean), ('int', types.is_integer),
                       ('float', types.is_floating), ('list', _is_list), ('struct', types.is_struct), ('map', types.is_map)):
        if test(kind):
            return name
    if types.is_string(kind) or types.is_large_string(kind) or kind == pa.string_view():
        return 'str'
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return 'bytes'
    if types.is_timestamp(kind):
        return 'time with zone' if kind.tz else 'time'
    return 'date' if types.is_date(kind) else str(kind)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def merged(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    """The one type for values of both, None when there is none: integers with floats are floats, null is any."""
    one, two = family(first), family(second)
    if one == two:
        if one != 'list':
            return first
        inner = merged(first.value_type, second.value_type)
        return None if inner is None else pa.list_(inner)
    if 'null' in (one, two):
        return second if one == 'null' else first
    return pa.float64() if {one, two} == {'int', 'float'} else None


def widened(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    """The same, as wide as both: the larger integers, the finer times, all fields of structs."""
    both = merged(first, second)
    if both is None:
        return None
    if first == second:
        return first
    try:
        schemas = [pa.schema([('', kind)]) for kind in (first, second)]
        wide = pa.unify_schemas(schemas, promote_options='permissive').field(0).type
    except pa.ArrowException:
        return both
    return wide if family(wide) == family(both) else both


def changes_for(schema: pa.Schema, field: pa.Field) -> tuple[type | None, Change | None]:
    """(type of values that pass as they are, what is done to others) of a column; (None, None) when all pass."""
    kind, name = family(field.type), field.name
    is_card, complete = _has_key(schema, FROM_CARD), _has_key(schema, COMPLETE)
    if LABELS in (field.metadata or {}):
        label = _to_label(name, json.loads(field.metadata[LABELS]))
        return (None, _to_list(name, label)) if kind == 'list' else (int, label)
    if kind == 'list':
        inner = family(field.type.value_type)
        change = _to_element(name, inner, is_card)
        return (None, None) if change is None or (complete and inner != 'float') else (None, _to_list(name, change))
    if kind in ('time', 'time with zone'):
        return datetime.datetime, _to_time(name, kind)
    if kind == 'date':
        return datetime.date, _to_date(name)
    if complete and kind != 'float':
        return None, None
    return (_PYTHON[kind], _to_element(name, kind, is_card)) if kind in _PYTHON else (None, None)


def _has_key(schema: pa.Schema, key: bytes) -> bool:
    return key in (schema.metadata or {})


def _mismatch(name: str, value: object, kind: str) -> JsonError:
    return JsonError('TypeMismatch', f'{name} is {type(value).__name__} ({str(value)[:60]!r}), the column is {kind}')


def _to_element(name: str, kind: str, is_card: bool) -> Change | None:
    if kind not in _PYTHON:
        return None
    python, cast = _PYTHON[kind], _CASTS.get(kind) if is_card else None

    def change(value: object) -> object:
        if value is None or type(value) is python:
            return value
        if kind == 'float' and type(value) is int:
            return _as_float(value)
        if cast is None:
            raise _mismatch(name, value, kind)
        try:
            return cast(value)
        except (ValueError, TypeError, OverflowError):
            raise _mismatch(name, value, kind) from None

    return change


def _as_float(value: int) -> float | int:
    """The same number as a float; an integer that no float holds exactly stays as it is."""
    try:
        return float(value) if float(value) == value else value
    except OverflowError:
        return value


def _cast_int(value: object) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    return int(value)


def _cast_float(value: object) -> float:
    return float(value)


def _cast_str(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return dumps(value).decode() if isinstance(value, (dict, list)) else str(value)


def _cast_bool(value: object) -> bool:
    words = {'true': True, 'false': False, '1': True, '0': False}
    if str(value).lower() not in words:
        raise ValueError
    return words[str(value).lower()]


# What Arrow's casts do to values of other types, for features that a card gives.
_CASTS: dict[str, Change] = {'int': _cast_int, 'float': _cast_float, 'str': _cast_str, 'bool': _cast_bool}


def _to_list(name: str, change: Change) -> Change:
    def changed(value: object) -> object:
        if value is None:
            return None
        if type(value) is not list:
            raise _mismatch(name, value, 'a list')
        return [change(v) for v in value]

    return changed


def _to_label(name: str, names: list[str]) -> Change:
    numbers = {label: i for i, label in enumerate(names)}

    def change(value: object) -> object:
        try:
            number = numbers[value] if value in numbers else int(value) if isinstance(value, str) else _cast_int(value)
        except (ValueError, TypeError, OverflowError):
            number = -2
        if not -1 <= number < len(names):  # -1 is the label of what has none
            raise JsonError('TypeMismatch', f"{name} is {str(value)[:60]!r}, no label of {', '.join(names[:8])}")
        return number

    return change


def _to_date(name: str) -> Change:
    def change(value: object) -> object:
        try:
            return value.date() if isinstance(value, datetime.datetime) else datetime.date.fromisoformat(value.strip())
        except (ValueError, AttributeError):
            raise _mismatch(name, value, 'date') from None

    return change


def _to_time(name: str, kind: str) -> Change:
    def change(value: object) -> object:
        time = parse_time(value.strip()) if isinstance(value, str) else None
        if time is None or (time.tzinfo is not None) is not (kind == 'time with zone'):
            raise _mismatch(name, value, kind)
        return time

    return change
