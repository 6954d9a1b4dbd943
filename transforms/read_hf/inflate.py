"""Compressed lines of which no range can be read: a step before inflates them into blocks of whole lines, which workers share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import BinaryIO

import orjson

from transforms.files import storage
from transforms.read_hf.lines import json_parser, parse_text, rows_of_lines
from transforms.read_hf.read_unit import open_unit, watched
from transforms.read_hf.rows import ReadLimits, Rows, UnitFault
from transforms.read_hf.streams import Stream, open_stream
from transforms.read_hf.units import ReadUnit

_PIECE = 1 << 20


@dataclass
class _Inflated:
    """What became of a file.

    Attributes:
        blocks: (first byte, bytes) of each, in the decompressed file.
        error, message: of the fault at which it breaks off behind the last block, '' for none.
    """

    blocks: list[tuple[int, int]] = field(default_factory=list)
    error: str = ''
    message: str = ''


def inflate(units: Sequence[ReadUnit], folder: str) -> None:
    """Writes the blocks of a file, one for each of its units, unless an earlier try has written all of them without a fault.

    A block ends with the first line that ends behind what the compressed range of its unit holds.

    Raises:
        RunAborted: the disk is full, the Hub is down, or the file has changed.
    """
    index = _path(folder, units[0], 'json')
    if storage.exists(index) and not _read_index(index).error:
        return
    inflated = _Inflated()
    try:
        with open_unit(units[0]) as source:
            _write_blocks(units, folder, source, inflated)
    except UnitFault as fault:
        inflated.error, inflated.message = fault.error, str(fault)
    storage.write_bytes(index, orjson.dumps(inflated))


def _write_blocks(units: Sequence[ReadUnit], folder: str, source: BinaryIO, inflated: _Inflated) -> None:
    pieces, at = _Pieces(source), 0
    for unit in units:
        size, end = 0, None if unit is units[-1] else unit.end
        with storage.atomic_writer(_path(folder, unit, f'{unit.block:05d}')) as target:
            for piece in pieces.until_line_end_behind(end):
                size += target.write(piece)
        inflated.blocks.append((at, size))
        at += size
        if pieces.fault:
            raise pieces.fault


class _Pieces:
    """The decompressed bytes of a file.

    Attributes:
        fault: where it breaks off; what came before was handed out.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._source, self._stream, self._rest = source, open_stream(source), b''
        self.fault: UnitFault | None = None

    def until_line_end_behind(self, end: int | None) -> Iterator[bytes]:
        """What follows, up to the first line end behind a place in the compressed file; None: to the end."""
        while True:
            try:
                data = self._rest or self._stream.read(_PIECE)
            except UnitFault as fault:
                self.fault = fault
                return
            self._rest = b''
            if not data:
                return
            if end is not None and self._source.tell() >= end and (cut := data.find(b'\n') + 1):
                self._rest = data[cut:]
                yield data[:cut]
                return
            yield data


def read_block(unit: ReadUnit, folder: str, limits: ReadLimits, done: Callable[[int], None] | None = None) -> Rows:
    """The rows of a unit out of its block, as of `read_unit`; a row's number is the offset of its line in the decompressed file.

    Raises:
        UnitFault: nothing of the file can be read.
    """
    inflated = _read_index(_path(folder, unit, 'json'))
    if unit.block >= len(inflated.blocks):
        if unit.block == 0:
            raise UnitFault(inflated.error, inflated.message)
        return
    start, size = inflated.blocks[unit.block]
    parse = json_parser(unit) if unit.layout.format == 'json' else parse_text
    fault = UnitFault(inflated.error, inflated.message) if inflated.error and unit.block == len(inflated.blocks) - 1 else None
    with storage.open_read(_path(folder, unit, f'{unit.block:05d}')) as source:
        rows = rows_of_lines(_Block(source.read, fault), False, start, True, limits, parse)
        place = SimpleNamespace(tell=lambda: unit.start + source.tell() * unit.bytes // max(1, size))
        yield from rows if done is None else watched(unit, place, rows, done)


class _Block(Stream):
    """A block that ends as its file did."""

    def __init__(self, read: Callable[[int], bytes], fault: UnitFault | None) -> None:
        super().__init__(read)
        self._fault = fault

    def read(self, size: int = _PIECE) -> bytes:
        data = super().read(size)
        if not data and self._fault:
            raise self._fault
        return data


def _read_index(path: str) -> _Inflated:
    return _Inflated(**orjson.loads(storage.read_bytes(path)))


def _path(folder: str, unit: ReadUnit, name: str) -> str:
    size = unit.start // unit.block if unit.block else unit.end  # of the ranges: another cut has other blocks
    identity = f'{size} {unit.file.size} {unit.file.fingerprint} {unit.path}'
    file = hashlib.blake2b(identity.encode('utf-8', 'surrogateescape'), digest_size=12).hexdigest()
    return storage.join(folder, f'{file}-{name}')
