"""JSON values as a table of the split's schema would give them: missing columns are None, integers in float columns become floats."""

from __future__ import annotations

import pyarrow as pa

from transforms.files.json_values import JsonError
from transforms.read_hf.kinds import changes_for


class Conformer:
    """Makes a JSON object the record that a table with `schema` would hold.

    Columns that the schema does not know are kept; objects within a column stay as they are.

    Args:
        schema: serialized Arrow schema of the split, b'' for none.
        columns: wanted, () for all.
    """

    def __init__(self, schema: bytes, columns: tuple[str, ...] = ()) -> None:
        of_split = pa.ipc.read_schema(pa.BufferReader(schema)) if schema else pa.schema([])
        self._columns = columns
        self._names = [f.name for f in of_split if not columns or f.name in columns] or list(columns)
        self._changes = []
        for field in of_split:
            passes, change = changes_for(of_split, field)
            if change and (not columns or field.name in columns):
                self._changes.append((field.name, passes, change))
        self._expected = frozenset(self._names)

    def __call__(self, value: object) -> dict:
        """The record of an object; of a text the record {'text': ...}.

        Raises:
            JsonError: 'NotARecord', or 'TypeMismatch' when a value is not of its column's type.
        """
        if type(value) is not dict:
            if not isinstance(value, str):
                raise JsonError('NotARecord', f'a JSON object is expected, this is {type(value).__name__}')
            value = {'text': value}
        if self._columns:
            value = {name: value.get(name) for name in self._columns}
        elif list(value) != self._names and not self._expected <= value.keys():
            value = {**dict.fromkeys(self._names), **value}
        for name, passes, change in self._changes:
            old = value[name]
            if old is not None and type(old) is not passes:
                value[name] = change(old)
        return value
