"""ParquetShardWriter: records to a Parquet of one schema; a record that does not fit it is refused, not bent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import pyarrow as pa

from transforms.files.json_values import dumps
from transforms.files.parquet_writer import RowGroupWriter
from transforms.shards.column_types import ColumnTypes
from transforms.shards.json_lines import to_json_value
from transforms.shards.shapes import shape_check

GROUP_ROWS, GROUP_BYTES = 1 << 15, 64 << 20


class ParquetShardWriter:
    """Writes records in row groups of at most 32,768 rows and about 64 MiB."""

    error = 'TypeMismatch'

    def __init__(self, target: BinaryIO, types: ColumnTypes) -> None:
        self._schema = types.schema
        self._names = frozenset(self._schema.names)
        self._json = types.json_columns
        # Where every value was looked at, none is bent.
        self._checked = [] if types.complete else [
            (field.name, shape_check(field.type)) for field in self._schema if field.name not in self._json]
        self._writer = RowGroupWriter(target, self._schema, GROUP_ROWS, GROUP_BYTES)

    def write(self, rows: Sequence[dict]) -> list[str]:
        """Adds records; gives for each why it cannot be written, '' for those that are."""
        problems = [self._irregular(row) for row in rows]
        fitting = [row for row, problem in zip(rows, problems, strict=True) if not problem]
        try:
            table = self._table(fitting)
        except (pa.ArrowException, TypeError, ValueError, OverflowError, RecursionError):
            problems = [problem or self._misfit(row) for row, problem in zip(rows, problems, strict=True)]
            # Arrow may take alone what it refuses among others.
            table = pa.concat_tables([self._table([]), *(self._table([row]) for row, problem in zip(rows, problems, strict=True) if not problem)])
        if table.num_rows:
            self._writer.write(table)
        return problems

    def _table(self, rows: Sequence[dict]) -> pa.Table:
        return pa.Table.from_arrays([self._array([row.get(f.name) for row in rows], f) for f in self._schema], schema=self._schema) \
            if self._schema.names else pa.table({})

    def _array(self, values: list, column: pa.Field) -> pa.Array:
        if column.name in self._json:
            values = [None if value is None else dumps(value, to_json_value).decode() for value in values]
        return pa.array(values, column.type)

    def _irregular(self, row: dict) -> str:
        if not self._names:
            return 'a Parquet holds no record without columns'
        if row.keys() - self._names:
            return f'the column {min(row.keys() - self._names)} was in none of the records that types were taken from'
        for name, check in self._checked:
            if (value := row.get(name)) is not None and (problem := check(value)):
                return f'{name}{problem}'
        return ''

    def _misfit(self, row: dict) -> str:
        for column in self._schema:
            try:
                self._array([row.get(column.name)], column)
            except (pa.ArrowException, TypeError, ValueError, OverflowError, RecursionError) as error:
                return f'{column.name} is no {str(column.type)[:80]}: {(str(error).splitlines() or [""])[0][:120]}'
        return ''

    def close(self) -> None:
        """Writes what is held and the footer."""
        self._writer.close()
