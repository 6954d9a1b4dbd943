"""Arrow and Avro to rows."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa

from transforms.files.abort import RunAborted
from transforms.files.json_values import JsonError
from transforms.read_hf.batches import BATCH_ROWS, Fitter, batch_rows, first_line
from transforms.read_hf.conform import Conformer
from transforms.read_hf.rows import BadRow, LostPart, ReadLimits, Rows, UnitFault
from transforms.read_hf.streams import WholeReads, open_stream
from transforms.read_hf.units import ReadUnit

_CONTINUED = b'\xff\xff\xff\xff'
_AVRO_TYPES = {'boolean': pa.bool_(), 'int': pa.int64(), 'long': pa.int64(), 'float': pa.float64(), 'double': pa.float64(),
               'bytes': pa.binary(), 'string': pa.string()}


def read_arrow(unit: ReadUnit, source: BinaryIO, limits: ReadLimits) -> Rows:
    """Rows of an Arrow IPC file or stream."""
    head = source.read(6)
    source.seek(0)
    first = 0
    try:
        reader = pa.ipc.open_file(source) if head == b'ARROW1' else pa.ipc.open_stream(source)
        fitter = Fitter(reader.schema, unit.schema, unit.columns)
        for batch in _file_batches(reader) if head == b'ARROW1' else _stream_batches(reader):
            batch = batch.select(fitter.present)
            if fault := _invalid(batch):
                yield LostPart(f'rows {first} to {first + batch.num_rows - 1}', 'DamagedBatch', fault, batch.num_rows)
                first += batch.num_rows
                continue
            for start in range(0, batch.num_rows, BATCH_ROWS):
                part = batch.slice(start, BATCH_ROWS)
                yield from batch_rows(part, first, fitter)
                first += part.num_rows
        if head != b'ARROW1' and (fault := _end_of_stream(source)):
            yield LostPart(f'from row {first}', 'EndMissing', fault)
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
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


def _end_of_stream(source: BinaryIO) -> str:
    """What is wrong with the end of an Arrow stream that was read; '' when its end marker is the end of the file."""
    at, size = source.tell(), source.seek(0, io.SEEK_END)
    source.seek(max(0, size - 8))
    tail = source.read(8)
    if at < size - 8:
        return f'it goes on for {size - at} bytes behind its end marker'
    source.seek(0)
    is_old = not source.read(4) == _CONTINUED  # before Arrow 0.15 the marker was four zero bytes
    return '' if tail == _CONTINUED + bytes(4) or (is_old and tail.endswith(bytes(4))) else 'it has no end marker: it may have been cut between two batches'


def _file_batches(reader: pa.ipc.RecordBatchFileReader) -> Iterator[pa.RecordBatch]:
    for i in range(reader.num_record_batches):
        yield reader.get_batch(i)


def _stream_batches(reader: pa.ipc.RecordBatchStreamReader) -> Iterator[pa.RecordBatch]:
    yield from reader


def arrow_schema(source: BinaryIO) -> pa.Schema | None:
    """The schema of an Arrow IPC file or stream, None when it cannot be read."""
    head = source.read(6)
    source.seek(0)
    try:
        schema = (pa.ipc.open_file(source) if head == b'ARROW1' else pa.ipc.open_stream(source)).schema
        return schema if schema.names is not None else None  # names that are no UTF-8 raise here
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError):
        return None


def avro_schema(source: BinaryIO) -> pa.Schema | None:
    """An Avro file's fields, plain types alone (the others have type null, which is any); None when they cannot be read."""
    import fastavro

    try:
        written = fastavro.reader(WholeReads(open_stream(source))).writer_schema
        return pa.schema([(field['name'], _avro_type(field['type'])) for field in written['fields']])
    except RunAborted:
        raise
    except Exception:  # fastavro raises what it likes on damaged bytes; reading reports it
        return None


def _avro_type(written: object) -> pa.DataType:
    kinds = [kind for kind in (written if isinstance(written, list) else [written]) if kind != 'null']
    return _AVRO_TYPES.get(kinds[0], pa.null()) if len(kinds) == 1 and isinstance(kinds[0], str) else pa.null()


def read_avro(unit: ReadUnit, source: BinaryIO, limits: ReadLimits) -> Rows:
    """Rows of an Avro object container file."""
    import fastavro

    row, conform = 0, Conformer(unit.schema, unit.columns)
    try:
        reader = fastavro.block_reader(WholeReads(open_stream(source)))
        if not unit.schema and unit.columns and isinstance(reader.writer_schema, dict):
            _check_fields(reader.writer_schema, unit.columns)
        has_uuids = "'uuid'" in str(reader.writer_schema)
        for block in reader:
            for record in block:
                try:
                    yield row, conform(_with_texts(record) if has_uuids else record)
                except JsonError as error:
                    yield row, BadRow(error.error, str(error))
                row += 1
            if block.bytes_.read(1):  # a damaged count of records
                yield LostPart(f'behind row {row - 1}', 'DamagedBlock', 'a block holds more than it says')
    except UnitFault as fault:
        if fault.error == 'ColumnMissing':
            raise
        yield LostPart(f'from row {row}', fault.error, fault.message)
    except RunAborted:
        raise
    except Exception as error:  # fastavro and its codecs raise what they like on damaged bytes
        yield LostPart(f'from row {row}', 'DamagedFile', f'{type(error).__name__}: {first_line(error)}')


def _with_texts(value: object) -> object:
    """The value with UUIDs as texts, which is what Avro keeps them as."""
    if isinstance(value, dict):
        return {name: _with_texts(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_texts(inner) for inner in value]
    return str(value) if isinstance(value, uuid.UUID) else value


def _check_fields(written: dict, columns: tuple[str, ...]) -> None:
    names = [field.get('name') for field in written.get('fields', ()) if isinstance(field, dict)]
    if missing := [n for n in columns if n not in names]:
        raise UnitFault('ColumnMissing', f'it has no column {missing[0]}')
