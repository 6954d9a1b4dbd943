"""JSON values as a table would give them: missing fields are None, integers in a column of numbers are floats."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import pyarrow as pa
import pyarrow.json as paj


def infer_schema(sample: bytes) -> bytes:
    """The serialized Arrow schema of JSON lines (the last one may be cut), b'' when they have none in common."""
    lines = sample[:sample.rfind(b'\n') + 1] or sample
    table = _read(lines)
    table = _read(_whole_objects(lines)) if table is None else table
    if table is None:
        return b''
    return table.schema.serialize().to_pybytes()


def _read(lines: bytes) -> pa.Table | None:
    try:
        return paj.read_json(pa.BufferReader(lines), read_options=paj.ReadOptions(
            use_threads=False, block_size=max(1 << 20, len(lines))))
    except pa.ArrowException:
        return None


def _whole_objects(lines: bytes) -> bytes:
    """The lines that are JSON objects: one that is not must not hide the columns of the others."""
    import orjson

    kept = []
    for line in lines.split(b'\n'):
        try:
            if isinstance(orjson.loads(line), dict):
                kept.append(line + b'\n')
        except ValueError:
            continue
    return b''.join(kept)


def lines_of_list(sample: bytes) -> bytes:
    """The whole items of a JSON list that may be cut, as lines."""
    import ijson
    import orjson

    lines = []
    try:
        for item in ijson.items(sample, 'item', use_float=True):
            lines.append(orjson.dumps(item if isinstance(item, dict) else {'text': item}))
    except (ijson.JSONError, TypeError, ValueError, RecursionError):
        pass  # cut, or damaged: reading will tell
    return b''.join(line + b'\n' for line in lines)


class Conformer:
    """Makes a JSON object the record that a table with `schema` would hold; fields it does not know are kept."""

    def __init__(self, schema: bytes, columns: tuple[str, ...] = ()) -> None:
        known = pa.ipc.read_schema(pa.BufferReader(schema)) if schema else pa.schema([])
        self._columns = columns
        self._names = [f.name for f in known if not columns or f.name in columns] or list(columns)
        self._changes = [(f.name, change) for f in known
                         if (not columns or f.name in columns) and (change := _change(f.type))]
        self._known = frozenset(self._names)

    def __call__(self, value: object) -> dict:
        """The record.

        Raises:
            ValueError: it is no JSON object.
        """
        if type(value) is not dict:
            if isinstance(value, str):
                return {'text': value}
            raise ValueError(f'a JSON object is expected, this is {type(value).__name__}')
        if self._columns:
            value = {name: value.get(name) for name in self._columns}
        elif list(value) != self._names and not self._known <= value.keys():
            value = {**dict.fromkeys(self._names), **value}
        for name, change in self._changes:
            if (old := value[name]) is not None:
                value[name] = change(old)
        return value

def _change(kind: pa.DataType) -> Callable[[object], object] | None:
    """What must be done to values of an Arrow type, None for nothing."""
    if pa.types.is_floating(kind):
        return _to_float
    if pa.types.is_timestamp(kind):
        return _to_datetime
    if pa.types.is_struct(kind):
        changes = {kind.field(i).name: _change(kind.field(i).type) for i in range(kind.num_fields)}
        return lambda value: _to_struct(value, changes)
    if pa.types.is_list(kind):
        inner = _change(kind.value_type)
        return (lambda value: [v if v is None else inner(v) for v in value] if isinstance(value, list) else value) \
            if inner else None
    return None


def _to_float(value: object) -> object:
    return float(value) if type(value) is int else value


def _to_datetime(value: object) -> object:
    try:
        return datetime.datetime.fromisoformat(value.replace('Z', '+00:00')).replace(tzinfo=None) \
            if isinstance(value, str) else value
    except ValueError:
        return value


def _to_struct(value: object, changes: dict[str, Callable[[object], object] | None]) -> object:
    if not isinstance(value, dict):
        return value
    value = {**dict.fromkeys(changes), **value}
    for name, change in changes.items():
        if change and value[name] is not None:
            value[name] = change(value[name])
    return value
