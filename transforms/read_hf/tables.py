"""Arrow and Avro to rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from transforms.files.abort import RunAborted
from transforms.read_hf.batches import BATCH_ROWS, batch_rows, first_line
from transforms.read_hf.rows import BadRow, LostPart, ReadLimits, Rows, UnitFault
from transforms.read_hf.streams import WholeReads, open_stream
from transforms.read_hf.units import ReadUnit


def read_arrow(unit: ReadUnit, source: BinaryIO, limits: ReadLimits) -> Rows:
    """Rows of an Arrow IPC file or stream."""
    head = source.read(6)
    source.seek(0)
    first = 0
    try:
        batches = _file_batches(source) if head == b'ARROW1' else pa.ipc.open_stream(source)
        for batch in batches:
            if unit.columns:
                batch = batch.select(list(unit.columns))
            if fault := _invalid(batch):
                yield LostPart(f'rows {first} to {first + batch.num_rows - 1}', 'DamagedBatch', fault, batch.num_rows)
                first += batch.num_rows
                continue
            for start in range(0, batch.num_rows, BATCH_ROWS):
                part = batch.slice(start, BATCH_ROWS)
                yield from batch_rows(part, first)
                first += part.num_rows
    except KeyError as error:
        raise UnitFault('ColumnMissing', f'it has no column {error}') from None
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        yield LostPart(f'from row {first}', 'DamagedFile', first_line(error))


def _invalid(batch: pa.RecordBatch) -> str:
    """What is wrong with a batch from a stranger, whose offsets may point anywhere; '' when it is safe to touch."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            column.validate(full=True)
        except pa.ArrowInvalid as error:
            # A text that is no UTF-8 is safe, and costs its own row later.
            kind = pa.large_binary() if pa.types.is_large_string(column.type) else pa.binary()
            if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
                return f'{name}: {first_line(error)}'
            try:
                column.view(kind).validate(full=True)
            except pa.ArrowInvalid as wrong:
                return f'{name}: {first_line(wrong)}'
    return ''


def _file_batches(source: BinaryIO) -> Iterator[pa.RecordBatch]:
    reader = pa.ipc.open_file(source)
    for i in range(reader.num_record_batches):
        yield reader.get_batch(i)


def read_avro(unit: ReadUnit, source: BinaryIO, limits: ReadLimits) -> Rows:
    """Rows of an Avro object container file."""
    import fastavro

    row = 0
    try:
        for record in fastavro.reader(WholeReads(open_stream(source, unit.layout.compression))):
            if not isinstance(record, dict):
                yield row, BadRow('NotARecord', f'an Avro record is expected, this is {type(record).__name__}')
            else:
                yield row, _chosen(record, unit.columns)
            row += 1
    except UnitFault as fault:
        if fault.error == 'ColumnMissing':
            raise
        yield LostPart(f'from row {row}', fault.error, fault.message)
    except RunAborted:
        raise
    except Exception as error:  # fastavro and its codecs raise what they like on damaged bytes
        yield LostPart(f'from row {row}', 'DamagedFile', f'{type(error).__name__}: {first_line(error)}')


def _chosen(record: dict, columns: tuple[str, ...]) -> dict:
    if missing := [n for n in columns if n not in record]:
        raise UnitFault('ColumnMissing', f'it has no column {missing[0]}')
    return {n: record[n] for n in columns} if columns else record
