"""CountPages: the number of pages of a document, as an operation of the sandbox."""

from __future__ import annotations

from transforms.pdf.documents import Documents
from transforms.pdf.errors import FINAL_ERRORS, SANDBOX_ERRORS, PageError, deciding_error
from transforms.pdf.file_kind import file_kind
from transforms.pdf.settings import RenderSettings
from transforms.sandbox.operation import Operation


class CountPages(Operation):
    """Opens a document, the payload or the file at `path`, and answers with `pages`; `name` is its file name.

    The first engine that can open it tells; an image has one page.
    """

    Settings = RenderSettings
    errors = SANDBOX_ERRORS

    def __init__(self, settings: RenderSettings) -> None:
        super().__init__(settings)
        self._documents = Documents(settings)

    def load(self) -> None:
        self._documents.load()

    def run(self, task: dict, payload: bytes) -> tuple[dict, bytes]:
        source = task.get('path') or payload
        if file_kind(source, task['name'], self.settings.max_input_bytes) == 'image':
            return {'pages': 1}, b''
        failure = None
        for engine in self._documents.engines:
            try:
                return {'pages': self._documents.open(engine, source).page_count()}, b''
            except PageError as error:
                failure = error if failure is None else deciding_error(failure, error)
                if failure.name in FINAL_ERRORS:
                    break
        raise failure

    def reset(self) -> None:
        self._documents.close()
