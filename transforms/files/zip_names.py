"""Names of members of zips as relative paths: as `unzip` makes files of them."""

from __future__ import annotations

import struct
import zlib

_UNICODE_PATH = 0x7075
_RUBBISH = frozenset({'.DS_Store', 'Thumbs.db', 'desktop.ini'})


def decoded_name(raw: bytes, flags: int, extra: bytes) -> str:
    """A member's name: UTF-8 also where the flag for it is missing (Info-ZIP), else the code page of DOS."""
    if flags & 0x800:
        return raw.decode('utf-8', errors='replace')
    at = 0
    while at + 9 <= len(extra):
        kind, length = struct.unpack_from('<HH', extra, at)
        if kind == _UNICODE_PATH and zlib.crc32(raw) == struct.unpack_from('<I', extra, at + 5)[0]:
            return extra[at + 9:at + 4 + length].decode('utf-8', errors='replace')
        at += 4 + length
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode('cp437')


def clean_name(name: str) -> str:
    """A member's name as a relative path: slashes, no leading / or ./ and no empty parts."""
    name = name.replace('\\', '/')
    if name.startswith(('/', './')) or '//' in name or '/./' in name:
        name = '/'.join(part for part in name.split('/') if part not in ('', '.'))
    return name


def is_rubbish(name: str) -> bool:
    """Whether a member is what macOS or Windows leave in archives: __MACOSX/, ._files, .DS_Store and the like."""
    base = name.rpartition('/')[2]
    return name.startswith('__MACOSX/') or '/__MACOSX/' in name or base.startswith('._') or base in _RUBBISH
