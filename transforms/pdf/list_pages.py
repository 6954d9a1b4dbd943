"""ListPdfPages: files to their pages, counted in the sandbox; a file that cannot be opened is one failure."""

import argparse
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput

import transforms.hub.filesystem  # noqa: F401 - registers hf:// with Beam
from transforms.accounting.outcome import DROPPED, Outcome
from transforms.accounting.step import ACCOUNTS
from transforms.files import storage
from transforms.pdf.count_pages import CountPages
from transforms.pdf.pages import PageImage, PdfPage
from transforms.pdf.render_page import PDF_OPERATIONS
from transforms.pdf.settings import RenderSettings
from transforms.report.summary import Count
from transforms.run.journal import is_output_there, read_journal
from transforms.run.run import Run
from transforms.sandbox.pool import Answer, acquire_pool, release_pool
from transforms.sandbox.window import Window

# Letters that Unicode does not take apart.
_LETTERS = str.maketrans({'đ': 'd', 'ð': 'd', 'ø': 'o', 'ł': 'l', 'ı': 'i', 'ß': 'ss', 'æ': 'ae', 'œ': 'oe', 'þ': 'th', 'ħ': 'h', 'ŧ': 't', 'ŋ': 'n'})


@dataclass(frozen=True)
class PageSelection:
    """Which pages of a file are read: 1-based inclusive ranges; none given means all."""

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def parse(cls, text: str) -> 'PageSelection':
        """From '1-3,7'; an open end as in '5-' is allowed."""
        ranges = []
        for part in text.split(','):
            match = re.fullmatch(r'\s*(\d+)\s*(?:(-)\s*(\d*)\s*)?', part)
            first = int(match[1]) if match else 0
            last = int(match[3]) if match and match[3] else (1 << 40 if match and match[2] else first)
            if not 1 <= first <= last:
                raise argparse.ArgumentTypeError(f'{text!r} must be pages such as 1-3,7')
            ranges.append((first, last))
        return cls(tuple(ranges))

    def pick(self, count: int) -> Iterator[int]:
        """0-based pages of a file with `count` pages, ascending, each once."""
        last = 0
        for first, end in sorted(self.ranges or ((1, count),)):
            for page in range(max(first, last + 1), min(end, count) + 1):
                yield page - 1
                last = page
            last = max(last, min(end, count))

    def __str__(self) -> str:
        return ','.join(str(a) if a == b else f'{a}-{b if b < 1 << 40 else ""}' for a, b in self.ranges)


@dataclass(frozen=True)
class FileGroup:
    """Some files of the input, by path relative to its root; `name` is the group's in journals, `part` that of its accounts."""

    name: str
    files: tuple[str, ...]
    part: int = 0


def display_name(file: str) -> str:
    """A file's name as text: bytes that are no UTF-8 are written as backslash, x and two hex digits."""
    # Backslashes of the name itself are doubled, so that no two files share a name.
    return file.replace('\\', '\\\\').encode('utf-8', 'surrogateescape').decode('utf-8', 'backslashreplace')


def page_image_path(file: str, page: int, extension: str) -> str:
    """`images/{hh}/{slug}-{hash}-p{page:05d}.{extension}` for a 0-based page of a file."""
    digest = hashlib.sha256(file.encode('utf-8', 'surrogateescape')).hexdigest()[:12]
    slug = re.sub(r'[^a-z0-9._-]', '-', _plain_letters(file))[:80]
    return f'images/{digest[:2]}/{slug}-{digest}-p{page + 1:05d}.{extension}'


def _plain_letters(text: str) -> str:
    """Lower case, with Latin letters for their forms with marks: 'Đường phố' is 'duong pho'."""
    apart = unicodedata.normalize('NFKD', text.lower().translate(_LETTERS))
    return ''.join(character for character in apart if not unicodedata.combining(character))


def page_id(file: str, page: int) -> str:
    """The record id of a 0-based page."""
    return f'{file}#{page + 1}'


class _ListFn(beam.DoFn):
    def __init__(self, root: str, settings: RenderSettings, processes: int, selection: PageSelection, max_pages: int,
                 limit: int, run: Run | None) -> None:
        self._root, self._settings, self._processes = root, settings, processes
        self._selection, self._max_pages, self._limit = selection, max_pages, limit
        self._run = run

    def setup(self) -> None:
        self._pool = acquire_pool(PDF_OPERATIONS, self._settings, self._processes)

    def teardown(self) -> None:
        release_pool(self._pool)

    def process(self, group: FileGroup) -> Iterator[
            PdfPage | PageImage | TaggedOutput[Literal['accounts'], object]]:
        journaled = read_journal(self._run.journal, group.name) if self._run else {}
        read = 0
        for file, counted in self._counted(group.files):
            answer = counted.header
            if self._limit and read >= self._limit:
                break
            if answer.get('error'):
                read += 1
                yield self._page(group, file, 0).failed(answer['error'], answer['message'])
                continue
            if next(self._selection.pick(answer['pages']), None) is None:
                yield TaggedOutput(ACCOUNTS, Count(group.part, 'warning', 'no_page_selected', 1))
            for order, page in enumerate(self._selection.pick(answer['pages'])):
                if self._limit and read >= self._limit:
                    break
                read += 1
                if order < self._max_pages:
                    yield self._page_or_outcome(group, file, page, journaled)
                else:
                    name = display_name(file)
                    yield TaggedOutput(ACCOUNTS, Outcome(group.part, name, page, page_id(name, page), DROPPED, 'over_page_limit'))
        yield TaggedOutput(ACCOUNTS, Count(group.part, 'read', '', read))

    def _counted(self, files: Iterable[str]) -> Iterator[tuple[str, Answer]]:
        """Each file with its page count or error, in order, a few of them under way at a time."""
        window: Window[str] = Window(self._pool, 2 * self._pool.processes, in_order=True)
        for file in files:
            path = self._path(file)
            here = storage.is_local(path)
            window.submit(file, CountPages, {'name': file, 'path': os.path.abspath(path) if here else ''},
                          b'' if here else storage.read_bytes(path))
            yield from window.ready()
        yield from window.rest()

    def _path(self, file: str) -> str:
        return storage.join(self._root, file) if self._root else file

    def _page(self, group: FileGroup, file: str, page: int) -> PdfPage:
        path = self._path(file)
        local = storage.is_local(path)
        return PdfPage(part=group.part, file=display_name(file), row=page, name=file, path=path if local else '',
                       data=b'' if local else storage.read_bytes(path), page=page,
                       output=page_image_path(file, page, self._settings.extension), unit=group.name)

    def _page_or_outcome(self, group: FileGroup, file: str, page: int, journaled: dict) -> PdfPage | PageImage:
        pdf_page = self._page(group, file, page)
        outcome = journaled.get((pdf_page.file, page))
        if outcome is None or not is_output_there(self._run.output, outcome):
            return pdf_page
        return pdf_page.outcome(outcome)


@dataclass(eq=False)
class ListPdfPages(beam.PTransform):
    """PCollection[FileGroup] to `main`, a PdfPage for each page or its journaled outcome, and `accounts`.

    Pages are counted by the engines in the sandbox. A file that no engine opens, or that has no page, is one
    failed page 1. Files on other than local disks are read once for each page.

    Args:
        root: folder that the files' paths are relative to, '' for none.
        settings: of rendering; the engine and the limits count here too.
        run: the run, for its folders: a journaled image that is still there is not rendered again; None outside of a run.
        processes: child processes of each Beam worker process.
        selection: pages to read of each file.
        max_pages: pages of one file; further ones are dropped as `over_page_limit`.
        limit: pages read of each group, 0 for all.
    """

    root: str
    settings: RenderSettings
    run: Run | None
    processes: int = 1
    selection: PageSelection = PageSelection()
    max_pages: int = 2000
    limit: int = 0

    def expand(self, groups: beam.PCollection[FileGroup]):  # noqa: ANN201 - Beam reads tuples wrongly
        return groups | 'CountPages' >> beam.ParDo(
            _ListFn(self.root, self.settings, self.processes, self.selection, self.max_pages, self.limit, self.run)
        ).with_outputs(ACCOUNTS, main='main')


@dataclass(eq=False)
class PdfPages(beam.PTransform):
    """PCollection[str], paths of PDFs (and PNG and JPEG files), to PCollection[PdfPage | PageImage]: every page, for RenderPDF.

    A file that cannot be opened, or has no page, is one PageImage with `error`, which RenderPDF passes on. Images get the names
    `images/{hh}/{name}-{hash}-p{page}.{extension}`, by which the same path always has the same.

    Args:
        settings: of rendering.
        processes: child processes of each Beam worker process, which count pages.
        selection: pages to read of each file.
        max_pages: pages of one file; further ones are left out.
    """

    settings: RenderSettings = RenderSettings()
    processes: int = 1
    selection: PageSelection = PageSelection()
    max_pages: int = 2000

    def expand(self, paths: beam.PCollection[str]) -> beam.PCollection:
        return (paths | 'ToGroup' >> beam.Map(_one_file) | 'ListPages' >> ListPdfPages(
            '', self.settings, None, self.processes, self.selection, self.max_pages)).main


def _one_file(path: str) -> FileGroup:
    return FileGroup(display_name(path), (path,))
