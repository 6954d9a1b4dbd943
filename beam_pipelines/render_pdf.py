"""Any folder or glob of PDFs to page images and a table that accounts for every page.

python -m beam_pipelines.render_pdf --input 'papers/**/*.pdf' --output images
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import apache_beam as beam

from beam_pipelines.launcher import PipelineSpec, RunResult, launch
from beam_pipelines.launcher.human import counted, human_bytes
from beam_pipelines.launcher.spec import Plan
from options.cluster import ClusterOptions
from options.context import Context
from options.hub import HubOptions
from options.llava import LlavaOptions
from options.render import RETRY_OPTIONS, RenderOptions
from options.render_pdf import RenderPdfOptions, RenderPdfSettings, render_pdf_settings
from options.run import RunOptions
from transforms.accounting.finish import FinishRun
from transforms.llava.conversation import ToLlavaConversation
from transforms.llava.write_llava import WriteLlava, chat_files
from transforms.pdf.estimate import FIXED_BYTES
from transforms.pdf.outcomes import PAGE_REPORT, journal_entries
from transforms.pdf.render_files import RenderFiles
from transforms.pdf.settings import BYTE_PACKAGES
from transforms.render_pdf.conversations import AddPageText
from transforms.run.source import parts_of
from transforms.shards.card import image_folder

ABOUT = """\
Renders the pages of any PDFs to images, with records/, errors.jsonl and report.html that account for every page.
With --text=layer the text that is in the files comes beside; it is not recognized from the image.

--input is a folder (its *.pdf at any depth), a file, or a glob in quotes; ** also matches no folder; or several of
these. PNG and JPEG files that a glob names are shrunk to --max_size. A file that no engine opens, or that has no
page, is one failed record.

  python -m beam_pipelines.render_pdf --input 'papers/**/*.pdf' --output images --max-size 1288 --pages 1-3"""


_CARD = '''# Page images

`datasets.load_dataset` of this folder gives the columns `image`, `id`, `file` and `page`, and with `--text=layer` `text`, which is the
page's own text layer; pandas reads metadata.jsonl. report.html and records/ account for every page.'''


def build(pipeline: beam.Pipeline, settings: RenderPdfSettings) -> None:
    """Adds all steps to `pipeline`, the last of which finishes the output."""
    render = RenderFiles(settings.found.root, settings.groups, settings.render, settings.run, settings.render_processes,
                         settings.selection, settings.max_pages, settings.limit)
    images = pipeline | 'RenderFiles' >> render
    steps, products = (images,), image_folder(_CARD)
    if settings.prompts:
        texts = images.main | 'AddText' >> AddPageText(settings.special_tokens, settings.blank_answer, settings.run)
        chat = (texts.main | 'ToLlavaConversation' >> ToLlavaConversation(settings.prompts, settings.seed)
                | 'WriteLlava' >> WriteLlava(settings.run, ('train',), metadata=False))
        steps, products = (images, texts, chat), (*chat_files(('train',), settings.special_tokens == 'keep'), *products)
    steps | 'FinishRun' >> FinishRun(settings.run, render.table, products, PAGE_REPORT)


def plan(settings: RenderPdfSettings, context: Context) -> Plan:
    """What a run with these settings reads and writes."""
    found, expected = settings.found, settings.expected
    size = int(expected.pages * expected.bytes) + FIXED_BYTES
    return Plan((('input', f'{context.address} ({counted(len(found.files), "file")}, {human_bytes(found.bytes)})'),
                 ('write', f'{context.output}, about {counted(round(expected.pages), "page")}, {human_bytes(size)}'),
                 ('with', counted(settings.render_processes, 'render process') if settings.render_processes
                  else 'a render process for each core of a worker')),
                found.inputs, size, counted='page',
                sources=(context.source(found.root),), parts=parts_of([max((g.part for g in settings.groups), default=0) + 1]))


SPEC = PipelineSpec(
    name='render_pdf', summary='any PDFs (folder or glob) to page images and a records table', about=ABOUT,
    options=(RunOptions, RenderPdfOptions, LlavaOptions, RenderOptions, HubOptions, ClusterOptions), settings=render_pdf_settings,
    plan=plan, build=build, byte_packages=BYTE_PACKAGES, journal_entries=lambda settings: journal_entries(settings.groups), several_inputs=True,
    retry_options=RETRY_OPTIONS)


def run(argv: Sequence[str] | None = None) -> RunResult:
    """Runs the pipeline with the flags in `argv`; see `python -m beam_pipelines.render_pdf --help`."""
    return launch(SPEC, argv)


if __name__ == '__main__':
    sys.exit(run().exit_code)
