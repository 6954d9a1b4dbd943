"""Members of a gzip file: concatenated ones (bgzip, appended logs) let several workers share the file."""

from __future__ import annotations

from typing import BinaryIO

_MAGIC = b'\x1f\x8b\x08'
_STEP = 64 << 10
_WINDOW = 1 << 20
_PROOF = 256 << 10


def first_member_ends_within(source: BinaryIO, size: int) -> bool:
    """Whether the first member ends, and another follows, within the first `size` bytes."""
    from isal import isal_zlib

    source.seek(0)
    engine, read = isal_zlib.decompressobj(wbits=31), 0
    try:
        while read < size and not engine.eof:
            data = source.read(_STEP)
            read += len(data)
            if not data:
                return False
            engine.decompress(data)
    except Exception:  # isal's own error class; reading will tell what is wrong
        return False
    rest = engine.unused_data + source.read(len(_MAGIC))
    return engine.eof and rest.startswith(_MAGIC)


def next_member(source: BinaryIO, start: int, end: int) -> int:
    """Offset of the first member that begins in [start, end), -1 when none does.

    A member is recognized among bytes that look like one by decompressing its first 256 KiB (or all of it).
    """
    position = start
    while position < end:
        source.seek(position)
        data = source.read(min(_WINDOW, end - position) + len(_MAGIC) - 1)
        if len(data) < len(_MAGIC):
            return -1
        at = data.find(_MAGIC)
        while at >= 0 and position + at < end:
            if _is_member(source, position + at):
                return position + at
            at = data.find(_MAGIC, at + 1)
        position += len(data) - (len(_MAGIC) - 1)
        if len(data) <= len(_MAGIC):
            return -1
    return -1


def _is_member(source: BinaryIO, at: int) -> bool:
    from isal import isal_zlib

    source.seek(at)
    engine, made = isal_zlib.decompressobj(wbits=31), 0
    try:
        while made < _PROOF and not engine.eof:
            data = source.read(_STEP)
            if not data:
                return False
            made += len(engine.decompress(data))
    except Exception:  # isal's own error class: it only looked like one
        return False
    return True
