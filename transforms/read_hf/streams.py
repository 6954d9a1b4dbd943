"""Decompressed streams that say how far they got, and in what state they broke off."""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Iterator
from typing import BinaryIO

from transforms.files.abort import RunAborted
from transforms.files.tar_stream import Gunzip, Oversized
from transforms.read_hf.rows import UnitFault

_MAGIC = {'gz': b'\x1f\x8b', 'zst': (b'\x28\xb5\x2f\xfd', b'\x50\x2a\x4d\x18'), 'bz2': b'BZh', 'xz': b'\xfd7zXZ'}
_MAX_WINDOW = 1 << 27
_LZMA_MEMORY = 256 << 20
_PIECE = 1 << 20


class Stream:
    """`read(size)` gives up to that many decompressed bytes, b'' at the end.

    `limit` is where, in decompressed bytes from the beginning, the lines of the next unit begin; None until known.
    """

    def __init__(self, read: object, limit: int | None = None) -> None:
        self._read = read
        self.limit = limit

    def read(self, size: int = _PIECE) -> bytes:
        """The next bytes.

        Raises:
            UnitFault: the data is damaged; what came before it was handed out.
        """
        try:
            return self._read(size)
        except RunAborted:
            raise
        except Oversized as error:
            raise UnitFault('DecompressionBomb', str(error)) from None
        except (EOFError, OSError, ValueError, lzma.LZMAError) as error:
            raise UnitFault('DamagedFile', f'{type(error).__name__}: {str(error)[:160]}') from None
        except Exception as error:
            if type(error).__name__ not in ('ZstdError', 'error'):
                raise
            raise UnitFault('DamagedFile', str(error)[:160]) from None


def open_stream(source: BinaryIO, compression: str) -> Stream:
    """The whole file decompressed; one that only has the name of a packed file is taken as it is."""
    if compression:
        head = source.read(6)
        source.seek(0)
        if head and not head.startswith(_MAGIC[compression]):
            compression = ''
    if compression == 'gz':
        return Stream(Gunzip(source).read)
    if compression == 'zst':
        import zstandard

        engine = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
        return Stream(engine.stream_reader(source, read_across_frames=True).read)
    if compression == 'bz2':
        return Stream(bz2.BZ2File(source).read)
    if compression == 'xz':
        return Stream(_Xz(source).read)
    return Stream(source.read)


class _Xz:
    """xz with a limit on its memory, which a header may ask gigabytes of."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._engine = self._new()

    @staticmethod
    def _new() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)

    def read(self, size: int) -> bytes:
        while True:
            if self._engine.eof:
                rest = self._engine.unused_data.lstrip(b'\0') or self._source.read(_PIECE).lstrip(b'\0')
                if not rest:
                    return b''
                self._engine = self._new()
                data = self._engine.decompress(rest, size)
            elif self._engine.needs_input:
                packed = self._source.read(_PIECE)
                if not packed:
                    raise EOFError('the compressed data ends too early')
                data = self._engine.decompress(packed, size)
            else:
                data = self._engine.decompress(b'', size)
            if data:
                return data


class GzRange(Stream):
    """The members that begin in [start, end) of a gzip file, and what follows them, for the last line."""

    def __init__(self, source: BinaryIO, start: int, end: int) -> None:
        self._gunzip = Gunzip(source, start, end)
        super().__init__(self._read_on)

    def _read_on(self, size: int) -> bytes:
        data = self._gunzip.read(size)
        if self.limit is None:
            self.limit = self._gunzip.made_before_end
        return data


class WholeReads:
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
