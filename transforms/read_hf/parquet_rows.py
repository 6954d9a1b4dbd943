"""Parquet to rows, by row group, with its footer read once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from itertools import accumulate
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.files.parquet import Footer, is_encrypted, open_parquet
from transforms.files.parquet import read_footer as read_any_footer
from transforms.files.parquet_footer import FooterError
from transforms.files.storage import FileInfo
from transforms.read_hf.batches import BATCH_ROWS, Fitter, batch_rows, check_names, first_line
from transforms.read_hf.rows import LostPart, ReadLimits, Rows, UnitFault
from transforms.read_hf.units import ReadUnit

_FOOTERS: OrderedDict[tuple, Footer] = OrderedDict()
_FOOTERS_LOCK = threading.Lock()
_KEPT_FOOTERS = 4


def read_footer(root: str, file: FileInfo, source: BinaryIO, limits: ReadLimits) -> Footer:
    """The footer of a Parquet; the last few are kept, for several units share a file.

    Raises:
        UnitFault: it is no Parquet, or its footer is too large, damaged or encrypted.
    """
    key = (root, file.path, file.size, file.fingerprint)
    with _FOOTERS_LOCK:
        if key in _FOOTERS:
            return _FOOTERS[key]
    try:
        footer = read_any_footer(source, file.size, limits.footer_bytes)
    except FooterError as error:
        raise UnitFault('EncryptedFile' if is_encrypted(error) else 'DamagedFile', str(error)) from None
    if footer.metadata.num_columns > limits.columns:
        raise UnitFault('TooManyColumns', f'{footer.metadata.num_columns} columns; the limit is {limits.columns}')
    if root:  # a member of an archive is no file that is read twice
        with _FOOTERS_LOCK:
            _FOOTERS[key] = footer
            while len(_FOOTERS) > _KEPT_FOOTERS:
                _FOOTERS.popitem(last=False)
    return footer


def read_parquet(unit: ReadUnit, source: BinaryIO, limits: ReadLimits) -> Rows:
    """The unit's rows by number, or those of the row groups that begin in its bytes; a row group that cannot be read is lost alone."""
    footer = read_footer(unit.root, unit.file, source, limits)
    meta = footer.metadata
    try:
        fitter = Fitter(footer.schema, unit.schema, unit.columns)
        groups = _groups_of(unit, footer)
        parquet = open_parquet(source, footer, fitter.present if unit.columns else None, groups, eager=not unit.limited)
    except FooterError as error:
        raise UnitFault('DamagedFile', str(error)) from None
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise UnitFault('DamagedFile', first_line(error)) from None
    total = sum(meta.row_group(group).num_rows for group in range(meta.num_row_groups))
    if total != meta.num_rows and unit.is_first:
        yield LostPart('whole file', 'DamagedFile', f'its row groups hold {total} rows, its footer says {meta.num_rows}',
                       max(0, meta.num_rows - total))
    first = 0
    for group in range(meta.num_row_groups):
        count = meta.row_group(group).num_rows
        if group in groups:
            yield from _group_rows(parquet, group, first, count, unit.rows or (first, first + count), fitter)
        first += count


def _group_rows(parquet: pq.ParquetFile, group: int, first: int, count: int, wanted: tuple[int, int], fitter: Fitter) -> Rows:
    """The wanted rows [from, to) of a row group that holds the rows from `first` on."""
    at, end = first, min(first + count, wanted[1])
    try:
        for batch in parquet.iter_batches(BATCH_ROWS, row_groups=[group], columns=fitter.present):
            if batch.schema.names != fitter.present:  # a column named a.b is also a path within a
                batch = batch.select(fitter.present)
            skipped = max(0, wanted[0] - at)
            if skipped < batch.num_rows:
                yield from batch_rows(batch.slice(skipped, end - at - skipped), at + skipped, fitter)
            at += batch.num_rows
            if at >= end:
                break
        if at < end:
            yield _lost(group, end - max(at, wanted[0]), f'it holds {at - first} rows, its footer says {count}')
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        yield _lost(group, end - max(at, wanted[0]), first_line(error),
                    'EncryptedFile' if is_encrypted(error) else 'DamagedRowGroup')


def _groups_of(unit: ReadUnit, footer: Footer) -> set[int]:
    """The row groups that begin in the unit's range, or hold rows of it; of a file that is one unit all."""
    groups = range(footer.metadata.num_row_groups)
    if unit.rows:
        ends = list(accumulate(footer.metadata.row_group(group).num_rows for group in groups))
        return {g for g in groups if max([0, *ends][g], unit.rows[0]) < min(ends[g], unit.rows[1])}
    if unit.is_first and unit.end == unit.file.size:
        return set(groups)
    starts = [min((chunk.start for chunk in chunks), default=0) for chunks in footer.chunks]
    return {g for g in groups if unit.start <= starts[g] < unit.end or (unit.is_first and starts[g] < unit.start)
            or (unit.end == unit.file.size and starts[g] >= unit.end)}


def _lost(group: int, count: int, message: str, error: str = 'DamagedRowGroup') -> LostPart:
    return LostPart(f'row group {group}', error, message, max(0, count))


def parquet_schema(root: str, file: FileInfo, source: BinaryIO, limits: ReadLimits) -> tuple[pa.Schema, int]:
    """The Arrow schema and number of rows of a Parquet, from its footer alone.

    Raises:
        UnitFault: it cannot be read, or has two columns of one name.
    """
    footer = read_footer(root, file, source, limits)
    try:
        check_names(footer.schema.names)
        return footer.schema, footer.metadata.num_rows
    except (pa.ArrowException, ValueError, MemoryError) as error:
        raise UnitFault('DamagedFile', first_line(error)) from None
