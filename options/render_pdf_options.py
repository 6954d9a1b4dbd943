"""Flags of drawing any PDFs: which pages of a file."""

from __future__ import annotations

import argparse

from apache_beam.options.pipeline_options import PipelineOptions

from options.run_options import positive
from transforms.pdf.list_pages import PageSelection


class RenderPdfOptions(PipelineOptions):
    """Pages of a file."""

    TITLE = 'pages of a file'
    NOT_BYTES = frozenset()

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--pages', type=PageSelection.parse, default=PageSelection(), metavar='1-3,7',
                            help='pages of each file to read (default: all)')
        parser.add_argument('--max_pages', type=positive, default=2000, metavar='N',
                            help='pages of one file; the rest is dropped as over_page_limit (default 2000)')
