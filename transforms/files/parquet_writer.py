"""RowGroupWriter: rows to Parquet, in row groups that do not depend on how many rows come at a time."""

from __future__ import annotations

from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq


class RowGroupWriter:
    """Writes tables of one schema to a Parquet, compressed by zstd.

    Args:
        target: file to write to.
        schema: of all tables.
        group_rows: rows of a row group, but for the last.
        group_bytes: a row group also ends with the table that brings it to so many bytes in memory; 0 for no such end.
    """

    def __init__(self, target: BinaryIO, schema: pa.Schema, group_rows: int, group_bytes: int = 0) -> None:
        self._writer = pq.ParquetWriter(pa.PythonFile(target, 'w'), schema, compression='zstd')
        self._group_rows, self._group_bytes = group_rows, group_bytes
        self._held: list[pa.Table] = []
        self._rows = self._bytes = 0

    def write(self, table: pa.Table) -> None:
        """Adds rows."""
        self._held.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes if self._group_bytes else 0
        if self._rows >= self._group_rows:
            rows = pa.concat_tables(self._held)
            start = 0
            while rows.num_rows - start >= self._group_rows:
                self._write_group(rows.slice(start, self._group_rows))
                start += self._group_rows
            rest = rows.slice(start)
            self._held, self._rows, self._bytes = [rest], rest.num_rows, rest.nbytes if self._group_bytes else 0
        elif self._group_bytes and self._bytes >= self._group_bytes:
            self._write_group(pa.concat_tables(self._held))
            self._held, self._rows, self._bytes = [], 0, 0

    def _write_group(self, rows: pa.Table) -> None:
        self._writer.write_table(rows.combine_chunks(), row_group_size=self._group_rows)

    def close(self, is_whole: bool = True) -> None:
        """Writes the rows that are left, unless the file is given up, and the footer."""
        if is_whole and self._rows:
            self._write_group(pa.concat_tables(self._held))
        self._writer.close()

    def __enter__(self) -> RowGroupWriter:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        self.close(kind is None)
