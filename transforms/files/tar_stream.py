"""Members of a tar or tar.gz read once from start to end, safely: archives come from strangers.

Only regular files are handed out, nothing is written to disk by an archive's word, headers are bounded, and the
bytes that a gzip expands to are bounded too.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

_GZIP_MAGIC = b'\x1f\x8b'
_BUFFER = 1 << 20
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


class _BoundedReader:
    """Counts what comes out of the decompressor and stops bombs."""

    def __init__(self, plain: BinaryIO, packed: BinaryIO) -> None:
        self._plain, self._packed = plain, packed
        self._read = 0

    def read(self, size: int) -> bytes:
        data = self._plain.read(size)
        self._read += len(data)
        if self._read > _FREE_BYTES and self._read > _MAX_RATIO * max(1, self._packed.tell()):
            raise Oversized(f'{self._read} bytes out of {self._packed.tell()}')
        return data


def stream_members(source: BinaryIO, wanted: Callable[[str], bool], max_bytes: int = 512 << 20) -> Iterator[Member]:
    """The members of a tar (gzip or plain, by its first bytes) in order, with data where `wanted(name)`.

    Raises:
        ArchiveDamaged: at the place where the archive stops making sense; members before it were handed out.
        Oversized: it is a decompression bomb.
    """
    from isal import igzip

    head = source.read(2)
    source.seek(0)
    plain = igzip.IGzipFile(fileobj=source, mode='rb') if head == _GZIP_MAGIC else source
    reader = _BoundedReader(plain, source)
    try:
        with tarfile.open(fileobj=reader, mode='r|', bufsize=_BUFFER, tarinfo=_BoundedTarInfo) as archive:
            for info in archive:
                yield _member(archive, info, wanted, max_bytes)
                archive.members = []  # tarfile remembers every header otherwise
        while reader.read(_BUFFER):  # the checksum is at the very end
            pass
    except (tarfile.TarError, EOFError, OSError, zlib.error, igzip.isal_zlib.error, ValueError,
            UnicodeError) as error:
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
