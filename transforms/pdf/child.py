"""The child process that renders pages: reads tasks from stdin, answers on stdout, dies when it must.

Started as `python -m transforms.pdf.child` with the settings as its argument. A task is one frame (see
`frames.py`): a JSON header and the file's bytes, or a path. Limits are the kernel's: RLIMIT_AS for memory and
a CPU timer (ITIMER_PROF) whose signal ends the process wherever it is, in native code too.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import sys
import traceback

from transforms.pdf.check_image import check_image
from transforms.pdf.encode import encode, ink_share, is_blank, to_mode, to_one_channel
from transforms.pdf.engines import Document, MupdfDocument, PdfiumDocument, restart_pdfium
from transforms.pdf.errors import FINAL_ERRORS, PageError, deciding_error
from transforms.pdf.fonts import Requested
from transforms.pdf.frames import read_frame, write_frame
from transforms.pdf.images import render_image
from transforms.pdf.settings import RenderSettings

_MAGIC_WINDOW = 1024
_LONGEST_FONTS = 500
_MAX_TEXT = 64 << 20
_KEEP_RSS_BYTES = 700 << 20


def main(settings: RenderSettings) -> None:
    """Reads frames from stdin, answers each on stdout, and returns when stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), 'wb')
    os.dup2(2, 1)
    tasks = os.fdopen(os.dup(0), 'rb', buffering=1 << 20)
    worker = _Worker(settings)
    _preload(settings)
    _limit_memory(settings.memory_bytes)
    while (frame := read_frame(tasks)) is not None:
        header, payload = frame
        _start_clock(settings.cpu_seconds)
        answer, body = worker.answer(header, payload)
        _start_clock(0)
        answer['recycle'] = answer.get('error') == 'PageOutOfMemory' or _resident() > _KEEP_RSS_BYTES
        write_frame(answers, answer, body)


def _preload(settings: RenderSettings) -> None:
    """Imports what the settings need before any clock runs."""
    if settings.engine in ('auto', 'pdfium'):
        import pypdfium2  # noqa: F401
    if settings.engine in ('auto', 'mupdf'):
        import pymupdf  # noqa: F401
    if settings.image_format == 'png' and settings.png_codec == 'isal':
        from isal import isal_zlib  # noqa: F401
    from PIL import Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin  # noqa: F401

    # Texts and profiles of megabytes are no reason to refuse a picture; the process has a limit on memory.
    PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY = _MAX_TEXT, 4 * _MAX_TEXT


def _limit_memory(limit: int) -> None:
    try:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ValueError, OSError):
        return  # macOS has no such limit: the pool's watchdog on resident memory stands in
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _start_clock(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, seconds)


def _resident() -> int:
    try:
        with open('/proc/self/statm', 'rb') as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


class _Worker:
    """Answers tasks. Nothing is kept from one to the next: a page must not depend on what was rendered before it.

    pdfium remembers which fonts it put in the place of missing ones, and MuPDF that it had to repair a document
    (seen: three of 332 hostile files came out otherwise after others), so documents are closed and pdfium is
    started anew after each task, which takes 3 microseconds.
    """

    def __init__(self, settings: RenderSettings) -> None:
        self._settings = settings
        self._open: dict[str, Document] = {}

    def answer(self, task: dict, payload: bytes) -> tuple[dict, bytes]:
        try:
            return self._serve(task, payload)
        except PageError as error:
            return {'error': error.name, 'message': str(error)}, b''
        except MemoryError:
            return {'error': 'PageOutOfMemory', 'message': 'a memory request was refused'}, b''
        except Exception as error:  # the engines' bindings raise what they like on hostile bytes
            if 'malloc' in str(error):
                return {'error': 'PageOutOfMemory', 'message': 'a memory request was refused'}, b''
            where = traceback.extract_tb(error.__traceback__)[-1]
            message = f'{type(error).__name__}: {error} ({os.path.basename(where.filename)}:{where.name})'
            return {'error': 'DamagedPdf', 'message': message[:300]}, b''
        finally:
            self._forget()

    def _serve(self, task: dict, payload: bytes) -> tuple[dict, bytes]:
        if task['op'] == 'check':
            return check_image(payload, self._settings), b''
        source = task.get('path') or payload
        kind = _kind(source, task['name'], self._settings.max_input_bytes)
        if task['op'] == 'count':
            return self._count(source) if kind == 'pdf' else {'pages': 1}, b''
        if kind == 'image':
            pixels = to_one_channel(render_image(source, task['rotation'], self._settings))
            measured = {'engine': 'pillow', 'pages': 1, 'ink_share': ink_share(pixels)}
            if task['expect_ink'] and is_blank(pixels, measured['ink_share']):
                raise PageError('BlankRender', 'the image has no mark although the label has text')
        else:
            pixels, measured = self._render(source, task)
        pixels = to_mode(pixels, self._settings.color)
        body = encode(pixels, self._settings)
        measured.update(width=pixels.shape[1], height=pixels.shape[0], bytes=len(body),
                        sha256=hashlib.sha256(body).hexdigest())
        if not task.get('spill'):
            return measured, body
        return {**measured, **_spill(task['spill'], body)}, b''

    def _forget(self) -> None:
        while self._open:
            self._open.popitem()[1].close()
        if 'pdfium' in self._engines():
            restart_pdfium()

    def _engines(self) -> tuple[str, ...]:
        return ('pdfium', 'mupdf') if self._settings.engine == 'auto' else (self._settings.engine,)

    def _document(self, engine: str, source: bytes | str) -> Document:
        if engine not in self._open:
            document = PdfiumDocument(source) if engine == 'pdfium' \
                else MupdfDocument(source, self._settings.accept_repaired)
            self._open[engine] = document
            if document.page_count() < 1:
                raise PageError('EmptyPdf', f'{engine}: the file has no page')
        return self._open[engine]

    def _count(self, source: bytes | str) -> dict:
        failure = None
        for engine in self._engines():
            try:
                return {'pages': self._document(engine, source).page_count()}
            except PageError as error:
                failure = error if failure is None else deciding_error(failure, error)
                if failure.name in FINAL_ERRORS:
                    break
        raise failure

    def _render(self, source: bytes | str, task: dict) -> tuple[object, dict]:
        """The first engine that renders all letters, else the failure or the blank page that decides."""
        failure, blank, fonts, doubt = None, None, Requested(), self._settings.engine == 'mupdf'
        for engine in self._engines():
            try:
                document = self._document(engine, source)
                pixels = to_one_channel(document.render(task['page'], task['rotation'], self._settings))
                share = ink_share(pixels)
                fonts = getattr(document, 'fonts', fonts)
                measured = {'engine': engine, 'pages': document.page_count(), 'ink_share': share,
                            'fonts': ', '.join(fonts.names)[:_LONGEST_FONTS]}
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
            return blank
        raise failure

    def _lacks_letters(self, document: Document, source: bytes | str, page: int, doubt: bool) -> bool:
        """Whether letters that the page shows were not rendered by this engine; `doubt` says so of the one before."""
        if not self._settings.check_fonts:
            return False
        if isinstance(document, MupdfDocument):
            return doubt and document.letters(page).missing > 0
        if document.unrendered or not document.may_lack_letters or not document.fonts.missed or 'mupdf' not in self._engines():
            return document.unrendered
        try:
            other = self._document('mupdf', source)
            return other.letters(page, document.has_annotations).beyond(document.fonts)
        except PageError:
            return False  # the other engine cannot read the file: pdfium's text layer has the word


def _kind(source: bytes | str, name: str, limit: int) -> str:
    """'pdf' or 'image' by the first bytes, which must agree with what the name promises.

    MuPDF opens HTML, JPEG and SVG as documents when asked for a PDF, hence the check before any engine.
    """
    if isinstance(source, str):
        try:
            size = os.path.getsize(source)
            with open(source, 'rb') as file:
                head = file.read(_MAGIC_WINDOW)
        except OSError as error:
            raise PageError('PdfMissing', f'the file cannot be read: {error.strerror}') from None
    else:
        size, head = len(source), source[:_MAGIC_WINDOW]
    if size > limit:
        raise PageError('PageTooBig', f'the file has {size} bytes, over the limit of {limit}')
    if name.lower().endswith(('.png', '.jpg', '.jpeg')):
        if head.startswith((b'\x89PNG\r\n\x1a\n', b'\xff\xd8\xff')):
            return 'image'
        raise PageError('NotAPdf', 'neither PNG nor JPEG by its first bytes')
    if b'%PDF' in head:
        return 'pdf'
    raise PageError('NotAPdf', f'no %PDF in the first {_MAGIC_WINDOW} bytes (they begin {head[:12]!r})')


def _spill(path: str, body: bytes) -> dict:
    try:
        with open(path, 'wb') as file:
            file.write(body)
    except OSError as error:
        if os.path.exists(path):
            os.unlink(path)
        return {'spill_errno': error.errno or 5}
    return {'spill': path}


if __name__ == '__main__':
    main(RenderSettings(**json.loads(sys.argv[1])))
