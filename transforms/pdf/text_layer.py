"""A page's own text layer in reading order. Runs inside a child process only.

An engine gives lines with their boxes; `in_reading_order` puts them in order by recursive cuts along white space (the X-Y cut of Nagy and
Seth, 1984): columns where a vertical gap goes through, else the largest horizontal gap.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

from transforms.pdf.errors import PageError

MOST_CHARACTERS = 1 << 20
_MOST_LINES = 2000  # beyond, lines stay in the order of the content
_COLUMN_GAP, _COLUMN_WIDTH, _PARAGRAPH_GAP = 0.8, 5.0, 0.8  # in heights of a line
_SHADOW = 0.1  # of a line's height
_HYPHENS = (0x02, 0xFFFE)  # how pdfium marks one at the end of a line
_SPLIT_GAP = 2.5  # between characters of one line, in heights of a character
# As MuPDF does: their letters, which are what is read.
_LIGATURES = str.maketrans({'\ufb00': 'ff', '\ufb01': 'fi', '\ufb02': 'fl', '\ufb03': 'ffi', '\ufb04': 'ffl', '\ufb05': 'st', '\ufb06': 'st'})
_UNPRINTABLE = re.compile('[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]')


class Line(NamedTuple):
    """A line of text and its box in points, y downwards, turned so that most text runs from left to right."""

    left: float
    top: float
    right: float
    bottom: float
    text: str

    @property
    def height(self) -> float:
        return self.bottom - self.top


def _turned(box: tuple[float, float, float, float], turns: int) -> tuple[float, float, float, float]:
    """A box (left, bottom, right, top) of the page's own space, y upwards, as (left, top, right, bottom) for text that runs from left to right.

    Args:
        box: in points.
        turns: quarter turns counterclockwise in which the text runs.
    """
    x0, y0, x1, y1 = box
    return ((x0, -y1, x1, -y0), (y0, x0, y1, x1), (-x1, y0, -x0, y1), (-y1, -x1, -y0, -x0))[turns]


_Box = tuple[float, float, float, float]  # left, bottom, right, top


class _Run(NamedTuple):
    """Text in one direction, and its box in the page's own space."""

    text: str
    turns: int
    box: _Box


def _lines(runs: Sequence[_Run]) -> list[Line]:
    """Lines as they stand when most of the page's text runs from left to right, whichever way the page is shown."""
    letters: Counter = Counter()
    for run in runs:
        letters[run.turns] += len(run.text)
    turns = max(letters, key=lambda turn: (letters[turn], -turn), default=0)
    return _once([Line(*_turned(run.box, turns), run.text) for run in runs])


def _once(lines: list[Line]) -> list[Line]:
    """Without lines that are drawn again over themselves, a little aside, as for bold letters."""
    kept: dict[tuple[str, int, int], Line] = {}
    for line in lines:
        cell = max(1.0, _SHADOW * line.height)
        place = round(line.left / cell), round(line.top / cell)
        if not any((line.text, place[0] + x, place[1] + y) in kept for x in (-1, 0, 1) for y in (-1, 0, 1)):
            kept[(line.text, *place)] = line
    return list(kept.values())


def pdfium_lines(page: object) -> list[Line]:
    """The lines of a page of pypdfium2.

    Raises:
        PageError: its text has more than `MOST_CHARACTERS`.
    """
    from pypdfium2 import raw

    text_page = page.get_textpage()
    try:
        count = text_page.count_chars()
        if count > MOST_CHARACTERS:
            raise PageError('PageTooBig', f'its text has {count} characters')
        gatherer, rect = _Gatherer(), raw.FS_RECTF()
        for index in range(count):
            code = raw.FPDFText_GetUnicode(text_page, index)
            character = chr(code) if code < 0x110000 else ''
            if code in _HYPHENS:
                character = '-'
            if character in '\r\n':
                gatherer.end_line()
            elif raw.FPDFText_GetLooseCharBox(text_page, index, rect):
                turns = round(-raw.FPDFText_GetCharAngle(text_page, index) / (math.pi / 2)) % 4  # it counts clockwise
                gatherer.add(character, turns, (rect.left, rect.bottom, rect.right, rect.top))
        return _lines(gatherer.finish())
    finally:
        text_page.close()


class _Gatherer:
    """Characters to runs: one ends where the content ends a line, where the direction changes, or at a gap as between columns."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []
        self._characters: list[tuple[str, _Box | None]] = []
        self._last: _Box | None = None
        self._turns = 0

    def add(self, character: str, turns: int, box: _Box) -> None:
        is_drawn = not character.isspace() and box[2] > box[0] and box[3] > box[1]
        if is_drawn and self._last:
            left, top, _, bottom = _turned(box, self._turns)
            _, last_top, last_right, last_bottom = _turned(self._last, self._turns)
            height = max(1e-3, last_bottom - last_top)
            if turns != self._turns or not -8 * height < left - last_right < _SPLIT_GAP * height or top > last_bottom or bottom < last_top:
                self.end_line()
        self._characters.append((character, box if is_drawn else None))
        if is_drawn:
            if not self._last:
                self._turns = turns
            self._last = box

    def end_line(self) -> None:
        boxes = [box for _, box in self._characters if box]
        text = ''.join(character for character, _ in _logical(self._characters, self._turns)).strip()
        if text and boxes:
            lefts, bottoms, rights, tops = zip(*boxes, strict=True)
            self._runs.append(_Run(text, self._turns, (min(lefts), min(bottoms), max(rights), max(tops))))
        self._characters, self._last = [], None

    def finish(self) -> list[_Run]:
        self.end_line()
        return self._runs


def _logical(characters: list[tuple[str, _Box | None]], turns: int) -> list[tuple[str, _Box | None]]:
    """The characters of a line with words that are written from right to left in the order in which they are read.

    pdfium turns such words around, as if every file held them as they look; in files that hold them as they are read they come out
    backwards, which the places of the letters tell.
    """
    if not any(_is_from_right(character) for character, _ in characters):
        return characters
    words: list[list[tuple[str, _Box | None]]] = [[]]
    for item in characters:
        if item[0].isspace():
            words += [[item], []]
        else:
            words[-1].append(item)
    words = [_turned_around(word) if _is_word_from_right(word) and _runs_right([box for _, box in word if box], turns) else word for word in words]
    ordered: list[list[tuple[str, _Box | None]]] = []
    rest = [word for word in words if word]
    while rest:  # stretches of such words, between others
        count = next((index for index, word in enumerate(rest) if not _belongs_to_right(word)), len(rest))
        stretch, rest = rest[:count] or rest[:1], rest[max(1, count):]
        places = [box for word in stretch for _, box in word[:1] if box]
        ordered += reversed(stretch) if count and _runs_right(places, turns) else stretch
    return [item for word in ordered for item in word]


def _is_from_right(character: str) -> bool:
    return unicodedata.bidirectional(character) in ('R', 'AL') if character else False


def _is_word_from_right(word: list[tuple[str, _Box | None]]) -> bool:
    return any(_is_from_right(character) for character, _ in word)


def _belongs_to_right(word: list[tuple[str, _Box | None]]) -> bool:
    """Whether a word, or what stands between words, is no word from left to right."""
    return _is_word_from_right(word) or not any(character.isalpha() for character, _ in word)


def _runs_right(boxes: list[_Box], turns: int) -> bool:
    """Whether what follows stands further to the right."""
    places = [_turned(box, turns)[0] for box in boxes]
    return sum(after > before for before, after in zip(places, places[1:], strict=False)) > (len(places) - 1) / 2


def _turned_around(word: list[tuple[str, _Box | None]]) -> list[tuple[str, _Box | None]]:
    """Backwards but for numbers, which are written from left to right."""
    turned, number = [], []
    for item in reversed(word):
        if item[0].isdigit():
            number.insert(0, item)
            continue
        turned += [*number, item]
        number = []
    return turned + number


def mupdf_lines(page: object) -> list[Line]:
    """The lines of a page of PyMuPDF; PageError as `pdfium_lines`."""
    runs, characters = [], 0
    for block in page.get_text('dict', flags=0)['blocks']:
        for line in block.get('lines', ()):
            text = ''.join(span['text'] for span in line['spans']).strip()
            characters += len(text)
            if characters > MOST_CHARACTERS:
                raise PageError('PageTooBig', f'its text has more than {MOST_CHARACTERS} characters')
            if text:
                (x0, y0, x1, y1), (cosine, sine) = line['bbox'], line['dir']
                runs.append(_Run(text, round(math.atan2(-sine, cosine) / (math.pi / 2)) % 4, (x0, -y1, x1, -y0)))
    return _lines(runs)


def in_reading_order(lines: Sequence[Line]) -> str:
    """The text of the lines, one a line, with an empty line between paragraphs; what no text file holds is left out."""
    ordered = list(lines) if len(lines) > _MOST_LINES else _ordered(list(lines))
    parts: list[str] = []
    usual = median(line.height for line in ordered) if ordered else 0.0
    for before, line in zip([None, *ordered], ordered, strict=False):
        text = _UNPRINTABLE.sub('', line.text).translate(_LIGATURES)
        if before is not None:
            is_same_row = min(before.bottom, line.bottom) - max(before.top, line.top) > 0.5 * min(before.height, line.height)
            if is_same_row and (line.left >= before.left or _reads_from_right((before, line))):
                parts.append(' ')
            else:
                gap = line.top - before.bottom
                parts.append('\n' if -usual < gap <= _PARAGRAPH_GAP * usual and line.left < before.right else '\n\n')
        parts.append(text)
    return ''.join(parts)


def _ordered(lines: list[Line]) -> list[Line]:
    ordered: list[Line] = []
    waiting = [lines]
    while waiting:
        group = waiting.pop()
        parts = _columns(group) or _bands(group) if len(group) > 1 else None
        if parts:
            waiting += reversed(parts)
        else:
            ordered += _by_rows(group)
    return ordered


def _columns(lines: list[Line]) -> list[list[Line]] | None:
    """Left and right of the widest vertical gap between columns; None where there is none."""
    if len(lines) < 4:
        return None
    by_left = sorted(lines, key=lambda line: line.left)
    height = median(line.height for line in lines)
    best, place, reach = _COLUMN_GAP * height, 0, by_left[0].right
    for index, line in enumerate(by_left[1:], 1):
        if line.left - reach > best and _are_columns(by_left[:index], by_left[index:]):
            best, place = line.left - reach, index
        reach = max(reach, line.right)
    return [by_left[:place], by_left[place:]] if place else None


def _are_columns(left: list[Line], right: list[Line]) -> bool:
    """Whether two groups beside each other are columns of text, and not short cells of rows, which are read across."""
    return all(len(side) > 1 and median((line.right - line.left) / max(line.height, 1e-3) for line in side) > _COLUMN_WIDTH for side in (left, right))


def _bands(lines: list[Line]) -> list[list[Line]] | None:
    """Above and below the largest horizontal gap; None where lines overlap all the way."""
    by_top = sorted(lines, key=lambda line: line.top)
    best, place, reach = 0.0, 0, by_top[0].bottom
    for index, line in enumerate(by_top[1:], 1):
        if line.top - reach > best:
            best, place = line.top - reach, index
        reach = max(reach, line.bottom)
    return [by_top[:place], by_top[place:]] if place else None


def _by_rows(lines: Iterable[Line]) -> list[Line]:
    """Lines by row from the top, within a row from the side from which its words are written."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: (line.top + line.bottom, line.left)):
        middle = (line.top + line.bottom) / 2
        if rows and rows[-1][0].top < middle < rows[-1][0].bottom:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: line.left, reverse=_reads_from_right(row))]


def _reads_from_right(row: Sequence[Line]) -> bool:
    """Whether most words of a row are written from right to left."""
    words = [word for line in row for word in line.text.split() if any(character.isalpha() for character in word)]
    return 2 * sum(any(map(_is_from_right, word)) for word in words) > len(words)
