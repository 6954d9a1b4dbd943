"""JsonLinesWriter: records to gz JSON lines of many members, so that several workers can share a large file."""

from __future__ import annotations

import base64
import decimal
import uuid
from collections.abc import Sequence
from typing import BinaryIO

from isal import igzip_lib

from transforms.files.json_values import dumps

MEMBER_BYTES = 4 << 20
_LEVEL = igzip_lib.ISAL_BEST_COMPRESSION


class JsonLinesWriter:
    """Writes records as JSON, one a line, in gzip members of about 4 MiB of text.

    Text stays as it is (UTF-8, nothing escaped that need not be). Times are ISO 8601, bytes base64, decimals text, maps
    lists of pairs; NaN and infinities are written as Python does.
    """

    error = 'NoJsonForm'

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._lines: list[bytes] = []
        self._held = 0

    def write(self, rows: Sequence[dict]) -> list[str]:
        """Adds records; gives for each why it cannot be written, '' for those that are."""
        return [self._add(row) for row in rows]

    def _add(self, row: dict) -> str:
        try:
            line = dumps(row, to_json_value)
        except (TypeError, ValueError, RecursionError) as error:
            return f'JSON cannot hold it: {error}'
        self.write_line(line)
        return ''

    def write_line(self, line: bytes) -> None:
        """Adds a record that is JSON already."""
        self._lines.append(line)
        self._held += len(line) + 1
        if self._held >= MEMBER_BYTES:
            self._write_member()

    def _write_member(self) -> None:
        text = b''.join([line + b'\n' for line in self._lines])
        self._target.write(igzip_lib.compress(text, _LEVEL, flag=igzip_lib.COMP_GZIP))
        self._lines, self._held = [], 0

    def close(self) -> None:
        """Writes what is held; a file without records is a gzip of nothing."""
        if self._lines or not self._target.size:
            self._write_member()


def to_json_value(value: object) -> object:
    """What JSON has no form for, as text.

    Raises:
        TypeError: of a kind that no reader of ours makes.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    if hasattr(value, 'isoformat'):
        return value.isoformat()
    if isinstance(value, (decimal.Decimal, uuid.UUID)) or hasattr(value, 'total_seconds'):
        return str(value)
    if hasattr(value, 'tolist'):
        return value.tolist()
    raise TypeError(f'a value of type {type(value).__name__}')
