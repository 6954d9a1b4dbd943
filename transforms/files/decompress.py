"""Decompressed streams by the first bytes of a file: gzip, xz, zstd, bzip2, lz4, or the bytes as they are.

Names lie: an xz named .tar.gz is read as what it is. No allocation trusts a header.
"""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable
from functools import partial
from typing import BinaryIO, Protocol

MAGIC = {'gz': (b'\x1f\x8b',), 'zst': (b'\x28\xb5\x2f\xfd', b'\x50\x2a\x4d\x18'), 'lz4': (b'\x04\x22\x4d\x18',),
         'bz2': tuple(b'BZh%d1AY&SY' % level for level in range(1, 10)), 'xz': (b'\xfd7zXZ',)}
_MAX_WINDOW, _LZMA_MEMORY = 1 << 27, 256 << 20
_PACKED_PIECE = 1 << 20
# isal is half as fast again with answers of 64 KiB as with 1 MiB; and what a fault costs is at most a chunk.
_PACKED_CHUNK = _PIECE = 256 << 10
_MAX_READS_PAST_END = 16
_MAX_RATIO, _FREE_BYTES = 200, 8 << 30
HEAD_BYTES = 10


class DecompressionBomb(Exception):
    """The file expands to more than any honest one would."""


class Reader(Protocol):
    """`read(size)` gives up to that many decompressed bytes, b'' at the end.

    It raises EOFError, OSError, ValueError or DecompressionBomb where the data is damaged; what came before was handed out.
    """

    def read(self, size: int) -> bytes:
        """Up to `size` decompressed bytes, fewer only at the end or before a fault."""


def compression_of(head: bytes) -> str:
    """'gz', 'zst', 'bz2', 'xz', 'lz4', or '' by the first ten bytes of a file."""
    return next((name for name, magics in MAGIC.items() if head.startswith(magics)), '')


def decompressed(source: BinaryIO) -> Reader:
    """The content of a file from its start, decompressed by what its first bytes say."""
    head = source.read(HEAD_BYTES)
    source.seek(0)
    compression = compression_of(head)
    if compression == 'gz':
        return Gunzip(source)
    if compression == 'zst':
        return _Zstd(source)
    if compression == 'bz2':
        return _Streams(source, bz2.BZ2Decompressor, OSError)
    if compression == 'xz':  # with a limit on its memory, which a header may ask gigabytes of
        return _Streams(source, partial(lzma.LZMADecompressor, memlimit=_LZMA_MEMORY), lzma.LZMAError)
    return _lz4(source) if compression == 'lz4' else Plain(source)


class _Zstd:
    """zstd of several frames with a limit on its window; one that breaks off is no end."""

    def __init__(self, source: BinaryIO) -> None:
        import zstandard

        self._source, self._error = source, zstandard.ZstdError
        self._new = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).decompressobj
        self._engine, self._packed, self._ready, self._is_open = self._new(), b'', b'', False

    def read(self, size: int) -> bytes:
        while not self._ready:
            if not self._packed and not (packed := self._source.read(_PIECE)):
                if self._is_open:
                    raise EOFError('the compressed data ends too early')
                return b''
            elif not self._packed:
                self._packed = packed
            try:
                self._ready = self._engine.decompress(self._packed)
            except self._error as error:
                raise ValueError(f'zstd: {error}') from None
            self._is_open, self._packed = not self._engine.eof, b''
            if self._engine.eof:
                self._packed, self._engine = self._engine.unused_data, self._new()
        out, self._ready = self._ready[:size], self._ready[size:]
        return out


class _Streams:
    """bzip2, xz or lz4 of several streams; what follows one and is none is damage.

    Args:
        source: the packed bytes.
        new: makes an engine with `decompress(data, max_length)`, `eof`, `needs_input` and `unused_data`.
        error: what the engine raises on damaged bytes.
    """

    def __init__(self, source: BinaryIO, new: Callable[[], object], error: type[Exception]) -> None:
        self._source, self._new, self._error = source, new, error
        self._engine = new()

    def read(self, size: int) -> bytes:
        try:
            return self._read(size)
        except self._error as error:
            raise ValueError(str(error)) from None

    def _read(self, size: int) -> bytes:
        while True:
            if self._engine.eof:
                rest = (self._engine.unused_data or b'').lstrip(b'\0') or self._source.read(_PACKED_PIECE).lstrip(b'\0')
                if not rest:
                    return b''
                self._engine = self._new()
                data = self._engine.decompress(rest, size)
            elif self._engine.needs_input:
                packed = self._source.read(_PACKED_PIECE)
                if not packed:
                    raise EOFError('the compressed data ends too early')
                data = self._engine.decompress(packed, size)
            else:
                data = self._engine.decompress(b'', size)
            if data:
                return data


def _lz4(source: BinaryIO) -> _Streams:
    import lz4.frame

    return _Streams(source, lz4.frame.LZ4FrameDecompressor, RuntimeError)


class Plain:
    """A file as it is, which raises when it is read far past its end."""

    def __init__(self, source: BinaryIO) -> None:
        self._source, self._ends = source, 0

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        self._ends = _count_ends(data, self._ends)
        return data


def _count_ends(data: bytes, ends: int) -> int:
    """Counts reads past the end: tarfile goes on for as long as a header claims, which may be for ever."""
    if not data and ends >= _MAX_READS_PAST_END:
        raise EOFError('a header claims more than there is')
    return 0 if data else ends + 1


class Gunzip:
    """Decompresses gzip, several members too; what comes before a fault is handed out before it is raised."""

    def __init__(self, source: BinaryIO, start: int = 0, end: int | None = None) -> None:
        from isal import isal_zlib

        self._source, self._new = source, isal_zlib.decompressobj
        self._engine = self._new(wbits=31)
        self._packed, self._fault = b'', None
        self._read_packed = self._handed_out = self._gathered = self._ends = 0
        # Decompressed bytes of the members that begin in [start, end), once it is known.
        self.made_before_end: int | None = None
        self._start, self._end = start, end
        if start:
            source.seek(start)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, fewer only before the end or a fault; b'' at the end."""
        pieces, left = [], size
        while left and self._fault is None:
            if piece := self._some(min(left, _PIECE)):
                pieces.append(piece)
                left -= len(piece)
        out = pieces[0] if len(pieces) == 1 else b''.join(pieces)
        if not out and isinstance(self._fault, Exception):
            raise self._fault
        self._ends = _count_ends(out, self._ends)
        self._handed_out, self._gathered = self._handed_out + len(out), 0
        if self._handed_out > _FREE_BYTES and self._handed_out > _MAX_RATIO * max(1, self._read_packed):
            raise DecompressionBomb(f'{self._handed_out} bytes out of {self._read_packed}')
        return out

    def _some(self, size: int) -> bytes:
        """Decompresses some more; b'' at the end of a piece, or of all, with `_fault` saying which kind of end."""
        if not self._packed:
            self._packed = self._source.read(_PACKED_CHUNK)
            self._read_packed += len(self._packed)
        if self._engine.eof:
            self._begin_member()
            return b''
        if not self._packed:
            self._fault = EOFError('the compressed data ends too early')
            return b''
        try:
            out = self._engine.decompress(self._packed, size)
        except Exception as error:  # isal's own error class, made at run time
            self._fault = ValueError(f'gzip: {error}')
            return b''
        self._packed = self._engine.unused_data if self._engine.eof else self._engine.unconsumed_tail
        self._gathered += len(out)
        return out

    def _begin_member(self) -> None:
        """Goes on to the next member, over the padding between members and at the end."""
        self._packed = self._packed.lstrip(b'\0')
        if self._packed:
            self._engine = self._new(wbits=31)
            if self.made_before_end is None and self._end is not None \
                    and self._start + self._read_packed - len(self._packed) >= self._end:
                self.made_before_end = self._handed_out + self._gathered
        elif not (more := self._source.read(_PACKED_CHUNK)):
            self._fault = True
        else:
            self._packed = more
            self._read_packed += len(more)
