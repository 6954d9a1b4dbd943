"""Where the column chunks of a Parquet lie, read from its footer's own bytes.

pyarrow's `RowGroupMetaData.column()` ends the process (SIGABRT) on footers of strangers: on encrypted columns, and on 4
of 3,000 footers with a few bytes overwritten. So nothing here calls it; this walks Thrift's compact protocol
(apache/thrift doc/specs/thrift-compact-protocol.md) over the few fields that are needed (apache/parquet-format
parquet.thrift: FileMetaData 4, RowGroup 1, ColumnChunk 3, ColumnMetaData 3, 7, 9, 11).
"""

from __future__ import annotations

from dataclasses import dataclass

_BOOLS, _BYTE, _INTS, _DOUBLE, _BINARY, _LISTS, _MAP, _STRUCT = (1, 2), 3, (4, 5, 6), 7, 8, (9, 10), 11, 12
_DEEPEST = 24


class FooterError(ValueError):
    """The footer cannot be walked, or its ranges lie outside of the file."""


@dataclass(frozen=True, slots=True)
class ColumnChunk:
    """One column of one row group.

    Attributes:
        column: name of the top-level column.
        start, end: bytes in the file; (0, 0) when the footer does not say.
    """

    column: str
    start: int
    end: int


def column_chunks(footer: bytes, most: int = 1 << 62) -> list[list[ColumnChunk]]:
    """The column chunks of each row group.

    Args:
        footer: the Thrift bytes of a FileMetaData.
        most: row groups that are wanted: what is behind them is not looked at.

    Raises:
        FooterError: they are damaged.
    """
    walker = _Walker(footer)
    groups: list[list[ColumnChunk]] = []
    try:
        for field, kind in walker.fields():
            if field == 4 and kind == 9:
                for _ in range(walker.list_of_structs()):
                    groups.append(_row_group(walker))
                    if len(groups) >= most:
                        return groups
            else:
                walker.skip(kind)
    except (IndexError, UnicodeDecodeError, RecursionError) as error:
        raise FooterError(f'the footer is damaged at byte {walker.at} ({type(error).__name__})') from None
    return groups


def _row_group(walker: _Walker) -> list[ColumnChunk]:
    chunks: list[ColumnChunk] = []
    for field, kind in walker.fields():
        if field == 1 and kind == 9:
            for _ in range(walker.list_of_structs()):
                chunks.append(_column_chunk(walker))
        else:
            walker.skip(kind)
    return chunks


def _column_chunk(walker: _Walker) -> ColumnChunk:
    name, size, data, dictionary = '', 0, 0, 0
    for field, kind in walker.fields():
        if field == 3 and kind == _STRUCT:
            for inner, inner_kind in walker.fields():
                if inner == 3 and inner_kind == 9:
                    parts = walker.list_of_texts()
                    name = parts[0].decode() if parts else ''
                elif inner in (7, 9, 11) and inner_kind in _INTS:
                    value = walker.integer()
                    size, data, dictionary = (value if inner == 7 else size, value if inner == 9 else data,
                                              value if inner == 11 else dictionary)
                else:
                    walker.skip(inner_kind)
        else:
            walker.skip(kind)
    start = dictionary if 0 < dictionary < data else data
    return ColumnChunk(name, start, start + size)


class _Walker:
    """Reads compact Thrift from `at` on; an IndexError says that it ended too early."""

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    def varint(self) -> int:
        data, at = self._data, self.at
        byte = data[at]
        at += 1
        if byte < 0x80:
            self.at = at
            return byte
        value, shift = byte & 0x7F, 7
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                self.at = at
                return value
            shift += 7
            if shift > 70:
                raise FooterError(f'a number without end at byte {at}')

    def integer(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def fields(self):  # noqa: ANN201 - a generator of (field, type)
        """(field number, type) of each field of a struct; the caller reads or skips its value."""
        data, field = self._data, 0
        while head := data[self.at]:
            self.at += 1
            if head >> 4:
                field += head >> 4
            else:
                field = self.integer()
            yield field, head & 0x0F
        self.at += 1

    def list_head(self) -> tuple[int, int]:
        head = self._data[self.at]
        self.at += 1
        count = self.varint() if head >> 4 == 15 else head >> 4
        if count > len(self._data):
            raise FooterError(f'a list of {count} items at byte {self.at}')
        return count, head & 0x0F

    def list_of_structs(self) -> int:
        count, kind = self.list_head()
        if count and kind != _STRUCT:
            raise FooterError(f'a list of type {kind} where structs are expected, at byte {self.at}')
        return count

    def list_of_texts(self) -> list[bytes]:
        count, kind = self.list_head()
        if count and kind != _BINARY:
            raise FooterError(f'a list of type {kind} where texts are expected, at byte {self.at}')
        return [self.binary() for _ in range(count)]

    def binary(self) -> bytes:
        size = self.varint()
        self._move(size)
        return self._data[self.at - size:self.at]

    def _move(self, size: int) -> None:
        self.at += size
        if self.at > len(self._data):
            raise IndexError

    def skip(self, kind: int, depth: int = 0, in_list: bool = False) -> None:
        if kind in _INTS:
            self.varint()
        elif kind == _BINARY:
            self._move(self.varint())
        elif kind in _BOOLS:
            self._move(in_list)
        elif kind == _STRUCT and depth < _DEEPEST:
            for _, inner in self.fields():
                self.skip(inner, depth + 1)
        elif kind in _LISTS and depth < _DEEPEST:
            count, inner = self.list_head()
            for _ in range(count):
                self.skip(inner, depth + 1, True)
        elif kind == _BYTE:
            self._move(1)
        elif kind == _DOUBLE:
            self._move(8)
        elif kind == _MAP and depth < _DEEPEST:
            if count := self.varint():
                kinds = self._data[self.at]
                self.at += 1
                for _ in range(min(count, len(self._data) + 1)):
                    self.skip(kinds >> 4, depth + 1, True)
                    self.skip(kinds & 0x0F, depth + 1, True)
        else:
            raise FooterError(f'type {kind} at byte {self.at}')
