"""CSV and TSV to rows, typed as pandas types them, as `datasets` does."""

from __future__ import annotations

from typing import BinaryIO

import pyarrow as pa

from transforms.read_hf.batches import BATCH_ROWS, batch_rows, first_line
from transforms.read_hf.card import CSV_PARAMS
from transforms.read_hf.rows import LostPart, ReadLimits, Rows, UnitFault
from transforms.read_hf.streams import Stream, WholeReads, open_stream
from transforms.read_hf.units import ReadUnit

_CSV_ROWS = 10_000


def read_csv(unit: ReadUnit, source: BinaryIO, limits: ReadLimits) -> Rows:
    """Rows of a CSV or TSV, typed as pandas types each 10,000 of them, as `datasets` does."""
    import pandas as pd

    row, known = 0, {f.name: f.type for f in pa.ipc.read_schema(pa.BufferReader(unit.schema))} if unit.schema else {}
    try:
        stream = _Lines(open_stream(source, unit.layout.compression), limits.line_bytes)
        reader = pd.read_csv(stream, chunksize=_CSV_ROWS, usecols=list(unit.columns) or None,
                             **_csv_params(unit.layout.format, dict(unit.params)))
        for frame in reader:
            for start in range(0, len(frame), BATCH_ROWS):
                table = pa.Table.from_pandas(frame.iloc[start:start + BATCH_ROWS], preserve_index=False)
                for batch in _as_known(table, known).to_batches():
                    yield from batch_rows(batch, row)
                    row += batch.num_rows
    except UnitFault as fault:
        yield LostPart(f'from row {row}', fault.error, fault.message)
    except (ValueError, OverflowError, pa.ArrowException) as error:  # pandas' parser errors are ValueErrors
        if not row and 'No columns to parse' in str(error):
            return
        if 'Usecols do not match' in str(error):
            raise UnitFault('ColumnMissing', first_line(error)) from None
        yield LostPart(f'from row {row}', 'DamagedFile', f'{type(error).__name__}: {first_line(error)}')


def _csv_params(kind: str, params: dict[str, object]) -> dict[str, object]:
    """Pandas' parameters for a CSV: what the dataset's card says, and errors that are not passed over."""
    given = {name: params[name] for name in CSV_PARAMS if name in params}
    given['sep'] = str(given.pop('delimiter', None) or given.get('sep') or ('\t' if kind == 'tsv' else ','))
    return {**given, 'on_bad_lines': 'error', 'encoding_errors': 'strict'}


def csv_schema(sample: bytes, kind: str, params: dict[str, object]) -> bytes:
    """The serialized schema of a CSV's first rows, which later rows are cast to; b'' when it cannot be told."""
    import io

    import pandas as pd

    lines = sample[:sample.rfind(b'\n') + 1] or sample
    try:
        frame = pd.read_csv(io.BytesIO(lines), nrows=_CSV_ROWS, **_csv_params(kind, params))
        return pa.Schema.from_pandas(frame, preserve_index=False).remove_metadata().serialize().to_pybytes()
    except (ValueError, OverflowError, TypeError, pa.ArrowException):
        return b''


def _as_known(table: pa.Table, known: dict[str, pa.DataType]) -> pa.Table:
    """The table with its columns as the first rows had them, where they can be."""
    for i, field in enumerate(table.schema):
        kind = known.get(field.name, field.type)
        if kind != field.type and not pa.types.is_null(kind):
            try:
                table = table.set_column(i, field.name, table.column(i).cast(kind))
            except pa.ArrowException:
                continue
    return table


class _Lines(WholeReads):
    """A file for pandas that refuses lines without end."""

    def __init__(self, stream: Stream, limit: int) -> None:
        super().__init__(stream)
        self._limit, self._since = limit, 0

    def read(self, size: int = -1) -> bytes:
        data = super().read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self._since = len(data) - data.rfind(b'\n') if b'\n' in data else self._since + len(data)
        if self._since > self._limit:
            raise UnitFault('LineTooLong', f'a line of more than {self._limit} bytes')
        return data
