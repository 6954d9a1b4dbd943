"""RenderPDF: pages of PDFs (bytes or paths) to encoded images, in sandboxed child processes."""

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.transforms.window import GlobalWindows

from transforms.files import storage
from transforms.pdf.pages import PageImage, PdfPage
from transforms.pdf.render_page import PDF_OPERATIONS, RenderPage
from transforms.pdf.settings import RenderSettings
from transforms.sandbox.pool import Answer, acquire_pool, release_pool
from transforms.sandbox.window import Window


def task_header(page: PdfPage, staging_dir: str) -> dict:
    """The task that a child process gets for `page`."""
    header = {'name': page.name, 'path': page.path and os.path.abspath(page.path), 'page': page.page,
              'rotation': page.rotation, 'expect_ink': page.expect_ink}
    if staging_dir:
        header['spill'] = os.path.abspath(os.path.join(staging_dir, uuid.uuid4().hex))
    return header


class _RenderFn(beam.DoFn):
    def __init__(self, settings: RenderSettings, processes: int, staging_dir: str) -> None:
        self._settings, self._processes, self._staging_dir = settings, processes, staging_dir
        self._rendered = Metrics.counter(type(self), 'pages_rendered')
        self._failed = Metrics.counter(type(self), 'pages_failed')

    def setup(self) -> None:
        self._pool = acquire_pool(PDF_OPERATIONS, self._settings, self._processes)
        if self._staging_dir:
            with storage.storage_errors(self._staging_dir):
                os.makedirs(self._staging_dir, exist_ok=True)

    def teardown(self) -> None:
        release_pool(self._pool)

    def start_bundle(self) -> None:
        self._window: Window[PdfPage] = Window(self._pool, 2 * self._pool.processes + 1)

    def process(self, element: PdfPage | PageImage) -> Iterator[PageImage]:
        if isinstance(element, PageImage):
            yield element
            return
        self._window.submit(replace(element, data=b''), RenderPage, task_header(element, self._staging_dir), element.data)
        yield from map(self._image, self._window.ready())

    def finish_bundle(self) -> Iterator[object]:
        yield from map(GlobalWindows.windowed_value, map(self._image, self._window.rest()))

    def _image(self, answered: tuple[PdfPage, Answer]) -> PageImage:
        page, answer = answered
        if errno := answer.header.get('spill_errno'):
            with storage.storage_errors(self._staging_dir):
                raise OSError(errno, os.strerror(errno))
        image = page.outcome(answer.header, answer.body)
        (self._failed if image.error else self._rendered).inc()
        return image


@dataclass(eq=False)
class RenderPDF(beam.PTransform):
    """PCollection[PdfPage] to PCollection[PageImage]: one outcome for every page, in any order.

    A PageImage in the input (an outcome from the journal) passes through untouched. A page that cannot be rendered
    comes out with `error` set to one of `transforms.pdf.errors.ERROR_ORDER`; nothing a document holds raises.
    Memory: two pages for each child process, at most 256 MiB of documents, and the children's own limit.

    Args:
        settings: what the images look like and what a page may cost.
        processes: child processes of each Beam worker process, 0 for one on each of its cores.
        staging_dir: a local folder on the disk of the output. Images are then passed on as files in it, which
            WriteImages only renames; when empty they are passed on as bytes.

    Raises:
        RunAborted: the disk of `staging_dir` is full.
        RuntimeError: no child process could be started.
    """

    settings: RenderSettings
    processes: int = 1
    staging_dir: str = ''

    def __post_init__(self) -> None:
        if self.processes < 0:
            raise ValueError(f'processes is {self.processes}, must not be negative')

    def expand(self, pages: beam.PCollection) -> beam.PCollection[PageImage]:
        return pages | 'RenderPages' >> beam.ParDo(_RenderFn(self.settings, self.processes, self.staging_dir))
