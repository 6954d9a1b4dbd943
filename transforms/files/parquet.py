"""Parquet by column and row group: from the Hub only the bytes of what is wanted are fetched."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.files.parquet_footer import ColumnChunk, FooterError, column_chunks

_BUFFER = 1 << 20
_MAX_FOOTER = 32 << 20


class RowGroup(NamedTuple):
    """What a footer says of a row group: rows, and bytes before compression."""

    rows: int
    bytes: int


class Footer:
    """A Parquet's metadata, and where its column chunks lie.

    Attributes:
        raw: its bytes.
        metadata: as pyarrow holds it. Never call `row_group(i).column(j)`: it may end the process (parquet_footer.py).
    """

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        tail = struct.pack('<I', len(raw)) + b'PAR1'
        self.metadata: pq.FileMetaData = pq.read_metadata(pa.BufferReader(b'PAR1' + raw + tail))

    @cached_property
    def schema(self) -> pa.Schema:
        """Of the file.

        `metadata.schema` would leave a cycle of references, which keeps ten times the footer's size until Python collects garbage.

        Raises:
            ArrowException: Arrow has no such type.
        """
        return pq.ParquetFile(pa.BufferReader(b''), metadata=self.metadata).schema_arrow

    @cached_property
    def chunks(self) -> list[list[ColumnChunk]]:
        """The column chunks of each row group; takes 10 microseconds a chunk.

        Raises:
            FooterError: the footer is damaged.
        """
        chunks = column_chunks(self.raw)
        if len(chunks) != self.metadata.num_row_groups:
            raise FooterError(f'{len(chunks)} row groups where {self.metadata.num_row_groups} are expected')
        return chunks

    @cached_property
    def row_groups(self) -> tuple[RowGroup, ...]:
        """Rows and bytes of each row group; () where they contradict the file's number of rows."""
        groups = [self.metadata.row_group(number) for number in range(self.metadata.num_row_groups)]
        sizes = tuple(RowGroup(group.num_rows, max(0, group.total_byte_size)) for group in groups)
        is_sound = all(size.rows >= 0 for size in sizes) and sum(size.rows for size in sizes) == self.metadata.num_rows
        return sizes if is_sound else ()

    def ranges(self, columns: Sequence[str] | None = None,
               row_groups: Iterable[int] | None = None) -> list[tuple[int, int]]:
        """[start, end) of each column chunk of these columns (top-level names) and row groups; None for all."""
        groups = self.chunks if row_groups is None else [self.chunks[g] for g in row_groups]
        return [(chunk.start, chunk.end) for group in groups for chunk in group
                if chunk.end > chunk.start >= 0 and (columns is None or chunk.column in columns)]


def read_footer(source: BinaryIO, size: int, limit: int = _MAX_FOOTER) -> Footer:
    """The footer of a Parquet of `size` bytes; one that would take much memory is refused before anything parses it.

    Raises:
        FooterError: it is no Parquet, or its footer is too large, damaged or encrypted.
    """
    if size < 12:
        raise FooterError(f'{size} bytes are no Parquet file')
    source.seek(size - 8)
    tail = source.read(8)
    if len(tail) < 8:
        raise FooterError('the file is shorter than when it was listed')
    length, magic = struct.unpack('<I4s', tail)
    if magic == b'PARE':
        raise FooterError('its footer is encrypted')
    if magic != b'PAR1':
        raise FooterError(f'it ends with {magic!r}, a Parquet file ends with PAR1')
    if length > limit or length + 8 > size:
        raise FooterError(f'a footer of {length} bytes in a file of {size}; the limit is {limit}')
    source.seek(size - 8 - length)
    try:
        return Footer(source.read(length))
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise FooterError((str(error).splitlines() or [type(error).__name__])[0][:200]) from None


def open_parquet(source: BinaryIO, footer: Footer, columns: Sequence[str] | None = None,
                 row_groups: Iterable[int] | None = None, **declared: object) -> pq.ParquetFile:
    """A Parquet file that will be read for these columns and row groups (None: all), page by page.

    One row group may hold a whole file, so column chunks are read through small buffers instead of at once. A source
    that reads ahead is told which ranges are wanted, with `declared` as further arguments.
    """
    parquet = pq.ParquetFile(source, metadata=footer.metadata, pre_buffer=False, buffer_size=_BUFFER)
    if hasattr(source, 'prefetch'):
        groups = list(range(footer.metadata.num_row_groups)) if row_groups is None else list(row_groups)
        ranges = footer.ranges(columns, groups)
        source.prefetch(ranges, side_by_side=max(1, len(ranges) // max(1, len(groups))), **declared)
    return parquet


def is_encrypted(error: Exception) -> bool:
    """Whether pyarrow failed for want of a key."""
    return 'decrypt' in str(error).lower() or 'encrypted' in str(error).lower()
