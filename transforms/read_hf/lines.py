"""JSON lines and text: lines of a range, so that many workers share one file and no line is read twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

import msgspec

from transforms.files.json_values import JsonError, JsonItem, iter_texts
from transforms.read_hf.conform import Conformer
from transforms.read_hf.gz_members import next_member
from transforms.read_hf.rows import BadRow, LostPart, ReadLimits, Rows, UnitFault
from transforms.read_hf.streams import GzRange, Stream, open_text
from transforms.read_hf.units import ReadUnit

_BLOCK, _WHOLE_BLOCK = 1 << 20, 256 << 10
_GZ_ROW_SHIFT = 24
Parsed = dict | BadRow | list[dict | BadRow]


def iter_lines(stream: Stream, skip_first: bool, limit_bytes: int) -> Iterator[tuple[int, list[bytes | None]]]:
    """Blocks of lines as (offset of the first, lines), lines without their newline; None for one that is too long.

    A range owns the lines that begin after its first byte and up to the first byte of the next range, so the line
    that a border cuts belongs to the range before it. Offsets are in decompressed bytes from the range's beginning.
    Lines beyond `stream.limit` are not handed out.
    """
    # `position` is where the line begins of which `tail` is the part read so far; `lost` counts what was let go of it.
    position, tail, lost, skipping = 0, b'', 0, skip_first
    while data := stream.read(_BLOCK):
        lines = (tail + data).split(b'\n') if tail else data.split(b'\n')
        tail = lines.pop()
        if lines and (skipping or lost):
            if not skipping:
                yield position, [None]
            position += lost + len(lines.pop(0)) + 1
            lost, skipping = 0, False
        if lines:
            yield position, lines
            position += sum(map(len, lines)) + len(lines)
        if stream.limit is not None and position + (lost + len(tail) if skipping else 0) > stream.limit:
            return
        if len(tail) > limit_bytes or (tail and (skipping or lost)):
            lost += len(tail)
            tail = b''
    if not skipping and (tail or lost):
        yield position, [None if lost else tail]


def iter_whole_lines(stream: Stream, limit_bytes: int) -> Iterator[bytes | None]:
    """Blocks of about 256 KiB of whole lines with their newlines (but for the last one of a file); None for a line that is too long.

    Blocks that a core's cache holds, unlike those of `iter_lines`: whoever needs few of the lines passes over them twice as fast.
    """
    tail, is_lost = b'', False
    while data := stream.read(_WHOLE_BLOCK):
        cut = data.rfind(b'\n') + 1
        if not cut:
            is_lost = is_lost or len(tail) + len(data) > limit_bytes
            tail = b'' if is_lost else tail + data
            continue
        if is_lost:
            yield None
        start = data.find(b'\n') + 1 if is_lost else 0
        if start < cut:
            yield b''.join((tail, memoryview(data)[start:cut]))
        tail, is_lost = data[cut:], False
    if tail or is_lost:
        yield None if is_lost else tail


def read_lines(unit: ReadUnit, source: BinaryIO, limits: ReadLimits,
               parse: Callable[[bytes], Parsed]) -> Rows:
    """Rows of a unit of lines; `parse` gives the values of a line, or a list of none or several, or raises ValueError."""
    stream, base = _open_range(unit, source)
    if stream is None:
        return
    by_offset = not unit.layout.compression and unit.bytes < unit.file.size
    first = unit.start if by_offset else base << _GZ_ROW_SHIFT if unit.layout.compression else 0
    yield from rows_of_lines(stream, not unit.is_first, first, by_offset, limits, parse)


def rows_of_lines(stream: Stream, skip_first: bool, first: int, by_offset: bool, limits: ReadLimits, parse: Callable[[bytes], Parsed]) -> Rows:
    """Rows of the lines that a stream has, as `iter_lines` gives them.

    Args:
        stream: of lines.
        skip_first: whether its first line belongs to the range before.
        first: number of its first row; with `by_offset` that of a line is this and its offset in the stream.
        by_offset: whether rows have the numbers of bytes; else they are counted.
        limits: what one record may cost.
        parse: as of `read_lines`.
    """
    number, offset = first, 0
    blocks = iter_lines(stream, skip_first, limits.line_bytes)
    while True:
        try:
            offset, lines = next(blocks)
        except StopIteration:
            return
        except UnitFault as fault:
            yield LostPart(f'from row {first + offset if by_offset else number}', fault.error, fault.message)
            return
        for line in lines:
            if stream.limit is not None and offset > stream.limit:
                return
            row = first + offset if by_offset else number
            if line is None:
                yield row, BadRow('LineTooLong', f'a line of more than {limits.line_bytes} bytes')
                number += 1
                continue
            offset += len(line) + 1
            try:
                values = parse(line)
            except ValueError as error:
                values = _described(error)
            if type(values) is list:
                for one in values:
                    yield row, one
                    number += 1
                    row += 1
            else:
                yield row, values
                number += 1


def _open_range(unit: ReadUnit, source: BinaryIO) -> tuple[Stream | None, int]:
    """The stream of a unit and where its first line may begin; (None, 0) when nothing begins in it."""
    whole = unit.is_first and unit.end == unit.file.size
    if unit.layout.compression == 'gz' and not whole:
        start = 0 if unit.is_first else next_member(source, unit.start, unit.end)
        return (GzRange(source, start, unit.end), start) if start >= 0 else (None, 0)
    if unit.layout.compression or whole:
        return open_text(source, unit.params), 0
    source.seek(unit.start)
    return Stream(source.read, unit.end - unit.start), unit.start


def _described(error: ValueError) -> BadRow:
    if isinstance(error, JsonError):
        return BadRow(error.error, str(error)[:200])
    return BadRow('InvalidUtf8', f'byte {error.start} of the line is no UTF-8') if isinstance(error, UnicodeDecodeError) \
        else BadRow('InvalidJson', str(error)[:200])


def json_parser(unit: ReadUnit) -> Callable[[bytes], Parsed]:
    """Parses a line of JSON to a record (of several in a row to a list), conformed to the unit's schema and columns."""
    conform, decode = Conformer(unit.schema, unit.columns), msgspec.json.Decoder().decode

    def parse(line: bytes) -> Parsed:
        try:
            value = decode(line)
        except (ValueError, RecursionError):  # what Python and the web write beside JSON
            values = _several(line, conform)
            return values[0] if len(values) == 1 else values
        return conform(value)

    return parse


def _several(line: bytes, conform: Conformer) -> list[dict | BadRow]:
    """The records of a line with several JSON texts; of one that breaks off within a record those before it."""
    found: list[dict | BadRow] = []
    try:
        for item in iter_texts(line):
            found.append(_bad(item) if item.error else _conformed(item.value, conform))
    except JsonError as error:
        if not any(type(one) is dict for one in found):
            raise
        found.append(_described(error))
    return found


def _bad(item: JsonItem) -> BadRow:
    return BadRow(item.error, item.message)


def _conformed(value: object, conform: Conformer) -> dict | BadRow:
    try:
        return conform(value)
    except JsonError as error:
        return _described(error)


def parse_text(line: bytes) -> Parsed:
    """A line of text as {'text': line}; a lone carriage return ends a line too."""
    text = (line[:-1] if line.endswith(b'\r') else line).decode()
    return [{'text': part} for part in text.split('\r')] if '\r' in text else {'text': text}
