"""Fonts that a document does not embed: noticed where pdfium asks for them, and whether their letters were rendered.

pdfium renders nothing for a letter that its substitute has no glyph for, and says nothing. It asks its system for each font
that is not embedded (a callback: 55 of 217 real pages); only then is looked closer, in two ways. In pdfium's text layer such
a letter's box is a thousandth of the font's size high. But the layer leaves out letters that stand upright, annotations and
patterns. So MuPDF is asked what it would render: where pdfium's system has no such font, its own substitutes take its place,
which hold 231 characters; whatever else a page shows in such a font, pdfium has not rendered.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import unicodedata
from dataclasses import dataclass

import numpy as np

# Of many letters so many are looked at, evenly spread.
_MOST_LETTERS = 1000
_FLAT = 0.002
_INVISIBLE_MODES = (3, 7)
_LIGHT = 250
# Of font names, by Windows' numbers of character sets; those of Chinese, Japanese and Korean.
_ENCODINGS = {128: 'cp932', 129: 'cp949', 134: 'gbk', 136: 'cp950'}
_LATIN = (0, 1)
_SIMPLE_ENCODINGS = ('WinAnsiEncoding', 'MacRomanEncoding', 'StandardEncoding')
_SYMBOL_FONTS = ('Symbol', 'ZapfDingbats')
_FIRST_CJK = 0x2E80
_RICH = (b'/Type0', b'/Differences', b'/ObjStm')
# Letters by category that show nothing.
_FILLERS = frozenset({0x115F, 0x1160, 0x3164, 0xFFA0})
# What pdfium's substitutes for Helvetica, Times, Courier and unknown fonts have glyphs for, found by asking each of them
# for every character below U+3000 and the ligatures (pdfium of pypdfium2 5.15).
_RANGES = ((0x21, 0x7E), (0xA1, 0xFF), (0x131, 0x131), (0x141, 0x142), (0x152, 0x153), (0x160, 0x161), (0x178, 0x178),
           (0x17D, 0x17E), (0x192, 0x192), (0x2C6, 0x2C7), (0x2C9, 0x2C9), (0x2D8, 0x2DD), (0x3BC, 0x3BC), (0x2013, 0x2014),
           (0x2018, 0x201A), (0x201C, 0x201E), (0x2020, 0x2022), (0x2026, 0x2026), (0x2030, 0x2030), (0x2039, 0x203A),
           (0x2044, 0x2044), (0x20AC, 0x20AC), (0x2122, 0x2122), (0x2212, 0x2212), (0x2215, 0x2215), (0x2219, 0x2219))
# A hyphen that is not rendered costs nobody a page.
_LOOK_ALIKES = frozenset({0x2010, 0x2011})
SUBSTITUTED = frozenset(code for first, last in _RANGES for code in range(first, last + 1)) | _LOOK_ALIKES


@dataclass(frozen=True)
class Requested:
    """The fonts that pdfium asked its system for while it rendered a page.

    Attributes:
        names: as the document has them, sorted.
        missed: whether one was not there.
        has_cjk: whether one for Chinese, Japanese or Korean was there.
        missed_cjk: names of those for Chinese, Japanese or Korean that were not there.
        is_latin: whether all are of the Latin character sets, none of symbols or another script.
    """

    names: tuple[str, ...] = ()
    missed: bool = False
    has_cjk: bool = False
    missed_cjk: frozenset[str] = frozenset()
    is_latin: bool = True


class FontRequests:
    """Listens to pdfium asking its system for fonts."""

    def __init__(self) -> None:
        from pypdfium2 import PdfSysfontBase

        asked: list[tuple[str, int, bool]] = []

        class Watch(PdfSysfontBase):
            def MapFont(self, _: object, weight: int, italic: int, charset: int, family: int, face: object,
                        unused: object) -> object:
                font = self.default.MapFont(self.default, weight, italic, charset, family, face, unused)
                name = ctypes.string_at(face).decode(_ENCODINGS.get(charset, 'latin-1'), 'replace') if face else ''
                asked.append((name, charset, bool(font)))
                return font

        self._asked, self._watch = asked, Watch()
        self._watch.setup(reusable=True)

    def renew(self) -> None:
        """Registers the listener again, after pdfium was started anew."""
        from pypdfium2 import raw

        raw.FPDF_SetSystemFontInfo(self._watch.raw)

    def take(self) -> Requested:
        """What was asked for since the last time."""
        requested = Requested(tuple(sorted({name for name, _, _ in self._asked})), any(not there for _, _, there in self._asked),
                              any(there and charset in _ENCODINGS for _, charset, there in self._asked),
                              frozenset(name for name, charset, there in self._asked if charset in _ENCODINGS and not there),
                              all(charset in _LATIN for _, charset, _ in self._asked))
        self._asked.clear()
        return requested


def is_shown(code: int) -> bool:
    """Whether a character is one that a page shows: no space, control or filler, none of private use, none unknown."""
    if code > 0x10FFFF or code in _FILLERS or code == 0xFFFD:
        return False
    return unicodedata.category(chr(code))[0] in 'LNSPM' or 0xD800 <= code <= 0xDFFF


def unrendered_letters(page: object, requested: Requested, pixels: np.ndarray, turns: int) -> bool:
    """Whether pdfium's text layer of a page holds letters, of fonts that are not embedded, without a glyph.

    Invisible ones do not count: the text layer of a scan, white or transparent ones, those off the page, and those whose
    character nobody knows. A font for Chinese, Japanese or Korean that was not there, and of which the layer holds no
    letter, counts as unrendered: upright and vertical letters, annotations and patterns are not in the layer.

    Args:
        page: a `pypdfium2.PdfPage`.
        requested: what pdfium asked for while it rendered the page.
        pixels: what it rendered, (H, W, 3) uint8.
        turns: quarter turns clockwise by which it was rendered.
    """
    from pypdfium2 import raw

    text = raw.FPDFText_LoadPage(page)
    try:
        if requested.missed_cjk and not requested.missed_cjk <= _fonts_in_layer(raw, text, requested.missed_cjk):
            return True
        count = raw.FPDFText_CountChars(text)
        left, right, bottom, top = (ctypes.c_double() for _ in range(4))
        matrix, edges = raw.FS_MATRIX(), page.get_bbox()
        for i in range(0, max(0, count), max(1, count // _MOST_LETTERS)):
            code = raw.FPDFText_GetUnicode(text, i)
            if code <= 32:
                continue
            raw.FPDFText_GetCharBox(text, i, left, right, bottom, top)
            height = top.value - bottom.value
            if height > 1:
                continue
            raw.FPDFText_GetMatrix(text, i, matrix)
            size = abs(raw.FPDFText_GetFontSize(text, i)) * math.hypot(matrix.c, matrix.d)
            inside = edges[0] < right.value and left.value < edges[2] and edges[1] < top.value and bottom.value < edges[3]
            if height < _FLAT * size and inside and is_shown(code) and _is_visible(raw, text, i) \
                    and not (_is_light(raw, text, i) and _pixel(raw, page, pixels, turns, left.value, bottom.value) >= _LIGHT):
                return True
        return False
    finally:
        raw.FPDFText_ClosePage(text)


def _fonts_in_layer(raw: object, text: object, wanted: frozenset[str]) -> frozenset[str]:
    """Which of these fonts some letter of the text layer has."""
    names: set[str] = set()
    buffer = ctypes.create_string_buffer(256)
    for i in range(raw.FPDFText_CountChars(text)):
        if (text_object := raw.FPDFText_GetTextObject(text, i)) and raw.FPDFFont_GetBaseFontName(
                raw.FPDFTextObj_GetFont(text_object), buffer, len(buffer)):
            spellings = {buffer.value.decode(encoding, 'replace') for encoding in ('utf-8', *_ENCODINGS.values())}
            names.update(name for name in wanted if any(spelled.startswith(name) for spelled in spellings))
            if names >= wanted:
                break
    return frozenset(names)


def _is_visible(raw: object, text: object, i: int) -> bool:
    text_object = raw.FPDFText_GetTextObject(text, i)
    if not text_object or raw.FPDFText_HasUnicodeMapError(text, i) == 1 \
            or raw.FPDFTextObj_GetTextRenderMode(text_object) in _INVISIBLE_MODES \
            or raw.FPDFFont_GetIsEmbedded(raw.FPDFTextObj_GetFont(text_object)) == 1:
        return False
    return _fill_color(raw, text, i)[3] > 0


def _fill_color(raw: object, text: object, i: int) -> tuple[int, ...]:
    color = [ctypes.c_uint() for _ in range(4)]
    raw.FPDFText_GetFillColor(text, i, *color)
    return tuple(part.value for part in color)


def _is_light(raw: object, text: object, i: int) -> bool:
    return min(_fill_color(raw, text, i)[:3]) >= _LIGHT


def _pixel(raw: object, page: object, pixels: np.ndarray, turns: int, x: float, y: float) -> int:
    """The darkest channel of the image at a point of the page."""
    column, row = ctypes.c_int(), ctypes.c_int()
    height, width = pixels.shape[:2]
    raw.FPDF_PageToDevice(page, 0, 0, width, height, turns, x, y, column, row)
    return int(pixels[min(max(row.value, 0), height - 1), min(max(column.value, 0), width - 1)].min())


def has_rich_fonts(source: bytes | str) -> bool:
    """Whether a PDF (bytes, or a path) may have fonts of other letters than the Latin ones that all engines have.

    Such fonts are composite, or simple with an encoding of their own; a file that packs its objects may hold any.
    """
    if isinstance(source, bytes):
        return any(mark in source for mark in _RICH)
    with open(source, 'rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return any(data.find(mark) >= 0 for mark in _RICH)


def has_overlay(page: object) -> bool:
    """Whether annotations or form fields are rendered over a `pypdfium2.PdfPage`; links and pop-ups render nothing."""
    from pypdfium2 import raw

    for i in range(raw.FPDFPage_GetAnnotCount(page)):
        note = raw.FPDFPage_GetAnnot(page, i)
        kind = raw.FPDFAnnot_GetSubtype(note)
        raw.FPDFPage_CloseAnnot(note)
        if kind not in (raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP):
            return True
    return False


@dataclass(frozen=True)
class Letters:
    """What MuPDF found of a page's letters in fonts that are not embedded.

    Attributes:
        codes: the characters that the page shows.
        missing: how many of them MuPDF has no glyph for.
    """

    codes: frozenset[int] = frozenset()
    missing: int = 0

    def beyond(self, requested: Requested) -> bool:
        """Whether there are some that pdfium cannot have rendered, given what its system had."""
        return requested.missed and any(code not in SUBSTITUTED and not (requested.has_cjk and code >= _FIRST_CJK)
                                        for code in self.codes)


def letters_of(document: object, number: int, has_annotations: bool) -> Letters:
    """The letters of a page as MuPDF would render them.

    Where all fonts that are not embedded are simple ones in a Latin encoding, and nothing is rendered over the page, the page
    is not walked through: then there are none but those that every engine has.

    Args:
        document: a `pymupdf.Document`.
        number: 0-based page.
        has_annotations: whether annotations or form fields are rendered over it.
    """
    fonts = [(name.partition('+')[2] or name, ending != 'n/a', kind, encoding)
             for _, ending, kind, name, _, encoding in document.get_page_fonts(number)]
    if not has_annotations and all(embedded or kind == 'Type3' or encoding in _SIMPLE_ENCODINGS or name in _SYMBOL_FONTS
                                   for name, embedded, kind, encoding in fonts):
        return Letters()
    passed_over = {name for name, embedded, kind, _ in fonts if embedded or kind == 'Type3'} | set(_SYMBOL_FONTS)
    codes, missing = set(), 0
    for span in document[number].get_texttrace():
        name = span['font'].partition('+')[2] or span['font']
        if name in passed_over or span['type'] in _INVISIBLE_MODES or span['opacity'] == 0:
            continue
        shown = [(code, glyph) for code, glyph, *_ in span['chars'] if is_shown(code)]
        codes.update(code for code, _ in shown)
        missing += sum(glyph <= 0 for _, glyph in shown)
    return Letters(frozenset(codes), missing)
