"""Parquet by column and row group: from the Hub only the bytes of what is wanted are fetched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import BinaryIO

import pyarrow.parquet as pq

_BUFFER = 1 << 20


def open_parquet(source: BinaryIO, columns: Sequence[str] | None = None, row_groups: Iterable[int] | None = None,
                 metadata: pq.FileMetaData | None = None) -> pq.ParquetFile:
    """A Parquet file that will be read for these columns and row groups (None: all), page by page.

    One row group may hold a whole file, so column chunks are read through small buffers instead of at once. A source
    that reads ahead is told which ranges are wanted. With `metadata` the footer is not read again.
    """
    parquet = pq.ParquetFile(source, metadata=metadata, pre_buffer=False, buffer_size=_BUFFER)
    if hasattr(source, 'declare'):
        ranges = chunk_ranges(parquet.metadata, columns, row_groups)
        source.declare(ranges, side_by_side=max(1, len(ranges) // max(1, parquet.metadata.num_row_groups)))
    return parquet


def chunk_ranges(metadata: pq.FileMetaData, columns: Sequence[str] | None = None,
                 row_groups: Iterable[int] | None = None) -> list[tuple[int, int]]:
    """[start, end) of each column chunk of these columns (top-level names) and row groups; None for all."""
    wanted = None if columns is None else set(columns)
    ranges = []
    for group in range(metadata.num_row_groups) if row_groups is None else row_groups:
        row_group = metadata.row_group(group)
        for i in range(row_group.num_columns):
            chunk = row_group.column(i)
            if wanted is None or chunk.path_in_schema.partition('.')[0] in wanted:
                start = chunk.data_page_offset
                if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < start:
                    start = chunk.dictionary_page_offset
                ranges.append((start, start + chunk.total_compressed_size))
    return ranges
