"""The text of a CSV in pieces of whole records, each parsed by pandas, and the records that pandas cannot parse.

Pandas' own chunks do not do: it passes over the surplus fields in the first row of each (pandas 2.1 to 2.3), and one record that
cannot be parsed costs all of its chunk. A piece ends at a line's end outside of quotes; where that was a wrong guess, because of a
stray quote, pandas finds the last field open and the piece grows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from transforms.files.json_values import has_lone_surrogate
from transforms.read_hf.card import CSV_PARAMS
from transforms.read_hf.rows import BadRow, ReadLimits, UnitFault
from transforms.read_hf.streams import Stream

if TYPE_CHECKING:
    import pandas as pd

_PIECE, _READ = 4 << 20, 1 << 20
_DIALECT = ('quotechar', 'doublequote', 'escapechar', 'skipinitialspace', 'quoting')
_BEYOND_DIALECT = ('skiprows', 'nrows', 'comment', 'lineterminator', 'skip_blank_lines')


class ExtraFields(ValueError):
    """The first record of a piece has more fields than the header, of which pandas makes an index."""


def csv_params(kind: str, params: dict[str, object]) -> dict[str, object]:
    """Pandas' parameters for a CSV: what the dataset's card says, and errors that are not passed over."""
    given = {name: params[name] for name in CSV_PARAMS if name in params}
    given['sep'] = str(given.pop('delimiter', None) or given.get('sep') or ('\t' if kind == 'tsv' else ','))
    if names := given.pop('column_names', None):
        given['names'] = names
    given.pop('encoding', None)  # the stream is UTF-8 by now
    given.pop('encoding_errors', None)
    return {**given, 'on_bad_lines': 'error', 'encoding_errors': 'strict'}


class CsvPieces:
    """A CSV or TSV as data frames.

    Args:
        stream: its text, UTF-8.
        kind: 'csv' or 'tsv'.
        params: what the dataset's card says of it.
        limits: what a record may cost.
        as_text: columns whose cells stay text.
    """

    def __init__(self, stream: Stream, kind: str, params: dict[str, object], limits: ReadLimits, as_text: dict[str, type]) -> None:
        self._stream, self._limits, self._as_text = stream, limits, as_text
        self._given = csv_params(kind, params)
        self._left = self._given.pop('nrows', None)  # of all pieces together
        self._quote = b'' if self._given.get('quoting') == csv.QUOTE_NONE else str(self._given.get('quotechar') or '"').encode()
        self._held, self._ended, self._size, self._odd = b'', False, _PIECE, False
        self._names: list[object] | None = None
        self._at_start = True

    def frames(self) -> Iterator[tuple[int, pd.DataFrame | BadRow]]:
        """(number of its first row, frame), and (row, BadRow) for records with too many fields or bytes that are no UTF-8.

        Memory: a piece of 4 MiB, or one record, and its frame.

        Raises:
            UnitFault: 'ExtraFields' (the first record has more fields than the header), 'LineTooLong', 'NulByte', or 'DamagedFile'
                (a quote is never closed).
            ValueError: pandas cannot read it; also other exceptions of pandas.
        """
        row = 0
        while (piece := self._next_piece()) and self._left != 0:
            if self._names is None and not self._read_header(piece):
                continue
            try:
                found = [(row, self._parse(piece))]
            except (ValueError, OverflowError) as error:
                is_open = self._is_open(piece)
                if is_open and not self._ended and len(piece) <= self._limits.line_bytes:
                    self._grow(piece)
                    continue
                found = self._one_by_one(piece, row, is_open, error)
            self._size, self._odd = _PIECE, False
            for row, frame in found:
                yield row, frame
                row += 1 if isinstance(frame, BadRow) else len(frame)
            self._at_start = False

    def _next_piece(self) -> bytes:
        """Whole records as far as can be told, all the rest when it ends, b'' after that."""
        while not self._ended:
            if len(self._held) >= self._size and (cut := self._cut()):
                piece, self._held = self._held[:cut], self._held[cut:]
                return piece
            self._read_on()
        piece, self._held = self._held, b''
        return piece

    def _read_on(self) -> None:
        data = self._stream.read(_READ)
        self._held += data
        self._ended = not data
        if len(self._held) - self._held.rfind(b'\n') > self._limits.line_bytes:
            raise UnitFault('LineTooLong', f'a line of more than {self._limits.line_bytes} bytes')
        if b'\0' in data:
            raise UnitFault('NulByte', 'a zero byte, at which pandas would end a cell: is it UTF-16? The card can name an encoding')

    def _cut(self) -> int:
        """Where the last line ends that ends outside of quotes; where the last one ends when none seems to; 0 for no line."""
        held, ends = self._held, b'\n'
        end = held.rfind(ends) + 1
        if not end:
            ends, end = b'\r', held.rfind(b'\r', 0, len(held) - 1) + 1
        at = end
        is_inside = self._quote and (held.count(self._quote, 0, at) + self._odd) % 2
        while is_inside and at:
            before = held.rfind(ends, 0, at - 1) + 1
            is_inside ^= held.count(self._quote, before, at) % 2
            at = before
        return at or end

    def _grow(self, piece: bytes) -> None:
        """Gives back a piece that is no whole one, for a longer one; perhaps one of the quotes before its end is no quote."""
        self._held, self._odd = piece + self._held, not self._odd
        self._size = 2 * len(self._held)

    def _read_header(self, piece: bytes) -> bool:
        """Takes the names of the columns; False when the piece holds no header yet, or not all lines that the card skips.

        Raises:
            UnitFault: 'DuplicateColumn'.
        """
        import pandas as pd

        skipped = self._given.get('skiprows')
        if isinstance(skipped, list) and piece.count(b'\n') <= max(skipped, default=0) and not self._ended:
            self._grow(piece)
            return False
        try:
            self._names = list(pd.read_csv(io.BytesIO(piece), **{**self._given, 'nrows': 0, 'usecols': None,
                                                                    'encoding_errors': 'surrogateescape'}).columns)
        except ValueError:
            if self._ended or len(piece) > self._limits.line_bytes:
                raise
            self._grow(piece)
            return False
        if has_lone_surrogate(''.join(map(str, self._names))):
            raise UnitFault('InvalidUtf8', 'its header has bytes that are no UTF-8')
        return True

    def _parse(self, piece: bytes) -> pd.DataFrame:
        rest = {} if self._at_start else {'header': None, 'names': self._names, 'skiprows': None}
        return self._limited(self._read(piece, {**self._given, **rest}))

    def _read(self, piece: bytes, given: dict[str, object]) -> pd.DataFrame:
        import pandas as pd

        frame = pd.read_csv(io.BytesIO(piece), low_memory=False, dtype=self._as_text, **given)
        if isinstance(frame.index, pd.RangeIndex):
            return frame
        if self._at_start:
            raise _surplus()
        raise ExtraFields('more fields than the header')

    def _limited(self, frame: pd.DataFrame) -> pd.DataFrame:
        if self._left is not None:
            frame = frame.iloc[:self._left]
            self._left -= len(frame)
        return frame

    def _is_open(self, piece: bytes) -> bool:
        """Whether a piece ends within quotes."""
        import pandas as pd

        given = {name: self._given[name] for name in (*_DIALECT, 'sep', 'comment', 'lineterminator') if name in self._given}
        try:
            pd.read_csv(io.BytesIO(piece), header=None, usecols=[0], dtype=str, na_filter=False, encoding_errors='replace', **given)
        except ValueError as error:
            return 'EOF inside string' in str(error)
        return False

    def _one_by_one(self, piece: bytes, row: int, is_open: bool, error: Exception) -> Iterator[tuple[int, pd.DataFrame | BadRow]]:
        """The records of a piece that pandas does not take; runs of good ones as frames of one typing.

        Raises:
            Exception: `error`, where Python's csv does not know the card's dialect.
        """
        if any(name in self._given for name in _BEYOND_DIALECT) or self._left is not None or len(self._given['sep']) != 1 \
                or self._given.get('header', 'infer') not in (None, 0, 'infer'):
            raise error
        records = list(self._records(piece))
        if self._at_start and self._given.get('header', 'infer' if 'names' not in self._given else None) is not None:
            del records[:1]
        last = records.pop() if is_open and records else None
        bad = {number: problem for number, fields in enumerate(records) if (problem := self._problem(fields))}
        if self._at_start and records and len(records[0]) > len(self._names):
            raise _surplus()
        good = [fields for number, fields in enumerate(records) if number not in bad]
        frame = self._read_records(good) if good else None
        start = taken = 0
        for number in (*bad, len(records)):
            if number > start:
                yield row + start, frame.iloc[taken:taken + number - start]
                taken += number - start
            if number in bad:
                yield row + number, bad[number]
            start = number + 1
        if last is not None:
            raise UnitFault('DamagedFile' if self._ended else 'LineTooLong',
                            f'a quote that opens in row {row + len(records)} is not closed')

    def _records(self, piece: bytes) -> Iterator[list[str]]:
        """The fields of each record, bytes that are no UTF-8 as surrogates; blank lines are none, as for pandas."""
        csv.field_size_limit(max(csv.field_size_limit(), len(piece)))
        given = {name: self._given[name] for name in _DIALECT if self._given.get(name) is not None}
        lines = io.StringIO(piece.decode('utf-8', 'surrogateescape'), newline='').readlines()
        reader = csv.reader(lines, delimiter=self._given['sep'], **given)
        for fields in reader:
            if len(fields) > 1 or lines[reader.line_num - 1].strip(' \t\r\n'):
                yield fields

    def _problem(self, fields: list[str]) -> BadRow | None:
        if len(fields) > len(self._names):
            return BadRow('ExtraFields', f'{len(fields)} fields, and the header has {len(self._names)}')
        return BadRow('InvalidUtf8', 'bytes that are no UTF-8') if has_lone_surrogate(''.join(fields)) else None

    def _read_records(self, records: list[list[str]]) -> pd.DataFrame:
        text = io.StringIO()
        csv.writer(text, lineterminator='\n').writerows(records)
        plain = {name: value for name, value in self._given.items() if name not in (*_DIALECT, 'sep')}
        return self._read(text.getvalue().encode(), {**plain, 'header': None, 'names': self._names})


def _surplus() -> UnitFault:
    return UnitFault('ExtraFields', 'its rows have more fields than its header: repair the header, or the delimiter at the end of each row')
