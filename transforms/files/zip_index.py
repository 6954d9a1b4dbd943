"""ZipIndex: where each member of a zip lies, in about 40 bytes a member, found by the names that people use.

zipfile keeps 0.7 KB a member, 420 MB for the 595,000 images of LLaVA-CC3M-Pretrain-595K. Names are kept as 8-byte hashes;
whoever reads a member sees its name in front of its bytes and finds out about a clash.

Names are looked up as `unzip` would make files of them: UTF-8 with or without the flag that says so, backslashes as
slashes, composed or decomposed accents, links to other members, and any folder that all members lie in left out.
"""

from __future__ import annotations

import bz2
import hashlib
import posixpath
import struct
import unicodedata
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from transforms.files.lfs import IS_POINTER, LONGEST_POINTER, is_lfs_pointer
from transforms.files.zip_names import clean_name, decoded_name, is_rubbish

_END, _END64_LOCATOR, _END64, _ENTRY, _LOCAL = b'PK\5\6', b'PK\6\7', b'PK\6\6', b'PK\1\2', b'PK\3\4'
_ENTRY_HEAD = struct.Struct('<4sxB2xHH4xIIIHHH4xII')
_LOCAL_HEAD = struct.Struct('<4s22xHH')
_WIDEST_TAIL = 22 + 65535
_BLOCK = 1 << 20
_MAX_32 = 0xFFFFFFFF
_LINK = 0o120000
STORED, DEFLATED, BZIP2 = 0, 8, 12
_UNIX = (3, 19)
_PICTURES = ('.jpg', '.jpeg', '.png', '.webp', '.gif', '.bmp', '.tif', '.tiff')
_ENCRYPTED = 0xFFFF
_MAX_LINKS, _MAX_TARGET, _MAX_CHAIN = 10_000, 4096, 16


class BadZip(Exception):
    """The archive, or one member of it, cannot be read."""


@dataclass(frozen=True)
class ZipEntry:
    """Where a member lies: offset of its local header, packed and real size, method, checksum; found by a link or not."""

    offset: int
    packed: int
    size: int
    method: int
    crc: int
    by_link: bool = False


class ZipIndex:
    """The members of a zip that are regular files, or links to some; what operating systems leave in zips is passed over.

    Raises:
        BadZip: it is no zip, or its directory is damaged or does not hold as many members as it says.
    """

    def __init__(self, source: BinaryIO, size: int) -> None:
        self._size, self._shift = size, 0
        columns = {name: array('Q') for name in ('hash', 'offset', 'packed', 'size')}
        methods, crcs = array('H'), array('L')
        prefix: list[str] | None = None
        links: list[tuple[str, ZipEntry]] = []
        for name, is_link, entry in self._entries(source):
            if name.lower().endswith(_PICTURES):  # a stray text beside them must not hide the folder they all lie in
                folders = name.split('/')[:-1]
                prefix = folders if prefix is None else _common(prefix, folders)
            if is_link:
                links.append((name, entry))
                continue
            columns['hash'].append(hash_name(name))
            columns['offset'].append(entry.offset)
            columns['packed'].append(entry.packed)
            columns['size'].append(entry.size)
            methods.append(entry.method)
            crcs.append(entry.crc)
        self._prefixes = ['/'.join(prefix[:n]) + '/' for n in range(1, len(prefix) + 1)] if prefix else []
        hashes = np.array(columns['hash'], np.uint64)
        self._order = np.argsort(hashes, kind='stable')
        self._hashes = hashes[self._order]
        self._columns = [np.array(columns[n], np.uint64) for n in ('offset', 'packed', 'size')]
        self._methods, self._crcs = np.array(methods, np.uint16), np.array(crcs, np.uint32)
        self._links = _resolved(source, links)

    def __len__(self) -> int:
        return len(self._hashes)

    def find(self, name: str) -> ZipEntry | None:
        """The entry of a member (of several of one name the last), also without folders that all members lie in."""
        name = clean_name(name)
        spellings = (name,) if name.isascii() else (name, *(unicodedata.normalize(form, name) for form in ('NFC', 'NFD')))
        for prefix in ('', *self._prefixes):
            for spelling in spellings:
                if (entry := self._lookup(prefix + spelling)) is not None:
                    return entry
        return None

    def _lookup(self, name: str) -> ZipEntry | None:
        wanted = self._links.get(name, 0) or hash_name(name)
        at = int(np.searchsorted(self._hashes, np.uint64(wanted), 'right')) - 1
        if at < 0 or int(self._hashes[at]) != wanted:
            return None
        i = self._order[at]
        offset, packed, size = (int(column[i]) for column in self._columns)
        return ZipEntry(offset, packed, size, int(self._methods[i]), int(self._crcs[i]), name in self._links)

    def _entries(self, source: BinaryIO) -> Iterator[tuple[str, bool, ZipEntry]]:
        """(clean name, whether it is a link, entry) of each member."""
        start, length, total = self._directory(source)
        source.seek(start)
        data, at, left, seen = b'', 0, length, 0
        while True:
            if len(data) - at < 70_000 * 3 and left:
                more = source.read(min(_BLOCK, left))
                left -= len(more) if more else left
                data, at = data[at:] + more, 0
            if len(data) - at < 46:
                # Some tools count members modulo 65,536.
                if seen & 0xFFFF != total & 0xFFFF:
                    raise BadZip(f'its directory ends after {seen} of {total} members')
                return
            seen += 1
            signature, system, flags, method, crc, packed, size, names, extras, comments, outside, offset = \
                _ENTRY_HEAD.unpack_from(data, at)
            if signature != _ENTRY:
                raise BadZip('the directory of the zip is damaged')
            raw = data[at + 46:at + 46 + names]
            extra = data[at + 46 + names:at + 46 + names + extras]
            at += 46 + names + extras + comments
            packed, size, offset = _widened(extra, packed, size, offset)
            offset += self._shift
            # The upper half of the attributes is a mode only where Unix or macOS made the member.
            name, mode = decoded_name(raw, flags, extra), (outside >> 16) & 0o170000 if system in _UNIX else 0
            if name.endswith(('/', '\\')) or mode not in (0, 0o100000, _LINK) or is_rubbish(name := clean_name(name)):
                continue
            yield name, mode == _LINK, ZipEntry(offset, packed, size, _ENCRYPTED if flags & 1 else method, crc)

    def _directory(self, source: BinaryIO) -> tuple[int, int, int]:
        """(offset, length, number of members) of the central directory."""
        width = min(self._size, _WIDEST_TAIL)
        source.seek(self._size - width)
        tail = source.read(width)
        at = tail.rfind(_END)
        if at < 0 or len(tail) - at < 22:
            source.seek(0)
            raise BadZip(IS_POINTER if is_lfs_pointer(source.read(LONGEST_POINTER)) else
                         'it has no directory at its end: it is no zip, or it was cut')
        total, length, start = struct.unpack_from('<HII', tail, at + 10)
        if start == _MAX_32 or length == _MAX_32 or tail[at + 10:at + 12] == b'\xff\xff':
            locator = tail[at - 20:at] if at >= 20 else b''
            if locator.startswith(_END64_LOCATOR):
                where, = struct.unpack_from('<Q', locator, 8)
                source.seek(min(where, self._size))
                record = source.read(56)
                if not record.startswith(_END64) or len(record) < 56:
                    raise BadZip('the directory of the zip is damaged')
                total, length, start = struct.unpack_from('<QQQ', record, 32)
        else:  # bytes in front of the archive (self-extracting ones) shift everything
            self._shift = max(0, self._size - width + at - length - start)
            start += self._shift
        if start + length > self._size:
            raise BadZip('the directory of the zip lies outside of it')
        return start, length, total


def _resolved(source: BinaryIO, links: list[tuple[str, ZipEntry]]) -> dict[str, int]:
    """Hashes of the members that links lead to, by the links' names; those that lead nowhere are left out."""
    targets: dict[str, str] = {}
    for name, entry in links[:_MAX_LINKS]:
        try:
            if max(entry.size, entry.packed) <= _MAX_TARGET:
                target = clean_name(read_member(source, entry, name).decode())
                targets[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        except (BadZip, UnicodeDecodeError):
            continue
    hashes = {}
    for name in targets:
        end, steps = name, 0
        while end in targets and steps < _MAX_CHAIN:
            end, steps = targets[end], steps + 1
        if end not in targets:
            hashes[name] = hash_name(end)
    return hashes


def _widened(extra: bytes, packed: int, size: int, offset: int) -> tuple[int, int, int]:
    """The sizes of a member, from the zip64 field where 32 bits are too few."""
    at = 0
    while at + 4 <= len(extra) and _MAX_32 in (packed, size, offset):
        kind, length = struct.unpack_from('<HH', extra, at)
        field = extra[at + 4:at + 4 + length]
        at += 4 + length
        if kind != 1:
            continue
        values = iter(struct.unpack_from(f'<{len(field) // 8}Q', field))
        size = next(values, 0) if size == _MAX_32 else size
        packed = next(values, 0) if packed == _MAX_32 else packed
        offset = next(values, 0) if offset == _MAX_32 else offset
    return packed, size, offset


def _common(one: list[str], two: list[str]) -> list[str]:
    shared = 0
    while shared < min(len(one), len(two)) and one[shared] == two[shared]:
        shared += 1
    return one[:shared]


def hash_name(name: str) -> int:
    """8 bytes that stand for a name."""
    return int.from_bytes(hashlib.blake2b(name.encode('utf-8', 'surrogatepass'), digest_size=8).digest(), 'big')


def read_member(source: BinaryIO, entry: ZipEntry, name: str) -> bytes:
    """The bytes of a member that was looked up as `name`.

    Raises:
        BadZip: it is damaged, encrypted, packed in a way that is not read, or another member.
    """
    source.seek(entry.offset)
    head = source.read(_LOCAL_HEAD.size)
    if len(head) < _LOCAL_HEAD.size or not head.startswith(_LOCAL):
        raise BadZip('its header is damaged')
    _, names, extras = _LOCAL_HEAD.unpack(head)
    rest = source.read(names + extras + entry.packed)
    spelled = rest[:names].decode('utf-8', errors='replace')
    if spelled.isascii() and clean_name(spelled).rpartition('/')[2] != clean_name(name).rpartition('/')[2] \
            and not entry.by_link:
        raise BadZip(f'another member, {spelled[:80]!r}, lies in its place')
    packed = rest[names + extras:]
    if len(packed) != entry.packed:
        raise BadZip('the archive ends within it')
    if entry.method == DEFLATED:
        engine = zlib.decompressobj(-15)
        try:
            data = engine.decompress(packed, entry.size + 1)
        except zlib.error as error:
            raise BadZip(f'its packed data is damaged ({error})') from None
    elif entry.method == STORED:
        data = packed
    elif entry.method == BZIP2:
        try:
            data = bz2.BZ2Decompressor().decompress(packed, entry.size + 1)
        except (OSError, EOFError) as error:
            raise BadZip(f'its packed data is damaged ({error})') from None
    else:
        raise BadZip('it is encrypted' if entry.method == _ENCRYPTED else f'it is packed by method {entry.method}')
    if len(data) != entry.size or zlib.crc32(data) != entry.crc:
        raise BadZip('its checksum does not fit')
    return data
