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
from beam_pipelines.launcher.human import counted, human_bytes, human_time
from beam_pipelines.launcher.spec import Plan
from options.cluster import ClusterOptions
from options.context import Context
from options.dataset import SubsetOptions
from options.hub import HubOptions
from options.llava import LlavaOptions
from options.olmocr import OlmocrOptions, OlmocrSettings, olmocr_settings
from options.published import PresetOptions, StageOptions
from options.render import RETRY_OPTIONS, RenderOptions
from options.run import RunOptions
from transforms.accounting.finish import FinishRun
from transforms.accounting.product import json_list
from transforms.accounting.step import CollectAccounts, StepOutput
from transforms.llava.conversation import ToLlavaConversation
from transforms.llava.write_llava import WriteLlava, chat_files
from transforms.olmocr.discover import ANNOTATIONS
from transforms.olmocr.original import original_products, to_original
from transforms.olmocr.outcomes import (
    ERROR_LOG,
    OLMOCR_REPORT,
    OLMOCR_TABLE,
    ORIGINAL_TABLE,
    journal_entries,
    to_annotation,
    to_labelled,
)
from transforms.olmocr.pages_to_images import PagesToImages
from transforms.olmocr.read_rows import ReadOlmocrLabels
from transforms.pdf.estimate import FIXED_BYTES, render_seconds
from transforms.pdf.settings import BYTE_PACKAGES
from transforms.run.source import parts_of
from transforms.shards.card import CardConfig, OutputCard, image_folder

ABOUT = """\
Turns olmOCR-mix (labels in Parquet, pages as PDFs in tarballs) into LLaVA training data: images/, chat.json,
chat_eval.json, with records/, errors.jsonl and report.html that account for every row.

--input is the folder that allenai/olmOCR-mix-1025 (or mix-0225) was downloaded to; without it an embedded sample
is taken. In two steps: --stage=extract writes annotations.json and the documents, --stage=convert reads those.

  python -m beam_pipelines.olmocr --input data/olmOCR-mix-1025 --output data/olmOCR-llava --max-size 1288"""
_CARD = '''# Page images with their text

`datasets.load_dataset` of this folder gives the columns `image`, `id` and `text`; pandas reads metadata.jsonl. For LLaVA and VILA:
`data_path` is chat.json, the image folder this folder. report.html and records/ account for every row of the input.'''
_EXTRACT_CARD = '''# Documents with their labels

`datasets.load_dataset` of this folder gives the labels of annotations.json, whose paths are relative to this folder. report.html and
records/ account for every row of the input.'''
_ORIGINAL_CARD = '''# The files of the published converter

`datasets.load_dataset` of this folder gives the samples that name PNGs. report.html and records/ account for every row of the input.'''
_SAMPLE_NOTE = ('This is the embedded sample. A trial of the real dataset, of which only what it needs is fetched: '
                '--input hf://datasets/allenai/olmOCR-mix-1025 --limit 100')


def build(pipeline: beam.Pipeline, settings: OlmocrSettings) -> None:
    """Labels and pages to conversations; the last step finishes the output."""
    labels, images = _read_and_render(pipeline, settings)
    chat = (images.main | 'AddText' >> beam.FlatMap(to_labelled, settings.rules.blank_answer)
            | 'ToLlavaConversation' >> ToLlavaConversation(settings.prompts, settings.seed)
            | 'WriteLlava' >> WriteLlava(settings.run, settings.splits))
    products = (*chat_files(settings.splits, settings.rules.special_tokens == 'keep'), *image_folder(_CARD, settings.splits))
    (labels, images, chat) | 'FinishRun' >> FinishRun(settings.run, OLMOCR_TABLE, products, OLMOCR_REPORT, ERROR_LOG)


def build_extract(pipeline: beam.Pipeline, settings: OlmocrSettings) -> None:
    """Labels and documents as they are, to annotations.json."""
    labels, documents = _read_and_render(pipeline, settings)
    annotations = documents.main | 'ToAnnotation' >> beam.FlatMap(to_annotation) | 'Collect' >> CollectAccounts(settings.run)
    (labels, documents, StepOutput(documents.main, (annotations,))) | 'FinishRun' >> FinishRun(
        settings.run, OLMOCR_TABLE, (json_list(ANNOTATIONS, ANNOTATIONS), OutputCard(_EXTRACT_CARD, (CardConfig('default', {'train': (ANNOTATIONS,)}),))), OLMOCR_REPORT, ERROR_LOG)


def build_original(pipeline: beam.Pipeline, settings: OlmocrSettings) -> None:
    """Labels and pages to the published converter's files."""
    labels, images = _read_and_render(pipeline, settings)
    samples = images.main | 'ToOriginal' >> beam.FlatMap(to_original) | 'Collect' >> CollectAccounts(settings.run)
    (labels, images, StepOutput(images.main, (samples,))) | 'FinishRun' >> FinishRun(
        settings.run, ORIGINAL_TABLE, original_products(settings.found.files, _ORIGINAL_CARD), OLMOCR_REPORT, ERROR_LOG)


def _read_and_render(pipeline: beam.Pipeline, settings: OlmocrSettings) -> tuple[StepOutput, StepOutput]:
    """One small set of row files for each tarball; then documents are read, rendered and written within one stage."""
    labels = pipeline | 'ReadLabels' >> ReadOlmocrLabels(
        settings.found, settings.rules, settings.run, settings.extension, settings.limit)
    images = labels.main | 'PagesToImages' >> PagesToImages(
        settings.found.root, settings.render, settings.run, settings.render_processes, upright=settings.rules.rotation == 'correct',
        stop_early=bool(settings.limit), render=settings.product != 'annotations')
    return labels, images


_BUILDS = {'llava': build, 'annotations': build_extract, 'original': build_original}


def build_product(pipeline: beam.Pipeline, settings: OlmocrSettings) -> None:
    """Adds the steps that make what `settings.product` names."""
    _BUILDS[settings.product](pipeline, settings)


def plan(settings: OlmocrSettings, context: Context) -> Plan:
    """What a run with these settings reads and writes, and how long it takes."""
    found, render = settings.found, settings.render
    rows = sum(min(file.rows, settings.limit or file.rows) for file in found.files)
    in_bytes = sum(file.bytes for file in found.files) + found.archive_bytes
    wanted, out_bytes = settings.expected.pages, settings.expected.pages * settings.expected.bytes + FIXED_BYTES
    if settings.product == 'annotations':
        seconds = in_bytes / 100e6
    else:
        seconds = render_seconds(round(wanted), render.max_size, render.dpi, settings.render_processes or 1)
    subsets = ', '.join(f'{file.name.removesuffix(".parquet")} {file.rows:,}' for file in found.files)
    return Plan((('input', f'{context.address} ({subsets})'),
                 ('read', f'{counted(rows, "row")}, {human_bytes(in_bytes)} in {counted(len(found.files), "row file")} and '
                          f'{counted(len(found.archives), "tarball")}'),
                 ('write', f'{context.output}, about {counted(round(wanted), "page")}, {human_bytes(out_bytes)}'),
                 ('time', f'about {human_time(seconds)} with {counted(settings.render_processes, "render process")}'
                  if settings.render_processes else 'depends on the cores of the workers')),
                found.inputs, int(out_bytes), rows, 'page',
                sources=tuple(context.source(found.root, number, file.config, file.split) for number, file in enumerate(found.files)),
                parts=parts_of(file.parts for file in found.files))


SPEC = PipelineSpec(
    name='olmocr', summary='olmOCR-mix (PDF pages with text) to LLaVA conversations and page images',
    about=ABOUT, stages=('all', 'extract', 'convert'),
    options=(RunOptions, SubsetOptions, OlmocrOptions, StageOptions, PresetOptions, LlavaOptions, RenderOptions, HubOptions, ClusterOptions),
    settings=olmocr_settings, plan=plan, build=build_product, byte_packages=BYTE_PACKAGES,
    journal_entries=journal_entries, sample_note=_SAMPLE_NOTE, retry_options=RETRY_OPTIONS)


def run(argv: Sequence[str] | None = None) -> RunResult:
    """Runs the pipeline with the flags in `argv`; see `python -m beam_pipelines.olmocr --help`."""
    return launch(SPEC, argv)


if __name__ == '__main__':
    sys.exit(run().exit_code)
