"""RenderPage: one page of a document to an encoded image, as an operation of the sandbox."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace

from transforms.image.pillow import load_pillow
from transforms.pdf.count_pages import CountPages
from transforms.pdf.documents import Documents
from transforms.pdf.encode import encode, is_blank, load_codec, measure, to_mode
from transforms.pdf.engines import Document, MupdfDocument
from transforms.pdf.errors import FINAL_ERRORS, SANDBOX_ERRORS, PageError, deciding_error
from transforms.pdf.file_kind import file_kind
from transforms.pdf.fonts import Requested
from transforms.pdf.images import render_image
from transforms.pdf.settings import RenderSettings
from transforms.sandbox.operation import Operation

_LONGEST_FONTS = 500


class RenderPage(Operation):
    """Renders one page, and answers with what was measured of it; the image is the body, or the file at `spill`.

    A task has `name` and `path` (else the payload is the document) and `page`, `rotation` and `expect_ink` as in `PdfPage`; with
    `max_size` another size than that of the settings. The
    answer has `engine`, `pages`, `ink_share`, `fonts`, `repaired`, `text` (with `text_layer`), `width`, `height`, `bytes`, `sha256`, or `spill_errno` where the image
    could not be written.
    """

    Settings = RenderSettings
    errors = SANDBOX_ERRORS

    def __init__(self, settings: RenderSettings) -> None:
        super().__init__(settings)
        self._documents = Documents(settings)

    def load(self) -> None:
        self._documents.load()
        if self.settings.image_format == 'png':
            load_codec(self.settings.png_codec)
        load_pillow()

    def run(self, task: dict, payload: bytes) -> tuple[dict, bytes]:
        settings, source = self._settings_of(task), task.get('path') or payload
        if file_kind(source, task['name'], settings.max_input_bytes) == 'image':
            pixels, share = measure(render_image(source, task['rotation'], settings))
            measured = {'engine': 'pillow', 'pages': 1, 'ink_share': share}
            if (task['expect_ink'] or settings.drop_blank) and is_blank(pixels, share):
                raise PageError('BlankRender', 'the image has no mark although the label has text') if task['expect_ink'] else _blank_page()
        else:
            pixels, measured = self._render(source, task, settings)
        if settings.text_layer and measured['engine'] != 'pillow':
            # Of a page without a mark no text is shown, whatever its layer says.
            measured['text'] = '' if is_blank(pixels, measured['ink_share']) else \
                self._documents.open(measured['engine'], source).text(task['page'])
        pixels = to_mode(pixels, settings.color)
        body = encode(pixels, settings)
        measured.update(width=pixels.shape[1], height=pixels.shape[0], bytes=len(body),
                        sha256=hashlib.sha256(body).hexdigest())
        if not task.get('spill'):
            return measured, body
        return {**measured, **_spill(task['spill'], body)}, b''

    def reset(self) -> None:
        self._documents.close()

    def _settings_of(self, task: dict) -> RenderSettings:
        size = task.get('max_size')
        return replace(self.settings, max_size=size, dpi=0.0, min_side=1) if size else self.settings

    def _render(self, source: bytes | str, task: dict, settings: RenderSettings) -> tuple[object, dict]:
        """The first engine that renders all letters, else the failure or the blank page that decides."""
        failure, blank, fonts, doubt = None, None, Requested(), self.settings.engine == 'mupdf'
        for engine in self._documents.engines:
            try:
                document = self._documents.open(engine, source)
                pixels, share = measure(document.render(task['page'], task['rotation'], settings))
                fonts = getattr(document, 'fonts', fonts)
                measured = {'engine': engine, 'pages': document.page_count(), 'ink_share': share,
                            'fonts': ', '.join(fonts.names)[:_LONGEST_FONTS], 'repaired': getattr(document, 'is_repaired', False)}
                if task['expect_ink'] is False:
                    return pixels, measured
                doubt = self._lacks_letters(document, source, task['page'], doubt)
                if doubt:
                    error = PageError('FontMissing', f'{engine}: no glyphs for letters of fonts that are not embedded '
                                                     f"({measured['fonts'] or 'unknown'})")
                elif not is_blank(pixels, share):
                    return pixels, measured
                else:
                    blank = blank or (pixels, measured)
                    error = PageError('BlankRender', f'{engine}: no mark of ink although the label has text')
            except PageError as caught:
                error = caught
            failure = error if failure is None else deciding_error(failure, error)
            if failure.name in FINAL_ERRORS:
                break
        if blank and not task['expect_ink'] and failure.name == 'BlankRender':
            if self.settings.drop_blank:
                raise _blank_page()
            return blank
        raise failure

    def _lacks_letters(self, document: Document, source: bytes | str, page: int, doubt: bool) -> bool:
        """Whether letters that the page shows were not rendered by this engine; `doubt` says so of the one before."""
        if not self.settings.check_fonts:
            return False
        if isinstance(document, MupdfDocument):
            return doubt and document.letters(page).missing > 0
        if document.unrendered or not document.may_lack_letters or not document.fonts.missed or 'mupdf' not in self._documents.engines:
            return document.unrendered
        try:
            other = self._documents.open('mupdf', source)
            return other.letters(page, document.has_annotations).beyond(document.fonts)
        except PageError:
            return False  # the other engine cannot read the file: pdfium's text layer has the word


def _blank_page() -> PageError:
    return PageError('BlankPage', 'the page has no mark of ink')


def _spill(path: str, body: bytes) -> dict:
    try:
        with open(path, 'wb') as file:
            file.write(body)
    except OSError as error:
        if os.path.exists(path):
            os.unlink(path)
        return {'spill_errno': error.errno or 5}
    return {'spill': path}


PDF_OPERATIONS = (CountPages, RenderPage)  # done in one pool
