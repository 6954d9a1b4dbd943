"""Parquet, Arrow, Avro, CSV and JSON documents to rows."""

from __future__ import annotations

import struct
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.files.abort import RunAborted
from transforms.files.columns import Unreadable, column_values
from transforms.files.parquet import chunk_ranges, open_parquet
from transforms.files.storage import FileInfo
from transforms.read_hf.conform import Conformer
from transforms.read_hf.data_files import CSV_PARAMS
from transforms.read_hf.json_kind import json_kind
from transforms.read_hf.lines import json_parser, read_lines
from transforms.read_hf.rows import BadRow, LostPart, ReadLimits, Rows, UnitFault
from transforms.read_hf.streams import Stream, open_stream
from transforms.read_hf.units import ReadUnit

_BATCH_ROWS = 512
_CSV_ROWS = 10_000


_FOOTERS: OrderedDict[tuple, pq.FileMetaData] = OrderedDict()
_FOOTERS_LOCK = threading.Lock()
_KEPT_FOOTERS = 4


def read_footer(root: str, file: FileInfo, source: BinaryIO, limits: ReadLimits) -> pq.FileMetaData:
    """The metadata of a Parquet; the last few are kept, for several units share a file.

    A footer that would take much memory is refused before anything parses it.

    Raises:
        UnitFault: it is no Parquet, or its footer is too large or damaged.
    """
    key = (root, file.path, file.size, file.stamp)
    with _FOOTERS_LOCK:
        if key in _FOOTERS:
            return _FOOTERS[key]
    _check_footer(source, file.size, limits)
    source.seek(0)
    try:
        metadata = pq.read_metadata(source)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnitFault('DamagedFile', _first_line(error)) from None
    if root:  # a member of an archive is no file that is read twice
        with _FOOTERS_LOCK:
            _FOOTERS[key] = metadata
            while len(_FOOTERS) > _KEPT_FOOTERS:
                _FOOTERS.popitem(last=False)
    return metadata


def _check_footer(source: BinaryIO, size: int, limits: ReadLimits) -> None:
    if size < 12:
        raise UnitFault('DamagedFile', f'{size} bytes are no Parquet file')
    source.seek(size - 8)
    length, magic = struct.unpack('<I4s', source.read(8))
    if magic not in (b'PAR1', b'PARE'):
        raise UnitFault('DamagedFile', f'it ends with {magic!r}, a Parquet file ends with PAR1')
    if length > limits.footer_bytes or length + 8 > size:
        raise UnitFault('DamagedFile', f'a footer of {length} bytes in a file of {size}; the limit is '
                                       f'{limits.footer_bytes}')


def read_parquet(unit: ReadUnit, source: BinaryIO, limits: ReadLimits) -> Rows:
    """Rows of the row groups that begin in the unit's range; a row group that cannot be read is lost alone."""
    meta = read_footer(unit.root, unit.file, source, limits)
    try:
        parquet = open_parquet(source, (), (), meta)
        present = parquet.schema_arrow.names
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnitFault('DamagedFile', _first_line(error)) from None
    names = [n for n in present if not unit.columns or n in unit.columns]
    if missing := set(unit.columns) - set(names):
        raise UnitFault('ColumnMissing', f"it has no column {', '.join(sorted(missing))}")
    ranges = [min(chunk_ranges(meta, None, (g,)), default=(0, 0))[0] for g in range(meta.num_row_groups)]
    groups = [g for g, at in enumerate(ranges) if unit.start <= at < unit.end or (unit.is_first and at < unit.start)]
    if hasattr(source, 'declare'):
        wanted = chunk_ranges(meta, unit.columns or None, groups)
        source.declare(wanted, side_by_side=max(1, len(wanted) // max(1, len(groups))), eager=not unit.few)
    first = 0
    for group in range(meta.num_row_groups):
        count = meta.row_group(group).num_rows
        if group in groups:
            done = 0
            try:
                for batch in parquet.iter_batches(_BATCH_ROWS, row_groups=[group], columns=names):
                    yield from batch_rows(batch, first + done)
                    done += batch.num_rows
            except (pa.ArrowException, OSError, ValueError) as error:
                yield LostPart(f'row group {group}', 'DamagedRowGroup', _first_line(error), count - done)
        first += count


def batch_rows(batch: pa.RecordBatch, first: int) -> Rows:
    """Rows of a batch, numbered from `first`; a value that Python cannot hold costs its row."""
    names = batch.schema.names
    columns = [column_values(column) for column in batch.columns]
    # column_values gives lists of plain values unless something was wrong.
    spoilt = [any(type(v) is Unreadable for v in column) for column in columns] if any(
        type(column) is not list for column in columns) else ()
    if not any(spoilt):
        for row, values in enumerate(zip(*columns, strict=True), first):
            yield row, dict(zip(names, values, strict=True))
        return
    for row, values in enumerate(zip(*columns, strict=True), first):
        bad = next((n for n, v in zip(names, values, strict=True) if type(v) is Unreadable), None)
        record = dict(zip(names, values, strict=True))
        yield row, BadRow('UnreadableValue', f'{bad} is {record[bad]}') if bad else record


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
            for start in range(0, batch.num_rows, _BATCH_ROWS):
                part = batch.slice(start, _BATCH_ROWS)
                yield from batch_rows(part, first)
                first += part.num_rows
    except KeyError as error:
        raise UnitFault('ColumnMissing', f'it has no column {error}') from None
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        yield LostPart(f'from row {first}', 'DamagedFile', _first_line(error))


def _invalid(batch: pa.RecordBatch) -> str:
    """What is wrong with a batch from a stranger, whose offsets may point anywhere; '' when it is safe to touch."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            column.validate(full=True)
        except pa.ArrowInvalid as error:
            # A text that is no UTF-8 is safe, and costs its own row later.
            kind = pa.large_binary() if pa.types.is_large_string(column.type) else pa.binary()
            if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
                return f'{name}: {_first_line(error)}'
            try:
                column.view(kind).validate(full=True)
            except pa.ArrowInvalid as wrong:
                return f'{name}: {_first_line(wrong)}'
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
        for record in fastavro.reader(_Whole(open_stream(source, unit.layout.compression))):
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
        yield LostPart(f'from row {row}', 'DamagedFile', f'{type(error).__name__}: {_first_line(error)}')


def _chosen(record: dict, columns: tuple[str, ...]) -> dict:
    if missing := [n for n in columns if n not in record]:
        raise UnitFault('ColumnMissing', f'it has no column {missing[0]}')
    return {n: record[n] for n in columns} if columns else record


class _Whole:
    """A stream whose `read(n)` gives n bytes until the end, as parsers expect of a file."""

    mode = 'rb'

    def __init__(self, stream: Stream) -> None:
        self._stream, self._ready = stream, b''

    def read(self, size: int = -1) -> bytes:
        pieces, have = [self._ready], len(self._ready)
        while (size < 0 or have < size) and (data := self._stream.read()):
            pieces.append(data)
            have += len(data)
        data = b''.join(pieces)
        cut = len(data) if size < 0 else size
        self._ready = data[cut:]
        return data[:cut]

    def __iter__(self) -> Iterator[bytes]:
        while data := self.read(1 << 20):
            yield data


def read_csv(unit: ReadUnit, source: BinaryIO, limits: ReadLimits) -> Rows:
    """Rows of a CSV or TSV, typed as pandas types each 10,000 of them, as `datasets` does."""
    import pandas as pd

    row, known = 0, {f.name: f.type for f in pa.ipc.read_schema(pa.BufferReader(unit.schema))} if unit.schema else {}
    try:
        stream = _Lines(open_stream(source, unit.layout.compression), limits.line_bytes)
        reader = pd.read_csv(stream, chunksize=_CSV_ROWS, usecols=list(unit.columns) or None,
                             **_csv_params(unit.layout.format, dict(unit.params)))
        for frame in reader:
            for start in range(0, len(frame), _BATCH_ROWS):
                table = pa.Table.from_pandas(frame.iloc[start:start + _BATCH_ROWS], preserve_index=False)
                for batch in _as_known(table, known).to_batches():
                    yield from batch_rows(batch, row)
                    row += batch.num_rows
    except UnitFault as fault:
        yield LostPart(f'from row {row}', fault.error, fault.message)
    except (ValueError, OverflowError, pa.ArrowException) as error:  # pandas' parser errors are ValueErrors
        if not row and 'No columns to parse' in str(error):
            return
        if 'Usecols do not match' in str(error):
            raise UnitFault('ColumnMissing', _first_line(error)) from None
        yield LostPart(f'from row {row}', 'DamagedFile', f'{type(error).__name__}: {_first_line(error)}')


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


class _Lines(_Whole):
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


def read_json(unit: ReadUnit, source: BinaryIO, limits: ReadLimits) -> Rows:
    """Rows of JSON: lines, one list of objects, or one object over many lines, which is one row."""
    if not unit.is_first:
        yield from read_lines(unit, source, limits, json_parser(unit))
        return
    kind = json_kind(unit.file.path, _head(unit, source))
    if kind == 'list':
        yield from _read_list(unit, source, limits)
    elif kind == 'document':
        yield from _read_document(unit, source, limits)
    else:
        yield from read_lines(unit, source, limits, json_parser(unit))


def _head(unit: ReadUnit, source: BinaryIO) -> bytes:
    try:
        head = open_stream(source, unit.layout.compression).read(64 << 10)
    except UnitFault:
        head = b''
    source.seek(0)
    return head


def _read_list(unit: ReadUnit, source: BinaryIO, limits: ReadLimits) -> Rows:
    import ijson

    conform, row = Conformer(unit.schema, unit.columns), 0
    try:
        for value in ijson.items(_Whole(open_stream(source, unit.layout.compression)), 'item', use_float=True):
            try:
                yield row, conform(value)
            except ValueError as error:
                yield row, BadRow('InvalidJson', str(error))
            row += 1
    except UnitFault as fault:
        yield LostPart(f'from row {row}', fault.error, fault.message)
    except (ijson.JSONError, UnicodeDecodeError, RecursionError) as error:
        yield LostPart(f'from row {row}', 'InvalidJson', _first_line(error))


def _read_document(unit: ReadUnit, source: BinaryIO, limits: ReadLimits) -> Rows:
    import orjson

    data = _Whole(open_stream(source, unit.layout.compression)).read(limits.document_bytes + 1)
    if len(data) > limits.document_bytes:
        raise UnitFault('DocumentTooLarge', f'one JSON object of more than {limits.document_bytes} bytes')
    try:
        value = orjson.loads(data.removeprefix(b'\xef\xbb\xbf'))
    except ValueError as error:
        raise UnitFault('InvalidJson', str(error)[:200]) from None
    conform = Conformer(unit.schema, unit.columns)
    yield 0, conform(value)


def _first_line(error: Exception) -> str:
    words = error.args[0] if error.args else error
    text = words.decode(errors='replace') if isinstance(words, bytes) else str(words)
    return (text.splitlines() or [type(error).__name__])[0][:200]


def parquet_schema(root: str, file: FileInfo, source: BinaryIO, limits: ReadLimits) -> tuple[pa.Schema, int]:
    """The Arrow schema and number of rows of a Parquet, from its footer alone.

    Raises:
        UnitFault: it cannot be read.
    """
    metadata = read_footer(root, file, source, limits)
    try:
        return metadata.schema.to_arrow_schema(), metadata.num_rows
    except (pa.ArrowException, ValueError) as error:
        raise UnitFault('DamagedFile', _first_line(error)) from None
