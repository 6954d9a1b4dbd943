"""Fonts that a document does not embed: noticed where pdfium asks for them, and whether their letters were drawn.

pdfium draws nothing for a letter that its substitute has no glyph for, and says nothing. Two signs tell, both cheap:
it asks for each font that is not embedded (a callback, 58 of 217 real pages), and such a letter's box in the text layer
is a thousandth of the font's size high (exactly the pages whose text was missing, of 217 real pages and the cases of
public reports; none besides).
"""

from __future__ import annotations

import ctypes
import unicodedata

import numpy as np

_MOST_LETTERS, _MOST_BOXES = 1000, 100
_FLAT = 0.002
_INVISIBLE_MODES = (3, 7)
_CONTRAST = 16
# Of font names, by Windows' numbers of character sets.
_ENCODINGS = {128: 'cp932', 129: 'cp949', 134: 'gbk', 136: 'cp950'}

Box = tuple[int, int, int, int]


class FontRequests:
    """The fonts that pdfium asks its system for, since they were last taken."""

    def __init__(self) -> None:
        from pypdfium2 import PdfSysfontBase

        names: list[str] = []

        class Watch(PdfSysfontBase):
            def MapFont(self, _: object, weight: int, italic: int, charset: int, family: int, face: object,
                        unused: object) -> object:
                names.append(ctypes.string_at(face).decode(_ENCODINGS.get(charset, 'latin-1'), 'replace') if face else '')
                return self.default.MapFont(self.default, weight, italic, charset, family, face, unused)

        self._names, self._watch = names, Watch()
        self._watch.setup(reusable=True)

    def renew(self) -> None:
        """Asks to be told again, after pdfium was started anew."""
        from pypdfium2 import raw

        raw.FPDF_SetSystemFontInfo(self._watch.raw)

    def take(self) -> tuple[str, ...]:
        """The names of the fonts asked for, sorted, each once."""
        names = tuple(sorted(set(self._names)))
        self._names.clear()
        return names


def undrawn_letters(page: object, width: int, height: int, turns: int) -> list[Box]:
    """Where letters and digits of a pdfium page have no glyph, as pixel boxes (left, top, right, bottom); at most 100.

    Of many letters 1,000 are looked at, evenly spread. Invisible ones (the text layer of a scan) do not count, nor those
    whose character nobody knows.

    Args:
        page: a `pypdfium2.PdfPage`.
        width: of the image, in pixels.
        height: of the image, in pixels.
        turns: quarter turns clockwise by which it was drawn.
    """
    from pypdfium2 import raw

    text = raw.FPDFText_LoadPage(page)
    try:
        count = raw.FPDFText_CountChars(text)
        left, right, bottom, top = (ctypes.c_double() for _ in range(4))
        boxes: list[Box] = []
        for i in range(0, max(0, count), max(1, count // _MOST_LETTERS)):
            code = raw.FPDFText_GetUnicode(text, i)
            if code <= 32:
                continue
            raw.FPDFText_GetCharBox(text, i, left, right, bottom, top)
            size = raw.FPDFText_GetFontSize(text, i) if top.value - bottom.value < 1 else 0
            if top.value - bottom.value < _FLAT * size and _is_visible_letter(raw, text, i, code):
                boxes.append(_device_box(raw, page, (width, height, turns), left.value, bottom.value, right.value,
                                         bottom.value + size))
                if len(boxes) == _MOST_BOXES:
                    break
        return boxes
    finally:
        raw.FPDFText_ClosePage(text)


def _is_visible_letter(raw: object, text: object, i: int, code: int) -> bool:
    if code > 0x10FFFF or unicodedata.category(chr(code))[0] not in 'LN' or raw.FPDFText_HasUnicodeMapError(text, i) == 1:
        return False
    drawn = raw.FPDFText_GetTextObject(text, i)
    return bool(drawn) and raw.FPDFTextObj_GetTextRenderMode(drawn) not in _INVISIBLE_MODES


def _device_box(raw: object, page: object, image: tuple[int, int, int], left: float, bottom: float, right: float,
                top: float) -> Box:
    x, y = ctypes.c_int(), ctypes.c_int()
    corners = []
    for px, py in ((left, bottom), (right, top)):
        raw.FPDF_PageToDevice(page, 0, 0, image[0], image[1], image[2], px, py, x, y)
        corners.append((x.value, y.value))
    (x0, y0), (x1, y1) = corners
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def has_ink_at(pixels: np.ndarray, boxes: list[Box]) -> bool:
    """Whether an image shows something in nearly all of these boxes that lie in it."""
    gray = pixels if pixels.ndim == 2 else pixels.min(axis=2)
    height, width = gray.shape
    seen = drawn = 0
    for x0, y0, x1, y1 in boxes:
        part = gray[max(0, y0):min(height, y1 + 1), max(0, x0):min(width, x1 + 1)]
        if part.size:
            seen += 1
            drawn += int(part.max()) - int(part.min()) >= _CONTRAST
    return drawn >= 0.9 * seen
