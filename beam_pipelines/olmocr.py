"""olmOCR-mix to LLaVA training data: page images, chat.json and chat_eval.json.

The dataset (allenai/olmOCR-mix-1025, ODC-BY) has its labels in one Parquet for each subset and split, and its
pages as single-page PDFs in about 50 tarballs of 1 GiB. Each Parquet is read once and cut by tarball; each
tarball is streamed once beside its rows; pages are drawn in sandboxed processes and written; what is left are
small records, from which the chat files, the records table and the report are made.

    python -m beam_pipelines.olmocr --input data/olmOCR-mix-1025 --output data/olmOCR-llava
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import apache_beam as beam

from beam_pipelines.launcher import PipelineSpec, RunResult, launch
from beam_pipelines.plans.olmocr import ABOUT, known_outcome, prepare
from options.cluster_options import ClusterOptions
from options.hub_options import HubOptions
from options.llava_options import LlavaOptions
from options.olmocr_options import OlmocrOptions
from options.olmocr_settings import OlmocrSettings
from options.render_options import RenderOptions
from options.run_options import RunOptions
from transforms.accounts.collect import CollectRecords
from transforms.accounts.finish import FinishRun
from transforms.accounts.fragments import WriteFragments
from transforms.accounts.ledger import BuildLedger, SumTallies
from transforms.accounts.workspace import CheckInWorker
from transforms.accounts.write_records import WriteRecords
from transforms.files.storage import join, spill_folder
from transforms.hints import hinted
from transforms.llava.conversation import ToLlavaConversation
from transforms.llava.validate import ValidateLlava
from transforms.llava.write_llava import SpillConversations, WriteLlava
from transforms.olmocr.index_archives import IndexArchives
from transforms.olmocr.original import WriteOriginal, to_original
from transforms.olmocr.outcomes import LABEL_COLUMNS, as_extracted, to_annotation, to_labelled, to_record
from transforms.olmocr.read_pages import ReadArchivePages
from transforms.olmocr.read_rows import ReadOlmocrRows
from transforms.olmocr.write_annotations import WriteAnnotations
from transforms.pdf.outcomes import IMAGE_COLUMNS, IMAGE_HISTOGRAMS, multi_page_warning
from transforms.pdf.render_pdf import RenderPDF
from transforms.pdf.write_images import WriteImages


def build(pipeline: beam.Pipeline, settings: OlmocrSettings) -> None:
    """Adds all steps to `pipeline`, the last of which finishes the output."""
    found, output, work = settings.found, settings.output, settings.work
    fragments = join(work, 'fragments')
    check_in, drawing = CheckInWorker(settings.run.workspace(found.root)), settings.drawing_hints
    files = pipeline | 'Files' >> beam.Create(found.files)
    index_errors = ()
    if found.needs_index:
        indexed = (pipeline | 'Archives' >> beam.Create(sorted(found.archives)) | 'CheckInIndexing' >> check_in
                   | 'IndexArchives' >> IndexArchives(found.root, join(work, 'index')))
        files = files | 'AfterIndex' >> beam.util.WaitOn(indexed.archives)
        index_errors = (indexed.errors,)

    # Labels: one small set of row files for each tarball.
    extension = '' if settings.product == 'annotations' else settings.render.extension
    rows = files | 'CheckInReading' >> check_in | 'ReadRows' >> ReadOlmocrRows(
        settings.rules, join(work, 'rows'), extension, settings.limit, join(work, 'index'))

    # Pages: from CheckInDrawing to WriteImages everything is one fused stage, for it carries the documents' bytes.
    # Resource hints must be the same on all of it: where they differ, Beam cuts the stage.
    units = rows.units | 'SpreadUnits' >> beam.Reshuffle()
    pages = units | 'CheckInDrawing' >> hinted(check_in, drawing) | 'ReadPages' >> hinted(ReadArchivePages(
        found.root, join(work, 'journal'), output, settings.rules.rotation == 'correct', bool(settings.limit),
        settings.render.max_input_bytes), drawing)
    if settings.product == 'annotations':
        images = pages.pages | 'KeepAsTheyAre' >> hinted(beam.Map(as_extracted), drawing)
    else:
        images = pages.pages | 'RenderPDF' >> hinted(RenderPDF(
            settings.render, settings.render_processes, spill_folder(work)), drawing)
    images = images | 'WriteImages' >> hinted(WriteImages(output, join(work, 'journal')), drawing)

    # Accounts: every record's outcome, by three ways to end.
    ended = [records | f'Collect{name}' >> CollectRecords(fragments) for name, records in (
        ('Filtered', rows.dropped), ('Unread', pages.dropped), ('Drawn', images | 'ToRecord' >> beam.Map(to_record)))]
    warnings = images | 'FindMultiPage' >> beam.FlatMap(multi_page_warning) | 'SumWarnings' >> SumTallies()

    # Training data.
    if settings.product == 'annotations':
        spilled = (images | 'ToAnnotation' >> beam.FlatMap(to_annotation)
                   | 'SpillAnnotations' >> WriteFragments(fragments, 'annotation'),)
    elif settings.product == 'original':
        spilled = (images | 'ToOriginal' >> beam.FlatMap(to_original)
                   | 'SpillOriginal' >> WriteFragments(fragments, 'original'),)
    else:
        spilled = (images | 'AddText' >> beam.FlatMap(to_labelled, settings.rules.blank_answer)
                   | 'ToLlavaConversation' >> ToLlavaConversation(settings.prompts, settings.seed)
                   | 'SpillConversations' >> SpillConversations(fragments, settings.splits))

    # Finishing: one element, a step for each thing written, the verdict last.
    ledger = (*(part for parts in ended for part in parts), *spilled, *index_errors, warnings, rows.tallies, rows.errors,
              pages.tallies, pages.errors) | 'BuildLedger' >> BuildLedger()
    ledger = ledger | 'CheckInFinishing' >> check_in | 'WriteRecords' >> WriteRecords(
        output, settings.run.source, settings.run.revision, LABEL_COLUMNS + IMAGE_COLUMNS,
        (*IMAGE_HISTOGRAMS, 'text_chars', 'language', 'rotation'), settings.seed, 'conversion_errors.log')
    if settings.product == 'annotations':
        ledger = ledger | 'WriteAnnotations' >> WriteAnnotations(output)
    elif settings.product == 'original':
        ledger = ledger | 'WriteOriginal' >> WriteOriginal(output, found.files)
    else:
        ledger = (ledger | 'WriteLlava' >> WriteLlava(output, settings.splits)
                  | 'ValidateLlava' >> ValidateLlava(
                      output, settings.splits, settings.rules.special_tokens == 'keep'))
    ledger | 'FinishRun' >> FinishRun(settings.run, tuple(file.name for file in found.files))


SPEC = PipelineSpec(
    name='olmocr', summary='olmOCR-mix (PDF pages with text) to LLaVA conversations and page images',
    about=ABOUT, options=(RunOptions, OlmocrOptions, LlavaOptions, RenderOptions, HubOptions, ClusterOptions),
    prepare=prepare, build=build, known=known_outcome)


def run(argv: Sequence[str] | None = None) -> RunResult:
    """Runs the pipeline with the flags in `argv`; see `python -m beam_pipelines.olmocr --help`."""
    return launch(SPEC, argv)


if __name__ == '__main__':
    sys.exit(run().exit_code)
