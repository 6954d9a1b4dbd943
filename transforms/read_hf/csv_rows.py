"""CSV and TSV to rows, typed as pandas types them, as `datasets` does, with one type for a column of a split."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from functools import partial
from typing import BinaryIO

import pyarrow as pa

from transforms.files.json_values import JsonError
from transforms.read_hf.batches import BATCH_ROWS, Fitter, batch_rows, check_names, first_line
from transforms.read_hf.csv_pieces import CsvPieces, csv_params, safe_head
from transforms.read_hf.features import LABELS
from transforms.read_hf.kinds import COMPLETE, FROM_CARD, Change, family, merged
from transforms.read_hf.rows import BadRow, LostPart, ReadLimits, Rows, UnitFault
from transforms.read_hf.streams import Stream, WholeReads, open_text
from transforms.read_hf.units import ReadUnit

_EXACT, _LARGEST, _MAX_DIGITS = 2.0 ** 53, 2.0 ** 64, 300
_VOUCHED = frozenset({COMPLETE, FROM_CARD})  # every value was looked at, or the card says that they are floats
_HEAD_BYTES = 256 << 10
_INTEGER = re.compile(r'\s*[+-]?\d{1,18}\s*')
_MANGLED = re.compile(r'(.+)\.\d+\Z', re.DOTALL)


def read_csv(unit: ReadUnit, source: BinaryIO, limits: ReadLimits) -> Rows:
    """Rows of a CSV or TSV. A column that holds text anywhere in the split keeps the text of each cell ('007')."""
    row, of_split = 0, pa.ipc.read_schema(pa.BufferReader(unit.schema)) if unit.schema else pa.schema([])
    as_text = {f.name: str for f in of_split if family(f.type) == 'str' or LABELS in (f.metadata or {})}
    labels = {f.name for f in of_split if LABELS in (f.metadata or {})}
    params = dict(unit.params)
    try:
        _check_header(open_text(source, unit.params), unit.layout.format, params)
        source.seek(0)
        for row, frame in CsvPieces(open_text(source, unit.params), unit.layout.format, params, limits, as_text).frames():
            if isinstance(frame, BadRow):
                yield row, frame
                row += 1
                continue
            table = pa.Table.from_pandas(frame, preserve_index=False)
            fitter = Fitter(table.schema, unit.schema, unit.columns, casts=True)
            for name in labels & fitter.changes.keys():  # a column of integers holds labels' numbers, whatever their names look like
                fitter.changes[name] = (None, partial(_by_number, fitter.changes[name][1]))
            if not _VOUCHED & (of_split.metadata or {}).keys():
                fitter.changes.update({name: (type(None), partial(_refuse_inexact, name)) for name in _perhaps_inexact(frame)
                                       if name in fitter.present and name not in fitter.changes})
            for batch in table.select(fitter.present).to_batches(BATCH_ROWS):
                yield from batch_rows(batch, row, fitter)
                row += batch.num_rows
    except UnitFault as fault:
        if not row and fault.error in ('ColumnMissing', 'DuplicateColumn', 'SchemaMismatch', 'ExtraFields'):
            raise
        yield LostPart(f'from row {row}', fault.error, fault.message)
    except (ValueError, OverflowError, TypeError, pa.ArrowException) as error:  # pandas' parser errors are ValueErrors
        if not row and 'No columns to parse' in str(error):
            return
        if 'Usecols do not match' in str(error):
            raise UnitFault('ColumnMissing', first_line(error)) from None
        yield LostPart(f'from row {row}', 'DamagedFile', f'{type(error).__name__}: {first_line(error)}')


def _by_number(change: Change, value: object) -> object:
    return change(int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else value)


def _check_header(stream: Stream, kind: str, params: dict[str, object]) -> None:
    """Refuses two columns of one name, which pandas would call a and a.1.

    Raises:
        UnitFault: 'DuplicateColumn'.
    """
    import pandas as pd

    given = {**csv_params(kind, params), 'encoding_errors': 'replace'}  # a head may end within a letter
    if 'names' in given or given.get('header', 'infer') not in ('infer', 0):
        return
    head, given = safe_head(WholeReads(stream).read(_HEAD_BYTES), given)
    try:
        names = list(pd.read_csv(io.BytesIO(head), **{**given, 'nrows': 0, 'usecols': None}).columns)
        if not any((match := _MANGLED.match(str(name))) and match[1] in names for name in names):
            return
        raw = pd.read_csv(io.BytesIO(head), **{**given, 'nrows': 1, 'header': None, 'dtype': str, 'usecols': None,
                                               'na_filter': False})
    except (ValueError, OverflowError):
        return  # reading tells what is wrong
    check_names([str(name) for name in raw.iloc[0]])


def _perhaps_inexact(frame: object) -> list[str]:
    """The columns of floats that may have been integers with more digits than a float holds.

    Pandas makes floats of a column of integers with empty cells.
    """
    floats = frame.select_dtypes('float64')
    return [name for name in floats if ((floats[name].abs() >= _EXACT) & (floats[name] % 1 == 0)).any()]


def _refuse_inexact(name: str, value: object) -> object:
    if type(value) is float and _EXACT <= abs(value) < _LARGEST and value.is_integer():
        raise JsonError('TypeMismatch', f'{name} is about {value:.0f}: as a float it may have lost digits, and of this file not all was '
                                        'looked at to make the column text (convert a local copy)')
    return value


def _inexact(names: list[str], stream: Stream, kind: str, params: dict[str, object], size: int, limits: ReadLimits) -> set[str]:
    """Those columns that hold an integer which is not equal to any float."""
    found: set[str] = set()
    for _, frame in CsvPieces(_UpTo(stream, size), kind, params, limits, dict.fromkeys(names, str)).frames():
        for name in names if not isinstance(frame, BadRow) else ():
            texts = frame[name].dropna()
            integers = texts[texts.str.fullmatch(r'\s*[+-]?\d{16,}\s*')]
            if any(len(text) > _MAX_DIGITS or int(text) != float(text) for text in integers):
                found.add(name)
    return found


def csv_types(opened: Callable[[], Stream], kind: str, params: dict[str, object], size: int, limits: ReadLimits) -> tuple[pa.Schema, bool]:
    """(types of the columns in the first `size` bytes, whether that was all); a column that mixes types is text.

    So is one of integers that no float holds and of empty cells, of which pandas makes other numbers. `opened` gives the stream anew.
    """
    types: dict[str, pa.DataType] = {}
    doubtful: set[str] = set()
    bounded = _UpTo(opened(), size)
    try:
        for _, frame in CsvPieces(bounded, kind, params, limits, {}).frames():
            if isinstance(frame, BadRow):
                continue
            doubtful.update(_perhaps_inexact(frame))
            for field in pa.Schema.from_pandas(frame, preserve_index=False):
                both = merged(types.get(field.name, field.type), field.type)
                types[field.name] = pa.string() if both is None else both
        if doubtful:
            types.update(dict.fromkeys(_inexact(sorted(doubtful), opened(), kind, params, size, limits), pa.string()))
    except (ValueError, OverflowError, TypeError, UnitFault, pa.ArrowException):
        return pa.schema(types.items()), False  # reading tells what is wrong
    return pa.schema(types.items()), not bounded.cut


class _UpTo(Stream):
    """The whole lines in the first bytes of a stream."""

    def __init__(self, stream: Stream, size: int) -> None:
        super().__init__(self._some)
        self._stream, self._left, self._tail, self.cut = stream, size, b'', False

    def _some(self, _: int) -> bytes:
        while self._left > 0:
            data = self._stream.read(1 << 20)
            if not data:
                self._left, out, self._tail = 0, self._tail, b''
                return out
            self._left -= len(data)
            data = self._tail + data
            end = data.rfind(b'\n') + 1
            self._tail = data[end:]
            if end:
                return data[:end]
        self.cut = self.cut or bool(self._tail or self._stream.read(1))
        return b''
