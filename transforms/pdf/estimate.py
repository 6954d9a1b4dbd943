"""What rendering will cost: from a few pages of the input that are rendered for it, else from figures that were measured (docs/performance.md)."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from transforms.files import storage
from transforms.pdf.count_pages import CountPages
from transforms.pdf.list_pages import PageSelection
from transforms.pdf.render_page import PDF_OPERATIONS, RenderPage
from transforms.pdf.settings import RenderSettings
from transforms.sandbox.pool import acquire_pool, release_pool
from transforms.sandbox.window import Window

# Mean PNG bytes and CPU seconds of a page at 2048 pixels; both grow with about this power of the longest side.
_BYTES_AT_2048, _SECONDS_AT_2048, _POWER = 940_000, 0.05, 1.6
_FORMAT_SHARE = {'png': 1.0, 'jpg': 0.6, 'webp': 0.35}


def page_bytes(max_size: int, dpi: float, image_format: str) -> float:
    """Mean bytes of one page image; with `dpi` a page counts as 11 inches high."""
    side = dpi * 11 if dpi else max_size
    return _BYTES_AT_2048 * (side / 2048) ** _POWER * _FORMAT_SHARE[image_format]


def render_seconds(pages: int, max_size: int, dpi: float, processes: int) -> float:
    """Wall seconds for `pages` pages in `processes` processes, without start-up."""
    side = dpi * 11 if dpi else max_size
    return pages * _SECONDS_AT_2048 * (side / 2048) ** _POWER / processes


SAMPLED_PAGES = 60
FIXED_BYTES = 120_000  # report, accounts and lists of a small run
_FULL_PAGES, _SMALL = 8, 512
_SAMPLED_FILES = 100  # whose pages are counted
_SAMPLE_SECONDS = 0.5  # CPU of a page: a hostile one is no sample
_TASK = {'page': 0, 'rotation': 0, 'expect_ink': None}


@dataclass(frozen=True)
class PageSample:
    """What a few pages have shown.

    Attributes:
        pages: about how many there are in all.
        bytes: mean size of an image, 0.0 where none could be rendered.
    """

    pages: float
    bytes: float


def mean_image_bytes(documents: Sequence[tuple[str, str, bytes, int]], settings: RenderSettings) -> float:
    """Mean size of the images of pages, those that fail as 0 bytes; 0.0 where none can be rendered.

    Pages differ by a factor of ten and more, so many are rendered small, which is cheap, and a few of these also as they will be: by
    them the mean of the small ones is scaled (double sampling with a ratio estimator; Cochran, Sampling Techniques, 12.9).

    Args:
        documents: (name, local path or '', bytes or b'', page) of each.
        settings: of rendering.
    """
    tasks = [({**_TASK, 'name': name, 'path': path, 'page': page}, data) for name, path, data, page in documents]
    with _sampling(settings) as answers:
        small = _sizes(answers(RenderPage, [({**header, 'max_size': min(_SMALL, settings.max_size)}, data) for header, data in tasks]))
        rendered = sorted((index for index, size in enumerate(small) if size), key=lambda index: (small[index], index))
        if not rendered:
            return 0.0
        both = rendered[::-(-len(rendered) // _FULL_PAGES)]
        full = _sizes(answers(RenderPage, [tasks[index] for index in both]))
    return sum(full) / sum(small[index] for index in both) * sum(small) / len(small)


def _sizes(headers: Iterable[dict]) -> list[int]:
    """Bytes of each image, 0 for a page that fails."""
    return [header.get('bytes', 0) for header in headers]


@contextmanager
def _sampling(settings: RenderSettings) -> Iterator[Callable[[type, Sequence[tuple[dict, bytes]]], list[dict]]]:
    """Gives a function from tasks to the headers of their answers, which one child process makes."""
    quick = replace(settings, engine='pdfium' if settings.engine == 'auto' else settings.engine,  # MuPDF takes 0.3 s to load
                    cpu_seconds=min(_SAMPLE_SECONDS, settings.cpu_seconds), text_layer=False)
    pool = acquire_pool(PDF_OPERATIONS, quick, 1)

    def answers(operation: type, tasks: Sequence[tuple[dict, bytes]]) -> list[dict]:
        window: Window[None] = Window(pool, 2, in_order=True)
        headers: list[dict] = []
        for header, data in tasks:
            window.submit(None, operation, header, data)
            headers += (answer.header for _, answer in window.ready())
        return headers + [answer.header for _, answer in window.rest()]

    try:
        yield answers
    finally:
        release_pool(pool)


def sample_files(root: str, files: Sequence[storage.FileInfo], settings: RenderSettings, selection: PageSelection, max_pages: int) -> PageSample:
    """Pages of local files: counted in some, spread over their sizes, of which some are rendered."""
    by_size = sorted(files, key=lambda file: (file.size, file.path))
    chosen = by_size[::-(-len(by_size) // _SAMPLED_FILES)]
    tasks = [({'name': file.path, 'path': os.path.abspath(storage.join(root, file.path))}, b'') for file in chosen]
    # A file that cannot be opened is a record too.
    with _sampling(settings) as answers:
        counts = [header.get('pages', 1) for header in answers(CountPages, tasks)]
    pages = [(file, page) for file, count in zip(chosen, counts, strict=True)
             for page in itertools.islice(selection.pick(count), max_pages)]
    shown = pages[::-(-len(pages) // SAMPLED_PAGES)] if pages else []
    mean = mean_image_bytes([(file.path, os.path.abspath(storage.join(root, file.path)), b'', page) for file, page in shown], settings)
    return PageSample(len(pages) * len(files) / len(chosen), mean)
