"""Any PDFs: which pages of a file."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from apache_beam.options.pipeline_options import PipelineOptions

from options.context import Context
from options.render import render_settings
from options.run import positive
from transforms.pdf.discover import PdfInput, discover, group_files
from transforms.pdf.list_pages import FileGroup, PageSelection
from transforms.pdf.settings import RenderSettings
from transforms.run.run import Run


class RenderPdfOptions(PipelineOptions):
    """Which pages of a file, and how many at most."""

    TITLE = 'pages of a file'
    NOT_BYTES = frozenset()

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--pages', type=PageSelection.parse, default=PageSelection(), metavar='1-3,7',
                            help='pages of each file to read (default: all)')
        parser.add_argument('--max_pages', type=positive, default=2000, metavar='N',
                            help='pages of one file; the rest is dropped as over_page_limit (default 2000)')


@dataclass(frozen=True)
class RenderPdfSettings:
    """What `beam_pipelines.render_pdf.build` needs.

    Attributes:
        found: the input's files.
        groups: the files, in groups of work.
        render: what the images look like.
        selection: pages to read of each file.
        max_pages: pages of one file.
        limit: pages to read, 0 for all.
        seed: of every random choice.
        render_processes: render processes of each Beam worker, 0 for one on each of its cores.
        run: what run this is; the launcher fills it in.
    """

    found: PdfInput
    groups: tuple[FileGroup, ...]
    render: RenderSettings
    selection: PageSelection = PageSelection()
    max_pages: int = 2000
    limit: int = 0
    seed: int = 0
    render_processes: int = 1
    run: Run | None = None


def render_pdf_settings(context: Context) -> RenderPdfSettings:
    """The settings that the flags and the input make.

    Raises:
        ValueError: no --input, nothing there, or a value out of range.
    """
    flags = context.flags
    if not context.input:
        raise ValueError("--input is needed: a folder, a file, or a glob in quotes such as 'folder/**/*.pdf'")
    found = discover(context.input, besides=context.output)
    # Every file has a record, unless --pages leaves all of its pages out.
    groups = group_files(found, flags.limit, skips_files=bool(flags.pages.ranges))
    return RenderPdfSettings(
        found=found, groups=groups, render=render_settings(flags, repaired='keep'),
        selection=flags.pages, max_pages=flags.max_pages, limit=flags.limit, seed=flags.seed,
        render_processes=context.render_processes)
