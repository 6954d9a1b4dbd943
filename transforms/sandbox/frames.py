"""Frames on a pipe: lengths, a JSON header, then raw bytes."""

from __future__ import annotations

import json
import struct
from typing import BinaryIO

_LENGTHS = struct.Struct('>IQ')


def write_frame(pipe: BinaryIO, header: dict, payload: bytes = b'') -> None:
    """Writes two lengths, the header as JSON, and the payload's bytes; flushes them."""
    text = json.dumps(header).encode()
    pipe.write(_LENGTHS.pack(len(text), len(payload)) + text)
    pipe.write(payload)
    pipe.flush()


def read_frame(pipe: BinaryIO) -> tuple[dict, bytes] | None:
    """Reads one frame; None at the end of the stream, also in the middle of a frame."""
    lengths = pipe.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    header_size, payload_size = _LENGTHS.unpack(lengths)
    header = pipe.read(header_size)
    payload = pipe.read(payload_size) if payload_size else b''
    if len(header) < header_size or len(payload) < payload_size:
        return None
    return json.loads(header), payload
