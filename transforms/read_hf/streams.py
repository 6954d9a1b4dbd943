"""Decompressed streams that say how far they got, and in what state they broke off."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from transforms.files.abort import RunAborted
from transforms.files.decompress import DecompressionBomb, Gunzip, decompressed
from transforms.read_hf.rows import UnitFault

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
        except DecompressionBomb as error:
            raise UnitFault('DecompressionBomb', str(error)) from None
        except (EOFError, OSError, ValueError) as error:
            raise UnitFault('DamagedFile', f'{type(error).__name__}: {str(error)[:160]}') from None


def open_stream(source: BinaryIO) -> Stream:
    """The whole file decompressed as its first bytes say, whatever packing its name claims or does not."""
    return Stream(decompressed(source).read)


def open_text(source: BinaryIO, params: Iterable[tuple[str, object]]) -> Stream:
    """The whole file decompressed, as UTF-8 whatever encoding the card's parameters name."""
    return recoded(open_stream(source), dict(params))


def other_encoding(params: dict[str, object]) -> str:
    """The encoding among a config's parameters when it is not UTF-8, else ''."""
    encoding = params.get('encoding')
    if not isinstance(encoding, str) or encoding.lower().replace('_', '-') in ('utf-8', 'utf8', 'ascii'):
        return ''
    return encoding


def recoded(stream: Stream, params: dict[str, object]) -> Stream:
    """A stream of text as UTF-8, by the `encoding` among a config's parameters."""
    encoding = other_encoding(params)
    return Stream(_Recoded(stream, encoding, params.get('encoding_errors')).read) if encoding else stream


class _Recoded:
    """Text of another encoding as UTF-8."""

    def __init__(self, stream: Stream, encoding: str, errors: str | None) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(errors or 'strict')
        self._ready, self._ended = b'', False

    def read(self, size: int) -> bytes:
        while not self._ready and not self._ended:
            data = self._stream.read(_PIECE)
            self._ended = not data
            self._ready = self._decoder.decode(data, final=not data).encode()
        out, self._ready = self._ready[:size], self._ready[size:]
        return out


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
        self._stream, self._ready, self._at = stream, b'', 0

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        pieces, have = [self._ready], len(self._ready)
        while (size < 0 or have < size) and (data := self._stream.read()):
            pieces.append(data)
            have += len(data)
        data = b''.join(pieces)
        cut = len(data) if size < 0 else size
        self._ready = data[cut:]
        self._at += len(data) - len(self._ready)
        return data[:cut]

    def __iter__(self) -> Iterator[bytes]:
        while data := self.read(1 << 20):
            yield data
