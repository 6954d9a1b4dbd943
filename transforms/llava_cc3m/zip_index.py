"""ZipIndex: where each member of a zip lies, in about 40 bytes a member.

zipfile keeps 0.7 KB a member, 420 MB for the 595,000 images of LLaVA-CC3M-Pretrain-595K. Names are kept as 8-byte hashes;
whoever reads a member sees its name in front of its bytes and finds out about a clash.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

_END, _END64_LOCATOR, _END64, _ENTRY, _LOCAL = b'PK\5\6', b'PK\6\7', b'PK\6\6', b'PK\1\2', b'PK\3\4'
_ENTRY_HEAD = struct.Struct('<4s4xHH4xIIIHHH4xII')
_LOCAL_HEAD = struct.Struct('<4s22xHH')
_WIDEST_TAIL = 22 + 65535
_BLOCK = 1 << 20
_MAX_32 = 0xFFFFFFFF
STORED, DEFLATED = 0, 8


class BadZip(Exception):
    """The archive, or one member of it, cannot be read."""


@dataclass(frozen=True)
class Place:
    """Where a member lies: offset of its local header, packed and real size, method, checksum."""

    offset: int
    packed: int
    size: int
    method: int
    crc: int


class ZipIndex:
    """The members of a zip that are regular files.

    Raises:
        BadZip: it is no zip, or its directory is damaged.
    """

    def __init__(self, source: BinaryIO, size: int) -> None:
        self._size, self._shift = size, 0
        columns = {name: array('Q') for name in ('hash', 'offset', 'packed', 'size')}
        methods, crcs = array('H'), array('L')
        prefix: str | None = None
        for name, flags, place in self._entries(source):
            folder = name.partition('/')[0] + '/' if '/' in name else ''
            prefix = folder if prefix is None or prefix == folder else ''
            columns['hash'].append(hash_name(name))
            columns['offset'].append(place.offset)
            columns['packed'].append(place.packed)
            columns['size'].append(place.size)
            methods.append(place.method if not flags & 1 else 0xFFFF)
            crcs.append(place.crc)
        self._prefix = prefix or ''
        hashes = np.array(columns['hash'], np.uint64)
        self._order = np.argsort(hashes, kind='stable')
        self._hashes = hashes[self._order]
        self._columns = [np.array(columns[n], np.uint64) for n in ('offset', 'packed', 'size')]
        self._methods, self._crcs = np.array(methods, np.uint16), np.array(crcs, np.uint32)

    def __len__(self) -> int:
        return len(self._hashes)

    def find(self, name: str) -> Place | None:
        """The place of a member (of several of one name the last), also without the folder that all members share."""
        for spelling in (name, self._prefix + name) if self._prefix else (name,):
            at = int(np.searchsorted(self._hashes, np.uint64(hash_name(spelling)), 'right')) - 1
            if at >= 0 and int(self._hashes[at]) == hash_name(spelling):
                i = self._order[at]
                offset, packed, size = (int(column[i]) for column in self._columns)
                return Place(offset, packed, size, int(self._methods[i]), int(self._crcs[i]))
        return None

    def _entries(self, source: BinaryIO) -> Iterator[tuple[str, int, Place]]:
        start, length = self._directory(source)
        source.seek(start)
        data, at, left = b'', 0, length
        while True:
            if len(data) - at < 70_000 * 3 and left:
                more = source.read(min(_BLOCK, left))
                left -= len(more) if more else left
                data, at = data[at:] + more, 0
            if len(data) - at < 46:
                return
            signature, flags, method, crc, packed, size, names, extras, comments, outside, offset = \
                _ENTRY_HEAD.unpack_from(data, at)
            if signature != _ENTRY:
                raise BadZip('the directory of the zip is damaged')
            raw = data[at + 46:at + 46 + names]
            extra = data[at + 46 + names:at + 46 + names + extras]
            at += 46 + names + extras + comments
            packed, size, offset = _widened(extra, packed, size, offset)
            offset += self._shift
            name = raw.decode('utf-8' if flags & 0x800 else 'cp437', errors='replace')
            is_regular = not name.endswith('/') and (outside >> 16) & 0o170000 in (0, 0o100000)
            if is_regular and offset + packed <= self._size:
                yield name, flags, Place(offset, packed, size, method, crc)

    def _directory(self, source: BinaryIO) -> tuple[int, int]:
        """(offset, length) of the central directory."""
        width = min(self._size, _WIDEST_TAIL)
        source.seek(self._size - width)
        tail = source.read(width)
        at = tail.rfind(_END)
        if at < 0 or len(tail) - at < 22:
            raise BadZip('it has no directory at its end: it is no zip, or it was cut')
        length, start = struct.unpack_from('<II', tail, at + 12)
        if start == _MAX_32 or length == _MAX_32 or tail[at + 10:at + 12] == b'\xff\xff':
            locator = tail[at - 20:at] if at >= 20 else b''
            if locator.startswith(_END64_LOCATOR):
                where, = struct.unpack_from('<Q', locator, 8)
                source.seek(min(where, self._size))
                record = source.read(56)
                if not record.startswith(_END64) or len(record) < 56:
                    raise BadZip('the directory of the zip is damaged')
                length, start = struct.unpack_from('<QQ', record, 40)
        else:  # bytes in front of the archive (self-extracting ones) shift everything
            self._shift = max(0, self._size - width + at - length - start)
            start += self._shift
        if start + length > self._size:
            raise BadZip('the directory of the zip lies outside of it')
        return start, length


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


def hash_name(name: str) -> int:
    """8 bytes that stand for a name."""
    return int.from_bytes(hashlib.blake2b(name.encode('utf-8', 'surrogatepass'), digest_size=8).digest(), 'big')


def read_member(source: BinaryIO, place: Place, name: str) -> bytes:
    """The bytes of a member that was looked up as `name`.

    Raises:
        BadZip: it is damaged, encrypted, packed in a way that is not read, or another member.
    """
    source.seek(place.offset)
    head = source.read(_LOCAL_HEAD.size)
    if len(head) < _LOCAL_HEAD.size or not head.startswith(_LOCAL):
        raise BadZip('its header is damaged')
    _, names, extras = _LOCAL_HEAD.unpack(head)
    rest = source.read(names + extras + place.packed)
    spelled = rest[:names].decode('utf-8', errors='replace')
    if not spelled.endswith(name) and spelled.isascii():
        raise BadZip(f'another member, {spelled[:80]!r}, lies in its place')
    packed = rest[names + extras:]
    if len(packed) != place.packed:
        raise BadZip('the archive ends within it')
    if place.method == DEFLATED:
        engine = zlib.decompressobj(-15)
        try:
            data = engine.decompress(packed, place.size + 1)
        except zlib.error as error:
            raise BadZip(f'its packed data is damaged ({error})') from None
    elif place.method == STORED:
        data = packed
    else:
        raise BadZip('it is encrypted' if place.method == 0xFFFF else f'it is packed by method {place.method}')
    if len(data) != place.size or zlib.crc32(data) != place.crc:
        raise BadZip('its checksum does not fit')
    return data
