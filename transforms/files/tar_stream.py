"""Members of a tar or tar.gz read once from start to end, safely: archives come from strangers.

Only regular files are handed out, nothing is written to disk because an archive says so, headers are bounded, and the
bytes that a gzip expands to are bounded too.
"""

from __future__ import annotations

import posixpath
import tarfile
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from transforms.files.decompress import MAGIC, DecompressionBomb, decompressed
from transforms.files.lfs import IS_POINTER, LONGEST_POINTER, is_lfs_pointer

__all__ = ['ArchiveDamaged', 'DecompressionBomb', 'EndMissing', 'Member', 'TrailingData', 'clean_member', 'stream_members']

_BUFFER = 1 << 20
_TAR_BUFFER = 64 << 10
_MAX_HEADER_BYTES = 1 << 20
_BEGINNINGS = tuple(magic for magics in MAGIC.values() for magic in magics)


class ArchiveDamaged(Exception):
    """The archive cannot be read any further."""


class EndMissing(ArchiveDamaged):
    """All members that there are were read, and the end marker is not there."""


class TrailingData(ArchiveDamaged):
    """All members were read, and something lies behind the end marker."""


@dataclass(frozen=True)
class Member:
    """One member: its name as a relative path, its size, its bytes if they were wanted, and what is irregular about it.

    `irregular` is '' for a regular file, else 'folder', 'link' (to `target`; a hard one to
    what that is by then), 'special', 'too_big' (bytes not read).
    """

    name: str
    size: int
    data: bytes
    irregular: str = ''
    target: str = ''
    is_hard: bool = False


class _EndMissing(tarfile.TarError):
    pass


class _BoundedTarInfo(tarfile.TarInfo):
    """Refuses pax and GNU long-name headers that claim megabytes, which tarfile would read into memory.

    A header that is cut, missing or damaged raises: tarfile would end there as if it were the archive's end.
    """

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> tarfile.TarInfo:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.EmptyHeaderError:
            raise _EndMissing from None
        except (tarfile.TruncatedHeaderError, tarfile.InvalidHeaderError) as error:
            raise tarfile.SubsequentHeaderError(str(error)) from None

    def _check(self) -> None:
        if self.size > _MAX_HEADER_BYTES or self.size < 0:
            raise tarfile.HeaderError(f'a header of {self.size} bytes')

    def _proc_gnulong(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        self._check()
        return super()._proc_gnulong(archive)

    def _proc_pax(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        self._check()
        return super()._proc_pax(archive)


def stream_members(source: BinaryIO, wanted: Callable[[str], bool], max_bytes: int = 512 << 20) -> Iterator[Member]:
    """The members of a tar (plain or packed, by its first bytes) in order, with data where `wanted(name)`.

    Raises:
        EndMissing: no end marker: it may be whole, or cut between two members.
        TrailingData: something lies behind the end of the archive, which `tar -x` does not read either.
        ArchiveDamaged: at the place where the archive stops making sense; members before it were handed out.
        DecompressionBomb: it is a decompression bomb.
    """
    head = source.read(LONGEST_POINTER)
    source.seek(0)
    if is_lfs_pointer(head):
        raise ArchiveDamaged(IS_POINTER)
    reader = decompressed(source)
    try:
        with tarfile.open(fileobj=reader, mode='r|', bufsize=_TAR_BUFFER, tarinfo=_BoundedTarInfo) as archive:
            for info in archive:
                yield _member(archive, info, wanted, max_bytes)
                archive.members = []  # tarfile remembers every header otherwise
            _read_to_end(archive.fileobj)
    except _EndMissing:
        raise EndMissing('it has no end marker: it may have been cut between two members') from None
    except (tarfile.TarError, EOFError, OSError, ValueError, RecursionError) as error:
        what = ' (the file is empty)' if not head else '' if head.startswith(_BEGINNINGS) or b'ustar' in head else f' (it begins {head[:16]!r})'
        raise ArchiveDamaged(f'{type(error).__name__}: {" ".join(str(error).split())[:160]}{what}') from None


def _read_to_end(stream: BinaryIO) -> None:
    """Reads on behind the end marker, for checksums are at the very end."""
    try:
        while data := stream.read(_BUFFER):
            if data.strip(b'\0'):
                raise TrailingData('something follows the end of the archive')
    except (EOFError, OSError, ValueError) as error:
        raise TrailingData(f'what follows the end of the archive cannot be read ({str(error)[:80]})') from None


def _member(archive: tarfile.TarFile, info: tarfile.TarInfo, wanted: Callable[[str], bool], limit: int) -> Member:
    name = clean_member(info.name)
    if info.issym() or info.islnk():
        folder = posixpath.dirname(name) if info.issym() and not info.linkname.startswith('/') else ''
        target = posixpath.normpath(posixpath.join(folder, clean_member(info.linkname)))
        return Member(name, 0, b'', 'link', target, info.islnk())
    if not info.isreg() and info.type in tarfile.SUPPORTED_TYPES:  # `tar -x` takes unknown types for files
        return Member(name, 0, b'', 'folder' if info.isdir() else 'special')
    if not wanted(name):
        return Member(name, info.size, b'')
    if info.size > limit:
        return Member(name, info.size, b'', 'too_big')
    data = archive.extractfile(info).read()
    if len(data) != info.size:
        raise tarfile.ReadError(f'member {name!r} ends after {len(data)} of {info.size} bytes')
    return Member(name, info.size, data)


def clean_member(name: str) -> str:
    """A member's name as `tar -x` makes a path of it: no leading / or ./, no empty parts, accents composed."""
    if name.startswith(('./', '/')) or '//' in name or '/./' in name or name.endswith('/'):
        name = '/'.join(part for part in name.split('/') if part not in ('', '.'))
    return name if name.isascii() else unicodedata.normalize('NFC', name)
