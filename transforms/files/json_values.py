"""JSON as Python and the web write it: NaN and infinities, integers of any size, byte order marks, documents in a row.

One rule for lines, lists, documents, members of archives and chat.json. A text that msgspec reads costs what msgspec
costs (645 MB/s on the corpus, orjson 500); what it refuses is read by Python's own parser.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import orjson

BOM = b'\xef\xbb\xbf'
_PIECE = 1 << 20
_SPACE = ' \t\n\r'
_ENDS = ' \t\n\r,]}'
_LONE, _UNDECODED = re.compile('[\ud800-\udfff]'), re.compile('[\udc80-\udcff]')
# Python refuses to convert longer texts to integers, for that takes quadratic time (sys.set_int_max_str_digits).
_MAX_DIGITS = 4300
_decode = msgspec.json.Decoder().decode


class JsonError(ValueError):
    """A text that is no JSON, or a value that no trainer can read: `error` is its class, as counted in the accounts."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error


@dataclass(frozen=True, slots=True)
class JsonItem:
    """A value in a stream of JSON.

    Attributes:
        value: as Python holds it.
        error: why it must not be used: 'LoneSurrogate', 'InvalidUtf8', 'NumberTooLong' or ''.
    """

    value: object
    error: str = ''

    @property
    def message(self) -> str:
        """`error` in words."""
        return _MESSAGES.get(self.error, '')


_MESSAGES = {'LoneSurrogate': 'half of a surrogate pair (\\ud800 to \\udfff), which no UTF-8 text can hold',
             'InvalidUtf8': 'bytes that are no UTF-8', 'NumberTooLong': f'an integer of more than {_MAX_DIGITS} digits'}


def loads(data: bytes) -> object:
    """The value of one JSON text.

    Raises:
        JsonError: 'InvalidJson', 'InvalidUtf8', 'LoneSurrogate', 'NumberTooLong' or 'TooDeep'.
    """
    try:
        return _decode(data)
    except (ValueError, RecursionError):
        values = loads_all(data)
    if len(values) != 1:
        raise JsonError('InvalidJson', f'{len(values)} JSON texts in a row, one is expected')
    return values[0]


def loads_all(data: bytes) -> list[object]:
    """The values of one or several JSON texts in a row; [] of nothing but space.

    Raises:
        JsonError: as `loads`.
    """
    values = []
    for item in iter_texts(data):
        if item.error:
            raise JsonError(item.error, item.message)
        values.append(item.value)
    return values


def iter_texts(data: bytes) -> Iterator[JsonItem]:
    """The same one by one: what comes before a text that makes no sense is handed out.

    Raises:
        JsonError: 'InvalidJson', 'InvalidUtf8' or 'TooDeep'.
    """
    try:
        text = data.removeprefix(BOM).decode()
    except UnicodeDecodeError as error:
        raise JsonError('InvalidUtf8', f'byte {error.start} is no UTF-8') from None
    at = _skip_space(text, 0)
    while at < len(text):
        item, at = _parse_at(text, at, '\\u' in text)
        yield item
        at = _skip_space(text, at)


def dumps(value: object, default: Callable[[object], object] | None = None) -> bytes:
    """A value as JSON that `loads` gives back: NaN and infinities as Python writes them, integers of any size.

    Args:
        value: of what JSON has a form for; with `default` also times, which become ISO 8601.
        default: gives a value that JSON can hold for one that it cannot.

    Raises:
        ValueError: it holds half a surrogate pair.
        TypeError: it holds what JSON has no form for.
    """
    try:
        data = orjson.dumps(value, default)
    except TypeError:  # an integer of more than 64 bits, or what Python's writer refuses too
        return _python_dumps(value, default)
    # orjson writes null for NaN and infinities.
    return _python_dumps(value, default) if b'null' in data and _is_not_finite(value) else data


def _python_dumps(value: object, default: Callable[[object], object] | None) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(',', ':'), default=default).encode()


def _is_not_finite(value: object) -> bool:
    """Whether a value is, or holds, NaN or an infinity."""
    if isinstance(value, dict):
        return any(map(_is_not_finite, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_is_not_finite, value))
    return isinstance(value, float) and not math.isfinite(value)


def has_lone_surrogate(text: str) -> bool:
    """True when a text cannot be written as UTF-8."""
    return not text.isascii() and _LONE.search(text) is not None


def iter_items(read: Callable[[int], bytes], limit: int) -> Iterator[JsonItem]:
    """The items of a JSON list, or the documents in a row, that a stream holds, one at a time.

    Memory: the longest item, twice.

    Args:
        read: gives up to so many bytes, b'' at the end.
        limit: characters of one item.

    Raises:
        JsonError: where the stream makes no sense any more, is cut off, or goes on behind the list; what came
            before was handed out.
    """
    text = _Text(read, limit)
    is_list = text.next_char() == '['
    if is_list:
        text.at += 1
        if text.next_char() == ']':
            text.at += 1
            text.expect_end()
            return
    while text.next_char() or is_list:
        yield text.item()
        if not is_list:
            continue
        mark = text.next_char()
        text.at += 1
        if mark == ']':
            text.expect_end()
            return
        if mark != ',':
            raise JsonError('InvalidJson', f'"," or "]" expected behind an item, {mark!r} found' if mark else
                            'the list is cut off')


class _Text:
    """A window of decoded text over a stream; bytes that are no UTF-8 cost the item that holds them."""

    def __init__(self, read: Callable[[int], bytes], limit: int) -> None:
        self._read, self._limit = read, limit
        self._left, self._ended, self._is_dirty = b'', False, False
        self._text, self.at = '', 0
        self._more(_PIECE)
        if self._text.startswith('\ufeff'):
            self.at = 1

    def _more(self, size: int) -> bool:
        """Reads on; what lies before `at` is let go."""
        pieces = [self._left]
        while size > 0 and not self._ended:
            piece = self._read(min(size, _PIECE))
            self._ended = not piece
            pieces.append(piece)
            size -= len(piece)
        data = b''.join(pieces)
        whole = len(data) if self._ended else _whole_characters(data)
        self._left = data[whole:]
        try:
            new = data[:whole].decode()
        except UnicodeDecodeError:
            new, self._is_dirty = data[:whole].decode(errors='surrogateescape'), True
        self._text, self.at = self._text[self.at:] + new, 0
        self._has_escapes = '\\u' in self._text
        return bool(new)

    def next_char(self) -> str:
        """The next character that is no space, '' at the end; `at` is where it stands."""
        while True:
            self.at = _skip_space(self._text, self.at)
            if self.at < len(self._text):
                return self._text[self.at]
            if not self._more(_PIECE):
                return ''

    def item(self) -> JsonItem:
        """The value that begins at the next character."""
        self.next_char()
        while True:
            try:
                item, end = _parse_at(self._text, self.at, self._is_dirty or self._has_escapes)
                # A number may go on in what was not read yet.
                if self._ended or (end < len(self._text) and (
                        self._text[end] in _ENDS or not isinstance(item.value, (int, float)))):
                    self.at = end
                    return item
                problem = None
            except JsonError as error:
                problem = error
                if error.error == 'TooDeep':
                    raise
            size = len(self._text) - self.at
            if size > self._limit:
                raise JsonError('ItemTooLong', f'an item of more than {self._limit} characters') if problem is None or \
                    self._is_cut(problem) else problem
            if problem is not None and not self._is_cut(problem):
                raise problem
            if not self._more(max(_PIECE, size)) and problem is not None:
                raise JsonError('InvalidJson', f'it is cut off: {problem}')

    def _is_cut(self, problem: JsonError) -> bool:
        """Whether the text may be whole with more of it, as when a chunk ends within a value."""
        position = getattr(problem, 'position', 0)
        return 'Unterminated string' in str(problem) or position >= len(self._text) - 16

    def expect_end(self) -> None:
        if self.next_char():
            raise JsonError('InvalidJson', f'the list ends, and {self._text[self.at:self.at + 20]!r} follows')


def _whole_characters(data: bytes) -> int:
    """How many bytes there are before a character that the end of `data` may cut."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            return len(data) if back == 1 else len(data) - back + 1
        if byte >= 0xC0:
            width = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) if back >= width else len(data) - back
    return len(data)


def _skip_space(text: str, at: int) -> int:
    end = len(text)
    while at < end and text[at] in _SPACE:
        at += 1
    return at


_scan = json.JSONDecoder().raw_decode


def _parse_at(text: str, at: int, may_be_bad: bool) -> tuple[JsonItem, int]:
    """(item, where it ends) of the JSON that begins at `at`."""
    error = ''
    try:
        value, end = _scan(text, at)
    except json.JSONDecodeError as wrong:
        raise _located(wrong) from None
    except RecursionError:
        raise JsonError('TooDeep', 'it is nested too deep') from None
    except ValueError:  # an integer that Python will not convert
        value, end = json.JSONDecoder(parse_int=_bounded_int).raw_decode(text, at)
        error = 'NumberTooLong'
    if may_be_bad:
        part = text[at:end]
        if not part.isascii() and _UNDECODED.search(part):
            error = 'InvalidUtf8'
        elif ('\\ud' in part or '\\uD' in part) and _holds_lone_surrogate(value):
            error = 'LoneSurrogate'
    return JsonItem(value, error), end


def _bounded_int(digits: str) -> int | None:
    return int(digits) if len(digits) < _MAX_DIGITS else None


def _holds_lone_surrogate(value: object) -> bool:
    if isinstance(value, str):
        return has_lone_surrogate(value)
    if isinstance(value, dict):
        return any(has_lone_surrogate(k) or _holds_lone_surrogate(v) for k, v in value.items())
    return isinstance(value, list) and any(map(_holds_lone_surrogate, value))


def _located(wrong: json.JSONDecodeError) -> JsonError:
    error = JsonError('InvalidJson', f'{wrong.msg} at character {wrong.pos}')
    error.position = wrong.pos
    return error
