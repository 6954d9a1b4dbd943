"""Parquet to rows, by row group, with its footer read once."""

from __future__ import annotations

import struct
import threading
from collections import OrderedDict
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.files.parquet import chunk_ranges, open_parquet
from transforms.files.storage import FileInfo
from transforms.read_hf.batches import BATCH_ROWS, batch_rows, first_line
from transforms.read_hf.rows import LostPart, ReadLimits, Rows, UnitFault
from transforms.read_hf.units import ReadUnit

_FOOTERS: OrderedDict[tuple, pq.FileMetaData] = OrderedDict()
_FOOTERS_LOCK = threading.Lock()
_KEPT_FOOTERS = 4


def read_footer(root: str, file: FileInfo, source: BinaryIO, limits: ReadLimits) -> pq.FileMetaData:
    """The metadata of a Parquet; the last few are kept, for several units share a file.

    A footer that would take much memory is refused before anything parses it.

    Raises:
        UnitFault: it is no Parquet, or its footer is too large or damaged.
    """
    key = (root, file.path, file.size, file.stamp)
    with _FOOTERS_LOCK:
        if key in _FOOTERS:
            return _FOOTERS[key]
    _check_footer(source, file.size, limits)
    source.seek(0)
    try:
        metadata = pq.read_metadata(source)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnitFault('DamagedFile', first_line(error)) from None
    if metadata.num_columns > limits.columns:
        raise UnitFault('TooManyColumns', f'{metadata.num_columns} columns; the limit is {limits.columns}')
    if root:  # a member of an archive is no file that is read twice
        with _FOOTERS_LOCK:
            _FOOTERS[key] = metadata
            while len(_FOOTERS) > _KEPT_FOOTERS:
                _FOOTERS.popitem(last=False)
    return metadata


def _check_footer(source: BinaryIO, size: int, limits: ReadLimits) -> None:
    if size < 12:
        raise UnitFault('DamagedFile', f'{size} bytes are no Parquet file')
    source.seek(size - 8)
    length, magic = struct.unpack('<I4s', source.read(8))
    if magic not in (b'PAR1', b'PARE'):
        raise UnitFault('DamagedFile', f'it ends with {magic!r}, a Parquet file ends with PAR1')
    if length > limits.footer_bytes or length + 8 > size:
        raise UnitFault('DamagedFile', f'a footer of {length} bytes in a file of {size}; the limit is '
                                       f'{limits.footer_bytes}')


def read_parquet(unit: ReadUnit, source: BinaryIO, limits: ReadLimits) -> Rows:
    """Rows of the row groups that begin in the unit's range; a row group that cannot be read is lost alone."""
    meta = read_footer(unit.root, unit.file, source, limits)
    try:
        parquet = open_parquet(source, (), (), meta)
        present = parquet.schema_arrow.names
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnitFault('DamagedFile', first_line(error)) from None
    names = [n for n in present if not unit.columns or n in unit.columns]
    if missing := set(unit.columns) - set(names):
        raise UnitFault('ColumnMissing', f"it has no column {', '.join(sorted(missing))}")
    ranges = [min(chunk_ranges(meta, None, (g,)), default=(0, 0))[0] for g in range(meta.num_row_groups)]
    groups = [g for g, at in enumerate(ranges) if unit.start <= at < unit.end or (unit.is_first and at < unit.start)]
    if hasattr(source, 'declare'):
        wanted = chunk_ranges(meta, unit.columns or None, groups)
        source.declare(wanted, side_by_side=max(1, len(wanted) // max(1, len(groups))), eager=not unit.few)
    first = 0
    for group in range(meta.num_row_groups):
        count = meta.row_group(group).num_rows
        if group in groups:
            done = 0
            try:
                for batch in parquet.iter_batches(BATCH_ROWS, row_groups=[group], columns=names):
                    yield from batch_rows(batch, first + done)
                    done += batch.num_rows
            except (pa.ArrowException, OSError, ValueError) as error:
                yield LostPart(f'row group {group}', 'DamagedRowGroup', first_line(error), count - done)
        first += count


def parquet_schema(root: str, file: FileInfo, source: BinaryIO, limits: ReadLimits) -> tuple[pa.Schema, int]:
    """The Arrow schema and number of rows of a Parquet, from its footer alone.

    Raises:
        UnitFault: it cannot be read.
    """
    metadata = read_footer(root, file, source, limits)
    try:
        return metadata.schema.to_arrow_schema(), metadata.num_rows
    except (pa.ArrowException, ValueError) as error:
        raise UnitFault('DamagedFile', first_line(error)) from None
