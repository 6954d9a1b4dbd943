"""Any folder or glob of PDFs to page images and a table that accounts for every page.

python -m beam_pipelines.render_pdf --input 'papers/**/*.pdf' --output images
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import apache_beam as beam

from beam_pipelines.launcher import PipelineSpec, RunResult, launch
from beam_pipelines.launcher.human import human_bytes
from beam_pipelines.launcher.spec import Plan
from options.cluster import ClusterOptions
from options.context import Context
from options.hub import HubOptions
from options.render import RenderOptions
from options.render_pdf import RenderPdfOptions, RenderPdfSettings, render_pdf_settings
from options.run import RunOptions
from transforms.accounting.finish import FinishRun
from transforms.pdf.estimate import page_bytes
from transforms.pdf.outcomes import PAGE_REPORT, PAGE_TABLE, journal_entries
from transforms.pdf.render_files import RenderFiles
from transforms.pdf.settings import BYTE_PACKAGES
from transforms.run.source import parts_of

ABOUT = """\
Renders the pages of any PDFs to images, with records/, errors.jsonl and report.html that account for every page.

--input is a folder (its *.pdf at any depth), a file, or a glob in quotes; ** also matches no folder. PNG and JPEG
files that a glob names are shrunk to --max_size. A file that no engine opens, or that has no page, is one failed
record.

  python -m beam_pipelines.render_pdf --input 'papers/**/*.pdf' --output images --max-size 1288 --pages 1-3"""


def build(pipeline: beam.Pipeline, settings: RenderPdfSettings) -> None:
    """Adds all steps to `pipeline`, the last of which finishes the output."""
    images = pipeline | 'RenderFiles' >> RenderFiles(
        settings.found.root, settings.groups, settings.render, settings.run, settings.render_processes,
        settings.selection, settings.max_pages, settings.limit)
    (images,) | 'FinishRun' >> FinishRun(settings.run, PAGE_TABLE, report=PAGE_REPORT)


def plan(settings: RenderPdfSettings, context: Context) -> Plan:
    """What a run with these settings reads and writes."""
    found, render = settings.found, settings.render
    one = page_bytes(render.max_size, render.dpi, render.image_format)
    return Plan((('input', f'{context.address} ({len(found.files):,} files, {human_bytes(found.bytes)})'),
                 ('write', f'{context.output}, about {human_bytes(one)} a page'),
                 ('with', f'{settings.render_processes} render processes' if settings.render_processes
                  else 'a render process for each core of a worker')),
                found.inputs, int(one * sum(len(group.files) for group in settings.groups)), counted='page',
                sources=(context.source(found.root),), parts=parts_of([max((g.part for g in settings.groups), default=0) + 1]))


SPEC = PipelineSpec(
    name='render_pdf', summary='any PDFs (folder or glob) to page images and a records table', about=ABOUT,
    options=(RunOptions, RenderPdfOptions, RenderOptions, HubOptions, ClusterOptions), settings=render_pdf_settings,
    plan=plan, build=build, byte_packages=BYTE_PACKAGES, journal_entries=lambda settings: journal_entries(settings.groups))


def run(argv: Sequence[str] | None = None) -> RunResult:
    """Runs the pipeline with the flags in `argv`; see `python -m beam_pipelines.render_pdf --help`."""
    return launch(SPEC, argv)


if __name__ == '__main__':
    sys.exit(run().exit_code)
