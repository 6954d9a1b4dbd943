"""olmOCR-mix to LLaVA training data: page images, chat.json and chat_eval.json.

The dataset (allenai/olmOCR-mix-1025, ODC-BY) has its labels in one Parquet for each subset and split, and its
pages as single-page PDFs in about 50 tarballs of 1 GiB. Each Parquet is read once and cut by tarball; each
tarball is streamed once beside its rows; pages are rendered in sandboxed processes and written; what is left are
small records, from which the chat files, the records table and the report are made.

    python -m beam_pipelines.olmocr --input data/olmOCR-mix-1025 --output data/olmOCR-llava
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import apache_beam as beam

from beam_pipelines.launcher import PipelineSpec, RunResult, launch
from beam_pipelines.launcher.human import human_bytes, human_time
from beam_pipelines.launcher.spec import Plan
from options.cluster import ClusterOptions
from options.hub import HubOptions
from options.llava import LlavaOptions
from options.olmocr import OlmocrOptions, OlmocrSettings, olmocr_settings
from options.render import RenderOptions
from options.run import RunOptions
from transforms.accounting.collect import CollectOutcomes
from transforms.accounting.finish import FinishRun
from transforms.accounting.fragments import WriteFragments
from transforms.accounting.run_summary import BuildRunSummary, SumCounts
from transforms.accounting.write_records import WriteRecords
from transforms.files.storage import join
from transforms.llava.conversation import ToLlavaConversation
from transforms.llava.validate import ValidateLlava
from transforms.llava.write_llava import SpillConversations, WriteLlava
from transforms.olmocr.index_archives import IndexArchives
from transforms.olmocr.original import WriteOriginal, to_original
from transforms.olmocr.outcomes import (
    LABEL_COLUMNS,
    as_extracted,
    journal_entries,
    to_annotation,
    to_labelled,
    to_outcome,
)
from transforms.olmocr.read_pages import ReadArchivePages
from transforms.olmocr.read_rows import ReadOlmocrRows
from transforms.olmocr.write_annotations import WriteAnnotations
from transforms.pdf.estimate import page_bytes, render_seconds
from transforms.pdf.outcomes import IMAGE_COLUMNS, IMAGE_HISTOGRAMS, multi_page_warning
from transforms.pdf.render_pdf import RenderPDF
from transforms.pdf.write_images import WriteImages
from transforms.run.hints import hinted
from transforms.run.start_up_check import StartUpCheck

ABOUT = """\
Turns olmOCR-mix (labels in Parquet, pages as PDFs in tarballs) into LLaVA training data: images/, chat.json,
chat_eval.json, with records/, errors.jsonl and report.html that account for every row.

--input is the folder that allenai/olmOCR-mix-1025 (or mix-0225) was downloaded to; without it an embedded sample
is taken. In two steps: --stage=extract writes annotations.json and the documents, --stage=convert reads those.

  python -m beam_pipelines.olmocr --input data/olmOCR-mix-1025 --output data/olmOCR-llava --max-size 1288"""
_SAMPLE_NOTE = ('This is the embedded sample. The real dataset: download allenai/olmOCR-mix-1025 (about 200 GB), '
                'then --input FOLDER; with --limit 100 for a trial.')


def build(pipeline: beam.Pipeline, settings: OlmocrSettings) -> None:
    """Adds all steps to `pipeline`, the last of which finishes the output."""
    found, output, work = settings.found, settings.output, settings.work
    fragments = join(work, 'fragments')
    check, hints = StartUpCheck(settings.run.workspace(found.root)), settings.worker_hints
    files = pipeline | 'Files' >> beam.Create(found.files)
    index_errors = ()
    if found.needs_index:
        indexed = (pipeline | 'Archives' >> beam.Create(sorted(found.archives)) | 'CheckIndexing' >> check
                   | 'IndexArchives' >> IndexArchives(found.root, join(work, 'index')))
        files = files | 'AfterIndex' >> beam.util.WaitOn(indexed.main)
        index_errors = (indexed.faults,)

    # Labels: one small set of row files for each tarball.
    extension = '' if settings.product == 'annotations' else settings.render.extension
    rows = files | 'CheckReading' >> check | 'ReadRows' >> ReadOlmocrRows(
        settings.rules, join(work, 'rows'), extension, settings.limit, join(work, 'index'))

    # Pages: from CheckRendering to WriteImages everything is one fused stage, for it carries the documents' bytes.
    # Resource hints must be the same on all of it: where they differ, Beam cuts the stage.
    units = rows.main | 'SpreadUnits' >> beam.Reshuffle()
    pages = units | 'CheckRendering' >> hinted(check, hints) | 'ReadPages' >> hinted(ReadArchivePages(
        found.root, join(work, 'journal'), output, settings.rules.rotation == 'correct', bool(settings.limit),
        settings.render.max_input_bytes), hints)
    if settings.product == 'annotations':
        images = pages.main | 'KeepAsTheyAre' >> hinted(beam.Map(as_extracted), hints)
    else:
        images = pages.main | 'RenderPDF' >> hinted(RenderPDF(
            settings.render, settings.render_processes, settings.run.staging_dir), hints)
    images = images | 'WriteImages' >> hinted(WriteImages(output, join(work, 'journal')), hints)

    # Accounts: every record's outcome, by three ways to end.
    ended = [records | f'Collect{name}' >> CollectOutcomes(fragments) for name, records in (
        ('Filtered', rows.outcomes), ('Unread', pages.outcomes), ('Rendered', images | 'ToOutcome' >> beam.Map(to_outcome)))]
    warnings = images | 'FindMultiPage' >> beam.FlatMap(multi_page_warning) | 'SumWarnings' >> SumCounts()

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
    summary = (*(part for parts in ended for part in parts), *spilled, *index_errors, warnings, rows.counts, rows.faults,
               pages.counts, pages.faults) | 'BuildRunSummary' >> BuildRunSummary()
    summary = summary | 'CheckFinishing' >> check | 'WriteRecords' >> WriteRecords(
        output, settings.run.source, settings.run.revision, LABEL_COLUMNS + IMAGE_COLUMNS,
        (*IMAGE_HISTOGRAMS, 'text_chars', 'language', 'rotation'), settings.seed, 'conversion_errors.log')
    if settings.product == 'annotations':
        summary = summary | 'WriteAnnotations' >> WriteAnnotations(output)
    elif settings.product == 'original':
        summary = summary | 'WriteOriginal' >> WriteOriginal(output, found.files)
    else:
        summary = (summary | 'WriteLlava' >> WriteLlava(output, settings.splits)
                   | 'ValidateLlava' >> ValidateLlava(
                      output, settings.splits, settings.rules.special_tokens == 'keep'))
    summary | 'FinishRun' >> FinishRun(settings.run, tuple(file.name for file in found.files))


def plan(settings: OlmocrSettings, source: str) -> Plan:
    """What a run with these settings reads and writes, and how long it takes."""
    found, render = settings.found, settings.render
    rows = sum(min(file.rows, settings.limit or file.rows) for file in found.files)
    in_bytes = sum(file.bytes for file in found.files) + found.archive_bytes
    if settings.product == 'annotations':
        out_bytes, seconds = found.archive_bytes * rows / max(1, found.rows), in_bytes / 100e6
    else:
        out_bytes = rows * page_bytes(render.max_size, render.dpi, render.image_format)
        seconds = render_seconds(rows, render.max_size, render.dpi, settings.render_processes or 1)
    subsets = ', '.join(f'{file.name.removesuffix(".parquet")} {file.rows:,}' for file in found.files)
    return Plan((('input', f'{source} ({subsets})'),
                 ('read', f'{rows:,} rows, {human_bytes(in_bytes)} in {len(found.files)} row files and '
                          f'{len(found.archives)} tarballs'),
                 ('write', f'{settings.output}, about {human_bytes(out_bytes)}'),
                 ('time', f'about {human_time(seconds)} with {settings.render_processes} render processes'
                  if settings.render_processes else 'depends on the cores of the workers')),
                found.inputs, int(out_bytes), rows, 'page')


SPEC = PipelineSpec(
    name='olmocr', summary='olmOCR-mix (PDF pages with text) to LLaVA conversations and page images',
    about=ABOUT, options=(RunOptions, OlmocrOptions, LlavaOptions, RenderOptions, HubOptions, ClusterOptions),
    settings=olmocr_settings, plan=plan, build=build, journal_entries=journal_entries, sample_note=_SAMPLE_NOTE)


def run(argv: Sequence[str] | None = None) -> RunResult:
    """Runs the pipeline with the flags in `argv`; see `python -m beam_pipelines.olmocr --help`."""
    return launch(SPEC, argv)


if __name__ == '__main__':
    sys.exit(run().exit_code)
