"""Record batches to rows, fitted to the one schema of a split."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from transforms.files.columns import PartialColumn, Unreadable, column_values
from transforms.read_hf.features import LABELS
from transforms.read_hf.kinds import FROM_CARD, changes_for, family, merged
from transforms.read_hf.rows import BadRow, Rows, UnitFault

BATCH_ROWS = 512
_SCALARS = frozenset({'int', 'float', 'str', 'bool', 'date', 'time', 'time with zone'})


class Fitter:
    """Converts a file's rows to the split's schema: missing columns None, types those of the split.

    Args:
        schema_of_file: the file's schema.
        schema: serialized schema of the split, b'' for none.
        columns: wanted, () for all.
        casts: texts become numbers and the reverse, as a card's features also allow; one that does not costs its row.

    Raises:
        UnitFault: 'ColumnMissing', 'DuplicateColumn', or 'SchemaMismatch' when a column's type fits no other file's.
    """

    def __init__(self, schema_of_file: pa.Schema, schema: bytes = b'', columns: tuple[str, ...] = (),
                 casts: bool = False) -> None:
        of_split = pa.ipc.read_schema(pa.BufferReader(schema)) if schema else pa.schema([])
        check_names(schema_of_file.names)
        self.present = [n for n in schema_of_file.names if not columns or n in columns]
        self.absent = [n for n in (columns or of_split.names) if n not in schema_of_file.names]
        if missing := [n for n in self.absent if n not in of_split.names]:
            raise UnitFault('ColumnMissing', f"it has no column {', '.join(missing)}")
        self.changes: dict[str, tuple[type | None, Callable[[object], object]]] = {}
        for name in self.present:
            if name in of_split.names:
                self._compare(schema_of_file.field(name), of_split.field(name), casts or FROM_CARD in (of_split.metadata or {}))

    def _compare(self, here: pa.Field, there: pa.Field, casts: bool) -> None:
        says = pa.schema([there], {FROM_CARD: b''} if casts else None)
        one, two = family(here.type), family(there.type)
        if LABELS in (there.metadata or {}) and one in ('int', 'str'):
            if one == 'str':
                self.changes[here.name] = changes_for(says, there)
            return
        both = merged(here.type, there.type)
        if two == 'null' or one == 'null':
            return
        if (both is None or family(both) != two) and not (casts and {one, two} <= _SCALARS):
            raise UnitFault('SchemaMismatch', f'{here.name} is {here.type} here, and {there.type} in the split')
        if one != two or (one == 'list' and family(here.type.value_type) != family(there.type.value_type)):
            passes, change = changes_for(says, there)
            if change:
                self.changes[here.name] = passes, change


def check_names(names: list[str]) -> None:
    """Refuses two columns of one name, of which a record could hold one only.

    Raises:
        UnitFault: 'DuplicateColumn'.
    """
    if len(set(names)) != len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise UnitFault('DuplicateColumn', f'it has the column {twice!r} {names.count(twice)} times')


def batch_rows(batch: pa.RecordBatch, first: int, fitter: Fitter | None = None) -> Rows:
    """Rows of a batch, numbered from `first`; a value that Python or the column cannot hold costs its row."""
    names = batch.schema.names
    columns = [column_values(column) for column in batch.columns]
    if fitter is not None and (fitter.changes or fitter.absent):
        for name, (passes, change) in fitter.changes.items():
            at = names.index(name)
            columns[at] = _changed(columns[at], passes, change)
        names = [*names, *fitter.absent]
        columns += [[None] * batch.num_rows] * len(fitter.absent)
    if not columns:
        yield from ((row, {}) for row in range(first, first + batch.num_rows))
        return
    # They are plain lists unless something was wrong.
    if all(type(column) is list for column in columns):
        for row, values in enumerate(zip(*columns, strict=True), first):
            yield row, dict(zip(names, values, strict=True))
        return
    for row, values in enumerate(zip(*columns, strict=True), first):
        record = dict(zip(names, values, strict=True))
        bad = next((n for n, v in record.items() if type(v) is Unreadable), None)
        yield row, record if bad is None else _bad_row(bad, record[bad])


def _changed(values: list, passes: type | None, change: Callable[[object], object]) -> list:
    out, wrong = [], False
    for value in values:
        if value is not None and type(value) is not passes and type(value) is not Unreadable:
            try:
                value = change(value)
            except ValueError as error:
                value, wrong = Unreadable(error), True
        wrong = wrong or type(value) is Unreadable
        out.append(value)
    return PartialColumn(out) if wrong else out


def _bad_row(name: str, value: Unreadable) -> BadRow:
    if kind := getattr(value.error, 'error', ''):
        return BadRow(kind, str(value.error))
    return BadRow('UnreadableValue', f'{name} is {value}')


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    words = error.args[0] if error.args else error
    text = words.decode(errors='replace') if isinstance(words, bytes) else str(words)
    return (text.splitlines() or [type(error).__name__])[0][:200]
