"""Any PDFs: which pages of a file."""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import dataclass, replace

from apache_beam.options.pipeline_options import PipelineOptions

from options.context import Context
from options.llava import check_blank_answer
from options.render import render_settings
from options.run import positive
from transforms.files import storage
from transforms.llava.conversation import DEFAULT_PROMPTS, ToLlavaConversation
from transforms.pdf.discover import PdfInput, discover, group_files
from transforms.pdf.estimate import PageSample, page_bytes, sample_files
from transforms.pdf.list_pages import FileGroup, PageSelection
from transforms.pdf.settings import RenderSettings
from transforms.run.run import Run


class RenderPdfOptions(PipelineOptions):
    """Which pages of a file, how many at most, what opens it, and its own text."""

    TITLE = 'pages of a file'
    NOT_BYTES = frozenset({'password', 'password_file'})  # secrets are not written into run.json

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--pages', type=PageSelection.parse, default=PageSelection(), metavar='1-3,7',
                            help='pages of each file to read (default: all)')
        parser.add_argument('--max_pages', type=positive, default=2000, metavar='N',
                            help='pages of one file; the rest is dropped as over_page_limit (default 2000)')
        parser.add_argument('--password', action='append', default=[], metavar='TEXT',
                            help='tried on files that need one; see also --password_file')
        parser.add_argument('--password_file', default='', metavar='FILE', help='passwords, one a line, tried in turn')
        parser.add_argument('--text', choices=('none', 'layer'), default='none',
                            help="layer: the page's own text as a column of records/ and metadata.jsonl")
        parser.add_argument('--conversations', action='store_true',
                            help='with --text=layer: chat.json for LLaVA of the pages that have text')


@dataclass(frozen=True)
class RenderPdfSettings:
    """What `beam_pipelines.render_pdf.build` needs.

    Attributes:
        found: the input's files.
        groups: the files, in groups of work.
        render: what the images look like, and whether the text layer is read.
        prompts: of chat.json, () for no chat.json.
        special_tokens: what happens to texts with special tokens there: 'drop', 'escape' or 'keep'.
        blank_answer: the answer there for pages without text; '' leaves them out.
        selection: pages to read of each file.
        max_pages: pages of one file.
        limit: pages to read, 0 for all.
        seed: of every random choice.
        render_processes: render processes of each Beam worker, 0 for one on each of its cores.
        expected: what will be written, about.
        run: what run this is; the launcher fills it in.
    """

    found: PdfInput
    groups: tuple[FileGroup, ...]
    render: RenderSettings
    prompts: tuple[str, ...] = ()
    special_tokens: str = 'drop'
    blank_answer: str = ''
    selection: PageSelection = PageSelection()
    max_pages: int = 2000
    limit: int = 0
    seed: int = 0
    render_processes: int = 1
    expected: PageSample = PageSample(0.0, 0.0)
    run: Run | None = None


def render_pdf_settings(context: Context) -> RenderPdfSettings:
    """The settings that the flags and the input make.

    Raises:
        ValueError: no --input, nothing there, or a value out of range.
    """
    flags = context.flags
    if not context.input:
        raise ValueError("--input is needed: a folder, a file, or a glob in quotes such as 'folder/**/*.pdf'")
    if flags.conversations and flags.text == 'none':
        raise ValueError('--conversations needs --text=layer: the answers are the text of the pages')
    check_blank_answer(flags)
    prompts = tuple(flags.prompt or DEFAULT_PROMPTS) if flags.conversations else ()
    if prompts:
        ToLlavaConversation(prompts)
    found = discover(context.input, besides=context.output)
    render = replace(render_settings(flags, repaired='keep'), drop_blank=flags.blank_pages == 'drop', text_layer=flags.text == 'layer',
                     passwords=_passwords(flags))
    # Every file has a record, unless --pages leaves all of its pages out.
    groups = group_files(found, flags.limit, skips_files=bool(flags.pages.ranges))
    expected = _expected(found, render, flags)
    return RenderPdfSettings(
        expected=expected,
        found=found, groups=groups, render=render, prompts=prompts, special_tokens=flags.special_tokens, blank_answer=flags.blank_answer,
        selection=flags.pages, max_pages=flags.max_pages, limit=flags.limit, seed=flags.seed,
        render_processes=context.render_processes)


def _expected(found: PdfInput, render: RenderSettings, flags: argparse.Namespace) -> PageSample:
    """About how many pages are read, and the bytes of an image: by looking at some of them, where that costs no requests."""
    usual = page_bytes(render.max_size, render.dpi, render.image_format)
    sample = PageSample(len(found.files), 0.0)
    if storage.is_local(found.root):
        with contextlib.suppress(OSError, RuntimeError):  # no process could be started, which the run reports
            sample = sample_files(found.root, found.files, render, flags.pages, flags.max_pages)
    return PageSample(min(sample.pages, flags.limit or sample.pages), sample.bytes or usual)


def _passwords(flags: argparse.Namespace) -> tuple[str, ...]:
    """Those of --password, then the lines of --password_file."""
    words = list(flags.password)
    if flags.password_file:
        try:
            words += storage.read_bytes(flags.password_file).decode().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f'--password_file {flags.password_file} cannot be read ({getattr(error, "strerror", "") or error})') from None
    return tuple(dict.fromkeys(word for word in words if word))
