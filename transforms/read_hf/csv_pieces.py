"""The text of a CSV in pieces of whole records, each parsed by pandas, and the records that pandas cannot parse.

Pandas' own chunks do not do: it passes over the surplus fields in the first row of each (pandas 2.1 to 2.3), and one record that
cannot be parsed costs all of its chunk. A piece ends at a line's end outside of quotes; where that was a wrong guess, because of a
stray quote, pandas finds the last field open and the piece grows.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from transforms.files.json_values import has_lone_surrogate
from transforms.read_hf.card import CSV_PARAMS
from transforms.read_hf.rows import BadRow, ReadLimits, UnitFault
from transforms.read_hf.streams import Stream

if TYPE_CHECKING:
    import pandas as pd

_PIECE, _READ = 4 << 20, 1 << 20
_BOM = b'\xef\xbb\xbf'
# White space at the begin of a line that follows a lone carriage return: pandas' tokenizer goes back too far, and never ends.
_HANGS = re.compile(rb'\r[ \t]')
_DIALECT = ('quotechar', 'doublequote', 'escapechar', 'skipinitialspace', 'quoting')
_BEYOND_DIALECT = ('skiprows', 'nrows', 'comment', 'lineterminator', 'skip_blank_lines')


class ExtraFields(ValueError):
    """The first record of a piece has more fields than the header, of which pandas makes an index."""


class _Hangs(ValueError):
    """Pandas must not see the piece."""


def csv_params(kind: str, params: dict[str, object]) -> dict[str, object]:
    """Pandas' parameters for a CSV: what the dataset's card says, and errors that are not passed over."""
    given = {name: params[name] for name in CSV_PARAMS if name in params}
    given['sep'] = str(given.pop('delimiter', None) or given.get('sep') or ('\t' if kind == 'tsv' else ','))
    if names := given.pop('column_names', None):
        given['names'] = names
    given.pop('encoding', None)  # the stream is UTF-8 by now
    given.pop('encoding_errors', None)
    return {**given, 'on_bad_lines': 'error', 'encoding_errors': 'strict'}


def safe_head(data: bytes, given: dict[str, object]) -> tuple[bytes, dict[str, object]]:
    """The first bytes of a CSV and pandas' parameters for reading its header, without what makes pandas hang.

    Raises:
        UnitFault: 'DamagedFile' where Python's csv does not know the card's dialect either.
    """
    if not _may_hang(data, given):
        return data, given
    return _as_plain(itertools.islice(_records(data, given), 3)), _plain(given)


def _names(data: bytes, given: dict[str, object]) -> list[object]:
    import pandas as pd

    return list(pd.read_csv(io.BytesIO(data), **{**given, 'nrows': 0, 'usecols': None, 'encoding_errors': 'surrogateescape'}).columns)


def _may_hang(data: bytes, given: dict[str, object]) -> bool:
    if not given.get('skip_blank_lines', True) or given.get('lineterminator') or not _HANGS.search(data):
        return False
    if not _is_known_to_csv(given):
        raise UnitFault('DamagedFile', 'a lone carriage return before white space, on which pandas does not end: make its line ends equal')
    return True


def _is_known_to_csv(given: dict[str, object]) -> bool:
    """Whether Python's csv finds the same records as pandas does with these parameters."""
    return (not any(name in given for name in _BEYOND_DIALECT) and len(given['sep']) == 1
            and given.get('header', 'infer') in (None, 0, 'infer'))


def _has_header(given: dict[str, object]) -> bool:
    header = given.get('header', 'infer')
    return header is not None and not (header == 'infer' and 'names' in given)


def _records(data: bytes, given: dict[str, object]) -> Iterator[list[str]]:
    """The fields of each record, bytes that are no UTF-8 as surrogates; blank lines are none, as for pandas."""
    csv.field_size_limit(max(csv.field_size_limit(), len(data)))
    dialect = {name: given[name] for name in _DIALECT if given.get(name) is not None}
    dialect['quoting'] = csv.QUOTE_NONE if given.get('quoting') == csv.QUOTE_NONE else csv.QUOTE_MINIMAL
    lines = io.StringIO(data.decode('utf-8', 'surrogateescape'), newline='').readlines()
    reader = csv.reader(lines, delimiter=given['sep'], **dialect)
    before = 0
    for fields in reader:
        if len(fields) > 1 or reader.line_num > before + 1 or lines[before].strip(' \t\r\n'):
            yield fields
        before = reader.line_num


def _as_plain(records: Iterable[list[str]]) -> bytes:
    """Records as a CSV of which every field is quoted: pandas cuts it nowhere else."""
    text = io.StringIO()
    csv.writer(text, lineterminator='\n', quoting=csv.QUOTE_ALL).writerows(records)
    return text.getvalue().encode('utf-8', 'surrogateescape')


def _plain(given: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in given.items() if name not in (*_DIALECT, 'sep')}


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
        self._escape = str(self._given.get('escapechar') or '').encode()
        self._end = str(self._given.get('lineterminator') or '').encode()
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
                if _may_hang(piece, self._given):
                    raise _Hangs('white space after a lone carriage return')
                found = [(row, self._parse(piece))]
            except (ValueError, OverflowError) as error:
                is_open = self._is_open(piece, error)
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
                return self._without_mark(piece)
            self._read_on()
        piece, self._held = self._held, b''
        return self._without_mark(piece)

    def _without_mark(self, piece: bytes) -> bytes:
        """A later piece with an empty line before what pandas would take for the mark of a file's begin."""
        return piece if self._at_start or not piece.startswith(_BOM) else (self._end or b'\n') + piece

    def _read_on(self) -> None:
        data = self._stream.read(_READ)
        self._held += data
        self._ended = not data
        if len(self._held) - self._held.rfind(self._end or b'\n') > self._limits.line_bytes or \
                len(self._held) > _PIECE + 4 * self._limits.line_bytes:  # as of line ends that are all escaped
            raise UnitFault('LineTooLong', f'a line of more than {self._limits.line_bytes} bytes')
        if b'\0' in data:
            raise UnitFault('NulByte', 'a zero byte, at which pandas would end a cell: is it UTF-16? The card can name an encoding')

    def _cut(self) -> int:
        """Where the last line ends that ends outside of quotes; where the last one ends when none seems to; 0 for no line."""
        held, ends = self._held, self._end or b'\n'
        end = held.rfind(ends) + 1
        if not end and not self._end:
            ends, end = b'\r', held.rfind(b'\r', 0, len(held) - 1) + 1
        at = end
        is_inside = (held.count(self._quote, 0, at) + self._odd) % 2 if self._quote else 0
        while at and (is_inside or self._is_escaped(held, at)):
            before = held.rfind(ends, 0, at - 1) + 1
            is_inside ^= held.count(self._quote, before, at) % 2 if self._quote else 0
            at = before
        return at or (0 if self._is_escaped(held, end) else end)

    def _is_escaped(self, held: bytes, end: int) -> bool:
        """Whether the line end before `end` may be a part of a field."""
        return bool(self._escape) and held[max(0, end - 64):end].rstrip(self._end or b'\r\n').endswith(self._escape)

    def _grow(self, piece: bytes) -> None:
        """Gives back a piece that is no whole one, for a longer one; perhaps one of the quotes before its end is no quote."""
        self._held, self._odd = piece + self._held, not self._odd
        self._size = 2 * len(self._held)

    def _read_header(self, piece: bytes) -> bool:
        """Takes the names of the columns; False when the piece holds no header yet, or not all lines that the card skips.

        Raises:
            UnitFault: 'DuplicateColumn'.
        """
        skipped = self._given.get('skiprows')
        if isinstance(skipped, list) and piece.count(b'\n') <= max(skipped, default=0) and not self._ended:
            self._grow(piece)
            return False
        try:
            self._names = _names(*safe_head(piece, self._given))
        except ValueError:
            if not self._ended and len(piece) <= self._limits.line_bytes:
                self._grow(piece)
                return False
            if not _is_known_to_csv(self._given):
                raise
            self._names = _names(_as_plain(itertools.islice(_records(piece, self._given), 1)), _plain(self._given))
        if has_lone_surrogate(''.join(map(str, self._names))):
            raise UnitFault('InvalidUtf8', 'its header has bytes that are no UTF-8')
        return True

    def _parse(self, piece: bytes) -> pd.DataFrame:
        rest = {} if self._at_start else {'header': None, 'names': self._names, 'skiprows': None}
        return self._limited(self._read(piece, {**self._given, **rest, 'nrows': self._left}))

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

    def _is_open(self, piece: bytes, error: Exception) -> bool:
        """Whether a piece, of which pandas said `error`, ends within quotes."""
        import pandas as pd

        if isinstance(error, _Hangs):
            piece = piece.replace(b'\r ', b'\r').replace(b'\r\t', b'\r')
            if _HANGS.search(piece):
                return self._is_open(piece, error)
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
        if not _is_known_to_csv(self._given) or self._left is not None:
            raise error
        records = list(_records(piece.removeprefix(_BOM) if self._at_start else piece, self._given))
        if self._at_start and _has_header(self._given):
            del records[:1]
        if 'usecols' in self._given:  # pandas passes over what is not wanted, also beyond the header
            records = [fields[:len(self._names)] for fields in records]
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

    def _problem(self, fields: list[str]) -> BadRow | None:
        if len(fields) > len(self._names):
            return BadRow('ExtraFields', f'{len(fields)} fields, and the header has {len(self._names)}')
        return BadRow('InvalidUtf8', 'bytes that are no UTF-8') if has_lone_surrogate(''.join(fields)) else None

    def _read_records(self, records: list[list[str]]) -> pd.DataFrame:
        frame = self._read(_as_plain(records), {**_plain(self._given), 'header': None, 'names': self._names})
        if len(frame) != len(records):
            raise UnitFault('DamagedFile', f'pandas makes {len(frame)} rows of {len(records)} records')
        return frame


def _surplus() -> UnitFault:
    return UnitFault('ExtraFields', 'its rows have more fields than its header: repair the header, or the delimiter at the end of each row')
