"""JSON to rows: lines, one list, or documents in a row."""

from __future__ import annotations

from typing import BinaryIO

from transforms.files.json_values import JsonError, iter_items
from transforms.read_hf.conform import Conformer
from transforms.read_hf.json_kind import HEAD_BYTES, json_kind
from transforms.read_hf.lines import json_parser, read_lines
from transforms.read_hf.rows import BadRow, LostPart, ReadLimits, Rows, UnitFault
from transforms.read_hf.streams import open_text
from transforms.read_hf.units import ReadUnit


def read_json(unit: ReadUnit, source: BinaryIO, limits: ReadLimits) -> Rows:
    """Rows of JSON: lines, the items of one list, or objects in a row that may go over several lines."""
    kind = json_kind(unit.file.path, _head(unit, source)) if unit.is_first else 'lines'
    if kind == 'lines':
        yield from read_lines(unit, source, limits, json_parser(unit))
        return
    conform, row = Conformer(unit.schema, unit.columns), 0
    stream = open_text(source, unit.params)
    try:
        for item in iter_items(stream.read, limits.document_bytes if kind == 'documents' else limits.line_bytes):
            try:
                yield row, BadRow(item.error, item.message) if item.error else conform(item.value)
            except JsonError as error:
                yield row, BadRow(error.error, str(error))
            row += 1
    except (UnitFault, JsonError) as error:
        yield LostPart(f'from row {row}', error.error, str(error)[:200])


def _head(unit: ReadUnit, source: BinaryIO) -> bytes:
    try:
        head = open_text(source, unit.params).read(HEAD_BYTES)
    except UnitFault:
        head = b''
    source.seek(0)
    return head
