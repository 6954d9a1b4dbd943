"""read_unit(): one unit of any format to rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Protocol

from transforms.files import storage
from transforms.files.lfs import IS_POINTER, LONGEST_POINTER, is_lfs_pointer
from transforms.read_hf.archives import read_members, read_webdataset, zip_members
from transforms.read_hf.csv_rows import read_csv
from transforms.read_hf.folders import read_media, read_metadata
from transforms.read_hf.json_rows import read_json
from transforms.read_hf.lines import parse_text, read_lines
from transforms.read_hf.parquet_rows import read_parquet
from transforms.read_hf.rows import DEFAULT_LIMITS, ReadLimits, Rows, UnitFault
from transforms.read_hf.tables import read_arrow, read_avro
from transforms.read_hf.units import ReadUnit


class Placed(Protocol):
    """What says how far it was read."""

    def tell(self) -> int:
        """Offset in its file."""


def _read_text(unit: ReadUnit, source: BinaryIO, limits: ReadLimits) -> Rows:
    return read_lines(unit, source, limits, parse_text)


def _read_zip(unit: ReadUnit, source: BinaryIO, limits: ReadLimits) -> Rows:
    return read_members(unit, source, limits, zip_members, read_data)


def _read_webdataset(unit: ReadUnit, source: BinaryIO, limits: ReadLimits) -> Rows:
    return read_webdataset(unit, source, limits, read_data)


_WATCHED_ROWS = 64
_READERS = {'parquet': read_parquet, 'json': read_json, 'csv': read_csv, 'tsv': read_csv, 'text': _read_text,
            'arrow': read_arrow, 'avro': read_avro, 'webdataset': _read_webdataset, 'zip': _read_zip}


def read_data(unit: ReadUnit, source: BinaryIO, limits: ReadLimits) -> Rows:
    """(row number, values or BadRow) of an open data file, and LostPart where a part of it cannot be read.

    Raises:
        UnitFault: nothing of it can be read (any more).
    """
    return _READERS[unit.layout.format](unit, source, limits)


def read_unit(unit: ReadUnit, limits: ReadLimits = DEFAULT_LIMITS, done: Callable[[int], None] | None = None) -> Rows:
    """The same of a unit, which is opened here; the file is closed when the rows end or are left.

    `done` is called now and then with the bytes that were worked off since, and at the end: their sum is the unit's.

    Raises:
        UnitFault: as `read_data`; the file is not there any more.
        RunAborted: the Hub is down, or the file has changed.
    """
    if unit.layout.format in ('image', 'audio'):
        yield from read_media(unit)
        return
    with open_unit(unit) as source:
        rows = read_data(unit, source, limits)
        if dict(unit.params).get('media'):
            rows = read_metadata(unit, rows, limits)
        yield from rows if done is None else watched(unit, source, rows, done)


@contextmanager
def open_unit(unit: ReadUnit) -> Iterator[BinaryIO]:
    """The open file of a unit.

    Raises:
        UnitFault: it is not there (any more), or shorter than when it was listed.
        RunAborted: the Hub is down, or the file has changed.
    """
    try:
        source = storage.open_info(unit.root, unit.file)
    except FileNotFoundError:
        raise UnitFault('FileMissing', 'it is not there any more') from None
    except PermissionError as error:
        raise UnitFault('FileUnreadable', f'it cannot be read: {error.strerror}') from None
    with source:
        _check_size(unit, source)
        yield source
        _check_size(unit, source)


def watched(unit: ReadUnit, source: Placed, rows: Rows, done: Callable[[int], None]) -> Rows:
    """The rows; `done` is called now and then with the bytes of the unit that `source` went on."""
    at = 0
    try:
        for number, item in enumerate(rows):
            yield item
            if number % _WATCHED_ROWS == 0:
                now = min(max(at, source.tell() - unit.start), unit.bytes)
                done(now - at)
                at = now
    finally:
        done(unit.bytes - at)


def _check_size(unit: ReadUnit, source: BinaryIO) -> None:
    """Refuses a file that was cut since it was listed: lines and tables of text show no sign of being cut.

    Raises:
        UnitFault: 'FileShorter', or 'LfsPointer' for what Git leaves in the place of a file that was not downloaded.
    """
    if not storage.is_local(unit.path):
        return
    size = os.fstat(source.fileno()).st_size
    if size < unit.file.size:
        raise UnitFault('FileShorter', f'it has {size} bytes, {unit.file.size} when it was listed')
    if size <= LONGEST_POINTER and is_lfs_pointer(os.pread(source.fileno(), LONGEST_POINTER, 0)):
        raise UnitFault('LfsPointer', IS_POINTER)
