"""JSON to rows: lines, one list, or one document."""

from __future__ import annotations

from typing import BinaryIO

from transforms.read_hf.batches import first_line
from transforms.read_hf.conform import Conformer
from transforms.read_hf.json_kind import json_kind
from transforms.read_hf.lines import json_parser, read_lines
from transforms.read_hf.rows import BadRow, LostPart, ReadLimits, Rows, UnitFault
from transforms.read_hf.streams import WholeReads, open_stream
from transforms.read_hf.units import ReadUnit


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
        for value in ijson.items(WholeReads(open_stream(source, unit.layout.compression)), 'item', use_float=True):
            try:
                yield row, conform(value)
            except ValueError as error:
                yield row, BadRow('InvalidJson', str(error))
            row += 1
    except UnitFault as fault:
        yield LostPart(f'from row {row}', fault.error, fault.message)
    except (ijson.JSONError, UnicodeDecodeError, RecursionError) as error:
        yield LostPart(f'from row {row}', 'InvalidJson', first_line(error))


def _read_document(unit: ReadUnit, source: BinaryIO, limits: ReadLimits) -> Rows:
    import orjson

    data = WholeReads(open_stream(source, unit.layout.compression)).read(limits.document_bytes + 1)
    if len(data) > limits.document_bytes:
        raise UnitFault('DocumentTooLarge', f'one JSON object of more than {limits.document_bytes} bytes')
    try:
        value = orjson.loads(data.removeprefix(b'\xef\xbb\xbf'))
    except ValueError as error:
        raise UnitFault('InvalidJson', str(error)[:200]) from None
    conform = Conformer(unit.schema, unit.columns)
    yield 0, conform(value)
