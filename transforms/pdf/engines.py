"""The two PDF engines behind one shape: open, count pages, render one page to pixels.

Runs inside a child process only: neither library is thread-safe, and hostile files abort the process.
Every engine renders the longest side exactly `max_size` pixels; the label's rotation is part of the rendering.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from functools import cache
from typing import Protocol

import numpy as np

from transforms.pdf.errors import PageError
from transforms.pdf.fonts import (
    FontRequests,
    Letters,
    Requested,
    has_overlay,
    has_rich_fonts,
    letters_of,
    unrendered_letters,
)
from transforms.pdf.settings import RenderSettings
from transforms.pdf.sizes import output_size
from transforms.pdf.text_layer import in_reading_order, mupdf_lines, pdfium_lines

_LARGE, _STEP = 64 << 20, 4 << 20


class Document(Protocol):
    """An open PDF: page count and rendering."""

    def page_count(self) -> int:
        """The number of pages."""

    def render(self, page: int, rotation: int, settings: RenderSettings) -> np.ndarray:
        """Page `page` (0-based) turned clockwise by `rotation` degrees, as (H, W) or (H, W, 3) uint8, until the engine's next page."""

    def text(self, page: int) -> str:
        """The text layer of page `page` in reading order; PageError where it cannot be read or is too long."""

    def close(self) -> None:
        """Closes the document and frees the memory of the native library."""


def _ordered(left: float, bottom: float, right: float, top: float) -> tuple[float, float, float, float]:
    return min(left, right), min(bottom, top), max(left, right), max(bottom, top)


def _load_document(source: bytes | str, passwords: tuple[str, ...]) -> object:
    """The handle of a document, which needs `source` as long as it is open. Of the passwords the first that opens it is taken.

    pypdfium2 would take a document without pages for one that cannot be loaded, and name the error of an earlier one.

    Raises:
        PageError: it cannot be loaded.
    """
    from pypdfium2 import internal, raw

    for password in (None, *(word.encode() for word in passwords)):
        handle = raw.FPDF_LoadDocument(os.fsencode(source), password) if isinstance(source, str) \
            else raw.FPDF_LoadMemDocument64(source, len(source), password)
        code = 0 if handle else raw.FPDF_GetLastError()
        if code != raw.FPDF_ERR_PASSWORD:
            break
    if not handle:
        if code == raw.FPDF_ERR_PASSWORD:
            raise PageError('EncryptedPdf', f"pdfium: {'no given password opens it' if passwords else 'it needs a password'}")
        kind = 'EncryptedPdf' if code == raw.FPDF_ERR_SECURITY else 'DamagedPdf'
        raise PageError(kind, f'pdfium: Failed to load document (PDFium: {internal.ErrorToStr.get(code)}).')
    return handle


class PdfiumDocument:
    """A PDF opened by pdfium, forms included (without init_forms() filled-in fields are not rendered).

    Attributes:
        fonts: those that the page rendered last does not embed.
        unrendered: whether letters of that page have no glyph, as its text layer shows.
        may_lack_letters: whether the page may show others than the Latin ones that all engines have.
        has_annotations: whether something is rendered over that page.
    """

    def __init__(self, source: bytes | str, passwords: tuple[str, ...] = ()) -> None:
        import pypdfium2 as pdfium

        _font_requests().take()
        self._source, self.fonts = source, Requested()
        self.unrendered = self.may_lack_letters = self.has_annotations = False
        self._doc = pdfium.PdfDocument(_load_document(source, passwords))
        # pdfium refuses forms of some kinds; the page itself can be rendered all the same.
        with contextlib.suppress(pdfium.PdfiumError):
            self._doc.init_forms()

    def page_count(self) -> int:
        return len(self._doc)

    def render(self, page: int, rotation: int, settings: RenderSettings) -> np.ndarray:
        import pypdfium2 as pdfium

        try:
            handle = self._load(page, settings.page_box)
        except pdfium.PdfiumError as error:
            raise PageError('DamagedPdf', f'pdfium: {error}') from None
        try:
            return self._paint(pdfium, handle, rotation, settings)
        finally:
            handle.close()

    def _load(self, page: int, box: str) -> object:
        handle = self._doc[page]
        if box == 'crop':
            return handle
        media, shown = handle.get_mediabox(fallback_ok=False), handle.get_bbox()
        if media is not None and _ordered(*media) == _ordered(*shown):
            return handle
        # pdfium shows CropBox within MediaBox and reads boxes when it loads a page, so the media box is
        # shown by a crop box that is larger than any, and loading the page again.
        handle.set_cropbox(-1e6, -1e6, 1e6, 1e6)
        handle.close()
        return self._doc[page]

    def _paint(self, pdfium: object, handle: object, rotation: int, settings: RenderSettings) -> np.ndarray:
        raw = pdfium.raw
        width, height = handle.get_size()
        if rotation in (90, 270):
            width, height = height, width
        w, h = output_size(width, height, settings)
        buffer = _canvas().take(w * h * 3)
        bitmap = pdfium.PdfBitmap.new_native(w, h, raw.FPDFBitmap_BGR, rev_byteorder=True, buffer=buffer)
        try:
            pixels = np.frombuffer(buffer, np.uint8, w * h * 3).reshape(h, w, 3)
            pixels.fill(255)
            flags = raw.FPDF_ANNOT | raw.FPDF_REVERSE_BYTE_ORDER
            arguments = (bitmap, handle, 0, 0, w, h, rotation // 90, flags)
            raw.FPDF_RenderPageBitmap(*arguments)
            if self._doc.formenv:
                raw.FPDF_FFLDraw(self._doc.formenv, *arguments)
            self.fonts = _font_requests().take()
            self.has_annotations = bool(self.fonts.names) and has_overlay(handle)
            self.may_lack_letters = bool(self.fonts.names) and (
                self.has_annotations or not self.fonts.is_latin or has_rich_fonts(self._source))
            self.unrendered = self.may_lack_letters and unrendered_letters(handle, self.fonts, pixels, rotation // 90)
            return pixels
        finally:
            bitmap.close()

    def text(self, page: int) -> str:
        import pypdfium2 as pdfium

        try:
            handle = self._doc[page]
            try:
                return in_reading_order(pdfium_lines(handle))
            finally:
                handle.close()
        except pdfium.PdfiumError as error:
            raise PageError('DamagedPdf', f'pdfium: {error}') from None

    def close(self) -> None:
        self._doc.close()


def restart_pdfium() -> None:
    """Makes pdfium forget all it learnt from documents; every document must be closed."""
    from pypdfium2 import raw

    raw.FPDF_DestroyLibrary()
    raw.FPDF_InitLibraryWithConfig(raw.FPDF_LIBRARY_CONFIG(2, None, None, 0))
    _font_requests().renew()


@cache
def _font_requests() -> FontRequests:
    return FontRequests()


class _Canvas:
    """The memory of one page after the other: new memory for each costs the kernel a millisecond of zeroing it."""

    def __init__(self) -> None:
        self._buffer = (ctypes.c_ubyte * 0)()

    def take(self, size: int) -> ctypes.Array:
        """At least so many bytes, which the next call gives again."""
        if size > _LARGE:
            return (ctypes.c_ubyte * size)()
        if size > len(self._buffer):
            self._buffer = (ctypes.c_ubyte * (-(-size // _STEP) * _STEP))()
        return self._buffer


@cache
def _canvas() -> _Canvas:
    return _Canvas()


class MupdfDocument:
    """A PDF opened by MuPDF, as a PDF and nothing else."""

    def __init__(self, source: bytes | str, accept_repaired: bool, passwords: tuple[str, ...] = ()) -> None:
        import pymupdf

        pymupdf.TOOLS.mupdf_display_errors(False)
        pymupdf.TOOLS.mupdf_display_warnings(False)
        self._mupdf, self._accept_repaired = pymupdf, accept_repaired
        try:
            self._doc = pymupdf.open(source, filetype='pdf') if isinstance(source, str) \
                else pymupdf.open(stream=source, filetype='pdf')
        except (RuntimeError, ValueError) as error:
            raise _mupdf_error(error) from None
        if not self._doc.is_pdf:
            raise PageError('NotAPdf', 'MuPDF opened it as something else than a PDF')
        if self._doc.needs_pass and not any(map(self._doc.authenticate, passwords)):
            raise PageError('EncryptedPdf', f"mupdf: {'no given password opens it' if passwords else 'it needs a password'}")
        self._check_repair()

    @property
    def is_repaired(self) -> bool:
        """Whether MuPDF had to repair the file so far."""
        return self._doc.is_repaired

    def _check_repair(self) -> None:
        if self._doc.is_repaired and not self._accept_repaired:
            raise PageError('RepairedPdf', 'mupdf had to repair the file; --repaired=keep keeps such pages, also later with --retry_failed')

    def page_count(self) -> int:
        try:
            return self._doc.page_count
        except (RuntimeError, ValueError) as error:
            raise _mupdf_error(error) from None

    def letters(self, page: int, has_annotations: bool = True) -> Letters:
        """What the page shows in fonts that are not embedded.

        Raises:
            PageError: it cannot be read.
        """
        try:
            return letters_of(self._doc, page, has_annotations)
        except (RuntimeError, ValueError, IndexError) as error:
            raise _mupdf_error(error) from None

    def text(self, page: int) -> str:
        try:
            return in_reading_order(mupdf_lines(self._doc[page]))
        except (RuntimeError, ValueError, IndexError) as error:
            raise _mupdf_error(error) from None

    def render(self, page: int, rotation: int, settings: RenderSettings) -> np.ndarray:
        try:
            pixels = self._paint(page, rotation, settings)
        except (RuntimeError, ValueError, IndexError) as error:
            self._check_repair()
            raise _mupdf_error(error) from None
        finally:
            self._mupdf.TOOLS.store_shrink(100)
        self._check_repair()
        return pixels

    def _paint(self, page: int, rotation: int, settings: RenderSettings) -> np.ndarray:
        handle = self._doc[page]
        if settings.page_box == 'media' and handle.cropbox != handle.mediabox:
            # set_cropbox() refuses media boxes that do not start at 0, so the key is written as it is.
            box = ' '.join(f'{side:f}' for side in handle.mediabox)
            self._doc.xref_set_key(handle.xref, 'CropBox', f'[{box}]')
            handle = self._doc.reload_page(handle)
        turn = self._mupdf.Matrix(1, 1).prerotate(rotation)
        turned = handle.rect * turn
        w, h = output_size(turned.width, turned.height, settings)
        if settings.dpi:
            scale = self._mupdf.Matrix(settings.dpi / 72, settings.dpi / 72)
        else:
            scale = self._mupdf.Matrix(w / turned.width, h / turned.height)
        pixmap = handle.get_pixmap(matrix=turn * scale, colorspace=self._mupdf.csRGB, alpha=False)
        pixels = np.frombuffer(pixmap.samples, np.uint8).reshape(pixmap.height, pixmap.stride)
        pixels = pixels[:, :pixmap.width * 3].reshape(pixmap.height, pixmap.width, 3)
        return pixels if settings.dpi else _exactly(pixels, w, h)

    def close(self) -> None:
        self._doc.close()
        self._mupdf.TOOLS.store_shrink(100)


def _exactly(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Cuts or pads (white) the pixel that MuPDF's rounding may add or take."""
    if pixels.shape[:2] == (height, width):
        return pixels
    out = np.full((height, width, 3), 255, np.uint8)
    part = pixels[:height, :width]
    out[:part.shape[0], :part.shape[1]] = part
    return out


def _mupdf_error(error: Exception) -> PageError:
    text = ' '.join(str(error).split())[:200]
    if 'malloc' in text or 'out of memory' in text.lower():
        return PageError('PageOutOfMemory', f'mupdf: {text}')
    return PageError('DamagedPdf', f'mupdf: {text}')
