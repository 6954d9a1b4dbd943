"""Documents: one file opened by the engines, in the order in which they are asked."""

from __future__ import annotations

from transforms.pdf.engines import Document, MupdfDocument, PdfiumDocument, restart_pdfium
from transforms.pdf.errors import PageError
from transforms.pdf.settings import RenderSettings


class Documents:
    """The open documents of the file that is worked on; `close` before the next.

    pdfium remembers which fonts it put in the place of missing ones, and MuPDF that it had to repair a document
    (seen: three of 332 hostile files came out otherwise after others), so documents are closed and pdfium is
    started anew after each task, which takes 3 microseconds.

    Attributes:
        engines: names of those asked for, the first one first.
    """

    def __init__(self, settings: RenderSettings) -> None:
        self.engines = ('pdfium', 'mupdf') if settings.engine == 'auto' else (settings.engine,)
        self._accept_repaired, self._passwords = settings.accept_repaired, settings.passwords
        self._open: dict[str, Document] = {}

    def load(self) -> None:
        """Imports the engines' libraries."""
        if 'pdfium' in self.engines:
            import pypdfium2  # noqa: F401
        if 'mupdf' in self.engines:
            import pymupdf  # noqa: F401

    def open(self, engine: str, source: bytes | str) -> Document:
        """The file as an engine opens it; opened once until `close`.

        Raises:
            PageError: the engine cannot open it, or it has no page.
        """
        if engine not in self._open:
            document = PdfiumDocument(source, self._passwords) if engine == 'pdfium' else \
                MupdfDocument(source, self._accept_repaired, self._passwords)
            self._open[engine] = document
            if document.page_count() < 1:
                raise PageError('EmptyPdf', f'{engine}: the file has no page')
        return self._open[engine]

    def close(self) -> None:
        """Closes what is open, and makes the engines forget it."""
        while self._open:
            self._open.popitem()[1].close()
        if 'pdfium' in self.engines:
            restart_pdfium()
