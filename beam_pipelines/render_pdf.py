"""Any folder or glob of PDFs to page images and a table that accounts for every page.

python -m beam_pipelines.render_pdf --input 'papers/**/*.pdf' --output images
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import apache_beam as beam

from beam_pipelines.launcher import PipelineSpec, RunResult, launch
from beam_pipelines.plans.render_pdf import ABOUT, known_outcome, prepare
from options.cluster_options import ClusterOptions
from options.hub_options import HubOptions
from options.render_options import RenderOptions
from options.render_pdf_options import RenderPdfOptions
from options.render_pdf_settings import RenderPdfSettings
from options.run_options import RunOptions
from transforms.accounts.collect import CollectRecords
from transforms.accounts.finish import FinishRun
from transforms.accounts.ledger import BuildLedger, SumTallies
from transforms.accounts.workspace import CheckInWorker
from transforms.accounts.write_records import WriteRecords
from transforms.files.storage import join, spill_folder
from transforms.hints import hinted
from transforms.pdf.list_pages import ListPdfPages
from transforms.pdf.outcomes import IMAGE_COLUMNS, IMAGE_HISTOGRAMS, page_record
from transforms.pdf.render_pdf import RenderPDF
from transforms.pdf.write_images import WriteImages


def build(pipeline: beam.Pipeline, settings: RenderPdfSettings) -> None:
    """Adds all steps to `pipeline`, the last of which finishes the output."""
    output, journal = settings.output, join(settings.work, 'journal')
    fragments = join(settings.work, 'fragments')
    check_in, drawing = CheckInWorker(settings.run.workspace(settings.root)), settings.drawing_hints
    groups = pipeline | 'Files' >> beam.Create(settings.groups)

    # From CheckInDrawing to WriteImages everything is one fused stage; the same resource hints keep it one.
    listed = groups | 'CheckInDrawing' >> hinted(check_in, drawing) | 'ListPages' >> hinted(ListPdfPages(
        settings.root, settings.render, settings.render_processes, settings.selection, settings.max_pages,
        settings.limit, journal, output), drawing)
    images = (listed.pages
              | 'RenderPDF' >> hinted(RenderPDF(
                  settings.render, settings.render_processes, spill_folder(settings.work)), drawing)
              | 'WriteImages' >> hinted(WriteImages(output, journal), drawing))

    drawn = images | 'ToRecord' >> beam.Map(page_record) | 'CollectDrawn' >> CollectRecords(fragments, by_file=False)
    dropped = listed.dropped | 'CollectDropped' >> CollectRecords(fragments, by_file=False)
    ledger = (*drawn, *dropped, listed.tallies | 'SumRead' >> SumTallies()) | 'BuildLedger' >> BuildLedger()
    (ledger
     | 'CheckInFinishing' >> check_in
     | 'WriteRecords' >> WriteRecords(output, settings.run.source, settings.run.revision, IMAGE_COLUMNS,
                                      IMAGE_HISTOGRAMS, settings.seed)
     | 'FinishRun' >> FinishRun(settings.run, ('',), by_file=False))


SPEC = PipelineSpec(
    name='render_pdf', summary='any PDFs (folder or glob) to page images and a records table', about=ABOUT,
    options=(RunOptions, RenderPdfOptions, RenderOptions, HubOptions, ClusterOptions), prepare=prepare, build=build,
    known=known_outcome)


def run(argv: Sequence[str] | None = None) -> RunResult:
    """Runs the pipeline with the flags in `argv`; see `python -m beam_pipelines.render_pdf --help`."""
    return launch(SPEC, argv)


if __name__ == '__main__':
    sys.exit(run().exit_code)
