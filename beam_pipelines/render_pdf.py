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
from options.hub import HubOptions
from options.render import RenderOptions
from options.render_pdf import RenderPdfOptions, RenderPdfSettings, render_pdf_settings
from options.run import RunOptions
from transforms.accounting.collect import CollectOutcomes
from transforms.accounting.finish import FinishRun
from transforms.accounting.run_summary import BuildRunSummary, SumCounts
from transforms.accounting.write_records import WriteRecords
from transforms.files.storage import join
from transforms.pdf.estimate import page_bytes
from transforms.pdf.list_pages import ListPdfPages
from transforms.pdf.outcomes import IMAGE_COLUMNS, IMAGE_HISTOGRAMS, journal_entries, page_outcome
from transforms.pdf.render_pdf import RenderPDF
from transforms.pdf.write_images import WriteImages
from transforms.run.hints import hinted
from transforms.run.start_up_check import StartUpCheck

ABOUT = """\
Renders the pages of any PDFs to images, with records/, errors.jsonl and report.html that account for every page.

--input is a folder (its *.pdf at any depth), a file, or a glob in quotes; ** also matches no folder. PNG and JPEG
files that a glob names are shrunk to --max_size. A file that no engine opens, or that has no page, is one failed
record.

  python -m beam_pipelines.render_pdf --input 'papers/**/*.pdf' --output images --max-size 1288 --pages 1-3"""


def build(pipeline: beam.Pipeline, settings: RenderPdfSettings) -> None:
    """Adds all steps to `pipeline`, the last of which finishes the output."""
    output, journal = settings.output, join(settings.work, 'journal')
    fragments = join(settings.work, 'fragments')
    check, hints = StartUpCheck(settings.run.workspace(settings.found.root)), settings.worker_hints
    groups = pipeline | 'Files' >> beam.Create(settings.groups)

    # From CheckRendering to WriteImages everything is one fused stage; the same resource hints keep it one.
    listed = groups | 'CheckRendering' >> hinted(check, hints) | 'ListPages' >> hinted(ListPdfPages(
        settings.found.root, settings.render, settings.render_processes, settings.selection, settings.max_pages,
        settings.limit, journal, output), hints)
    images = (listed.main
              | 'RenderPDF' >> hinted(RenderPDF(
                  settings.render, settings.render_processes, settings.run.staging_dir), hints)
              | 'WriteImages' >> hinted(WriteImages(output, journal), hints))

    rendered = images | 'ToOutcome' >> beam.Map(page_outcome) | 'CollectRendered' >> CollectOutcomes(fragments, by_file=False)
    dropped = listed.outcomes | 'CollectDropped' >> CollectOutcomes(fragments, by_file=False)
    summary = (*rendered, *dropped, listed.counts | 'SumRead' >> SumCounts()) | 'BuildRunSummary' >> BuildRunSummary()
    (summary
     | 'CheckFinishing' >> check
     | 'WriteRecords' >> WriteRecords(output, settings.run.source, settings.run.revision, IMAGE_COLUMNS,
                                      IMAGE_HISTOGRAMS, settings.seed)
     | 'FinishRun' >> FinishRun(settings.run, ('',), by_file=False))


def plan(settings: RenderPdfSettings, source: str) -> Plan:
    """What a run with these settings reads and writes."""
    found, render = settings.found, settings.render
    one = page_bytes(render.max_size, render.dpi, render.image_format)
    return Plan((('input', f'{source} ({len(found.files):,} files, {human_bytes(found.bytes)})'),
                 ('write', f'{settings.output}, about {human_bytes(one)} a page'),
                 ('with', f'{settings.render_processes} render processes' if settings.render_processes
                  else 'a render process for each core of a worker')),
                found.inputs, int(one * sum(len(group.files) for group in settings.groups)), unit='page')


SPEC = PipelineSpec(
    name='render_pdf', summary='any PDFs (folder or glob) to page images and a records table', about=ABOUT,
    options=(RunOptions, RenderPdfOptions, RenderOptions, HubOptions, ClusterOptions), settings=render_pdf_settings,
    plan=plan, build=build, journal_entries=lambda settings: journal_entries(settings.groups))


def run(argv: Sequence[str] | None = None) -> RunResult:
    """Runs the pipeline with the flags in `argv`; see `python -m beam_pipelines.render_pdf --help`."""
    return launch(SPEC, argv)


if __name__ == '__main__':
    sys.exit(run().exit_code)
