"""Decompressed streams by the first bytes of a file: gzip, xz, zstd, bzip2, or the bytes as they are.

Names lie: an xz named .tar.gz is read as what it is. Nothing here allocates by a header's word.
"""

from __future__ import annotations

import bz2
import lzma
from typing import BinaryIO, Protocol

MAGIC = {'gz': (b'\x1f\x8b',), 'zst': (b'\x28\xb5\x2f\xfd', b'\x50\x2a\x4d\x18'), 'bz2': (b'BZh',),
         'xz': (b'\xfd7zXZ',)}
_MAX_WINDOW, _LZMA_MEMORY = 1 << 27, 256 << 20
_PACKED_PIECE = 1 << 20
# isal is half as fast again with answers of 64 KiB as with 1 MiB; and what a fault costs is at most a chunk.
_PACKED_CHUNK = _PIECE = 64 << 10
_MAX_READS_PAST_END = 16
_MAX_RATIO, _FREE_BYTES = 200, 8 << 30
_LFS = b'version https://git-lfs.github.com/spec/'
LONGEST_POINTER = 1024


class Oversized(Exception):
    """The file expands to more than any honest one would."""


class Reader(Protocol):
    """`read(size)` gives up to that many decompressed bytes, b'' at the end.

    It raises EOFError, OSError, ValueError or Oversized where the data is damaged; what came before was handed out.
    """

    def read(self, size: int) -> bytes:
        """The next bytes."""


def compression_of(head: bytes) -> str:
    """'gz', 'zst', 'bz2', 'xz', or '' by the first six bytes of a file."""
    return next((name for name, magics in MAGIC.items() if head.startswith(magics)), '')


def is_lfs_pointer(head: bytes) -> bool:
    """Whether a file is what Git leaves in the place of one that was not downloaded."""
    return head.startswith(_LFS)


def decompressed(source: BinaryIO) -> Reader:
    """The content of a file from its start, decompressed by what its first bytes say."""
    head = source.read(6)
    source.seek(0)
    compression = compression_of(head)
    if compression == 'gz':
        return Gunzip(source)
    if compression == 'zst':
        return _Zstd(source)
    if compression == 'bz2':
        return bz2.BZ2File(source)
    return _Xz(source) if compression == 'xz' else Plain(source)


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


class _Xz:
    """xz with a limit on its memory, which a header may ask gigabytes of."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._engine = self._new()

    @staticmethod
    def _new() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)

    def read(self, size: int) -> bytes:
        try:
            return self._read(size)
        except lzma.LZMAError as error:
            raise ValueError(f'xz: {error}') from None

    def _read(self, size: int) -> bytes:
        while True:
            if self._engine.eof:
                rest = self._engine.unused_data.lstrip(b'\0') or self._source.read(_PACKED_PIECE).lstrip(b'\0')
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
            raise Oversized(f'{self._handed_out} bytes out of {self._read_packed}')
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
