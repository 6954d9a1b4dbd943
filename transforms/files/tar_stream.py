"""Members of a tar or tar.gz read once from start to end, safely: archives come from strangers.

Only regular files are handed out, nothing is written to disk by an archive's word, headers are bounded, and the
bytes that a gzip expands to are bounded too.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

_GZIP_MAGIC = b'\x1f\x8b'
_BUFFER = 1 << 20
# isal is half as fast again with answers of 64 KiB as with 1 MiB; and what a fault costs is at most a chunk.
_PACKED_CHUNK = _PIECE = 64 << 10
_TAR_BUFFER = 64 << 10
_MAX_READS_PAST_END = 16
_MAX_HEADER_BYTES = 1 << 20
_MAX_RATIO, _FREE_BYTES = 200, 8 << 30


class ArchiveDamaged(Exception):
    """The archive cannot be read any further."""


class Oversized(Exception):
    """The archive expands to more than any honest one would."""


@dataclass(frozen=True)
class Member:
    """One member: its name without leading './', its size, its bytes if they were wanted, and what is odd.

    `odd` is '' for a regular file, else 'link', 'special', 'too_big' (bytes not read).
    """

    name: str
    size: int
    data: bytes
    odd: str = ''


class _BoundedTarInfo(tarfile.TarInfo):
    """Refuses pax and GNU long-name headers that claim megabytes: tarfile would read them into memory."""

    def _check(self) -> None:
        if self.size > _MAX_HEADER_BYTES or self.size < 0:
            raise tarfile.HeaderError(f'a header of {self.size} bytes')

    def _proc_gnulong(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        self._check()
        return super()._proc_gnulong(archive)

    def _proc_pax(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        self._check()
        return super()._proc_pax(archive)


class _Plain:
    """An uncompressed archive, as a reader that raises at no end."""

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


def stream_members(source: BinaryIO, wanted: Callable[[str], bool], max_bytes: int = 512 << 20) -> Iterator[Member]:
    """The members of a tar (gzip or plain, by its first bytes) in order, with data where `wanted(name)`.

    Raises:
        ArchiveDamaged: at the place where the archive stops making sense; members before it were handed out.
        Oversized: it is a decompression bomb.
    """
    head = source.read(2)
    source.seek(0)
    reader = Gunzip(source) if head == _GZIP_MAGIC else _Plain(source)
    try:
        with tarfile.open(fileobj=reader, mode='r|', bufsize=_TAR_BUFFER, tarinfo=_BoundedTarInfo) as archive:
            for info in archive:
                yield _member(archive, info, wanted, max_bytes)
                archive.members = []  # tarfile remembers every header otherwise
        while reader.read(_BUFFER):  # the checksum is at the very end
            pass
    except (tarfile.TarError, EOFError, OSError, ValueError, RecursionError) as error:
        raise ArchiveDamaged(f'{type(error).__name__}: {" ".join(str(error).split())[:160]}') from None


def _member(archive: tarfile.TarFile, info: tarfile.TarInfo, wanted: Callable[[str], bool], limit: int) -> Member:
    name = info.name
    while name.startswith('./'):
        name = name[2:].lstrip('/')
    if not info.isreg() or info.issparse():
        kind = 'link' if info.issym() or info.islnk() else '' if info.isdir() else 'special'
        return Member(name, 0, b'', kind or 'folder')
    if not wanted(name):
        return Member(name, info.size, b'')
    if info.size > limit:
        return Member(name, info.size, b'', 'too_big')
    data = archive.extractfile(info).read()
    if len(data) != info.size:
        raise tarfile.ReadError(f'member {name!r} ends after {len(data)} of {info.size} bytes')
    return Member(name, info.size, data)
