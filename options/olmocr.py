"""olmOCR-mix: which rows, and which of the two documented steps."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

from apache_beam.options.pipeline_options import PipelineOptions

from options.context import Context
from options.dataset import name_list
from options.llava import check_blank_answer
from options.render import render_settings
from transforms.files import storage
from transforms.llava.conversation import DEFAULT_PROMPTS, ToLlavaConversation
from transforms.olmocr.discover import OlmocrInput, discover, discover_annotations
from transforms.olmocr.estimate import image_bytes, wanted_rows
from transforms.olmocr.filters import KEEP_CHOICES, ROTATIONS, RowRules
from transforms.pdf.estimate import PageSample, page_bytes
from transforms.pdf.settings import RenderSettings
from transforms.run.run import Run

_TEXT_COPIES = 2.2  # chat.json, metadata.jsonl, and what JSON adds
SPLITS = ('train', 'eval')  # to chat.json and chat_eval.json


class OlmocrOptions(PipelineOptions):
    """Filters by label."""

    TITLE = 'olmOCR-mix rows'
    NOT_BYTES = frozenset()

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--language', type=name_list, default=(), metavar='A,B',
                            help="keep these ISO codes only; 'none' is unknown")
        parser.add_argument('--rotation', choices=ROTATIONS, default='correct',
                            help='turn askew pages upright, drop them, or keep them (default correct)')
        parser.add_argument('--tables', choices=KEEP_CHOICES, default='keep', help='pages labelled as table')
        parser.add_argument('--diagrams', choices=KEEP_CHOICES, default='keep', help='pages labelled as diagram')


@dataclass(frozen=True)
class OlmocrSettings:
    """What `beam_pipelines.olmocr.build` needs.

    Attributes:
        found: the input's files and tarballs.
        product: 'llava', 'annotations' (extracting) or 'original'.
        rules: which rows are kept.
        render: what the images look like.
        prompts: human turns to choose from.
        limit: rows read of each file, 0 for all.
        seed: of every random choice.
        splits: splits that get a chat file.
        render_processes: render processes of each Beam worker, 0 for one on each of its cores.
        expected: what will be written, about.
        run: what run this is; the launcher fills it in.
    """

    found: OlmocrInput
    product: str
    rules: RowRules
    render: RenderSettings
    prompts: tuple[str, ...] = DEFAULT_PROMPTS
    limit: int = 0
    seed: int = 0
    splits: tuple[str, ...] = SPLITS
    render_processes: int = 1
    expected: PageSample = PageSample(0.0, 0.0)
    run: Run | None = None

    @property
    def extension(self) -> str:
        """Of the images; '' where documents keep their own."""
        return '' if self.product == 'annotations' else self.render.extension


def olmocr_settings(context: Context) -> OlmocrSettings:
    """The settings that the flags and the input make.

    Raises:
        ValueError: flags that contradict each other, a value out of range, or an input that cannot be used.
    """
    flags = context.flags
    _check(flags)
    original = flags.preset == 'original'
    if flags.stage == 'convert':
        found = discover_annotations(context.input)
    else:
        found = discover(context.input, flags.subset, 'train' if original else flags.split)
    settings = OlmocrSettings(
        found=found, product='original' if original else 'annotations' if flags.stage == 'extract' else 'llava',
        rules=_rules(flags, original), render=_original_render(flags) if original else render_settings(flags),
        prompts=tuple(flags.prompt or DEFAULT_PROMPTS), limit=flags.limit,
        seed=flags.seed, splits=SPLITS if flags.split == 'all' else (flags.split,),
        render_processes=context.render_processes)
    ToLlavaConversation(settings.prompts)
    return replace(settings, expected=_expected(settings, context))


def _expected(settings: OlmocrSettings, context: Context) -> PageSample:
    """About how many pages are written, and the bytes that each takes with its text."""
    found, render = settings.found, settings.render
    usual = page_bytes(render.max_size, render.dpi, render.image_format)
    is_near = storage.is_local(found.root)
    if not is_near and not context.flags.plan:  # looking costs requests, which only who asks for a plan pays
        return PageSample(sum(min(file.rows, settings.limit or file.rows) for file in found.files), usual)
    pages, text, documents = wanted_rows(found, settings.rules, settings.limit)
    if settings.product == 'annotations':
        return PageSample(pages, found.archive_bytes / max(1, found.rows) + text)
    try:
        mean = image_bytes(found, documents, render)
    except (OSError, RuntimeError):  # no process could be started, which the run reports
        mean = 0.0
    return PageSample(pages, (mean or usual) + _TEXT_COPIES * text)


def _check(flags: object) -> None:
    if flags.split not in ('all', *SPLITS):
        raise ValueError(f'--split={flags.split} is none of all, {", ".join(SPLITS)}')
    if flags.preset == 'original' and flags.stage != 'all':
        raise ValueError('--preset=original does both steps at once: leave --stage out')
    if flags.preset == 'original' and flags.split == 'eval':
        raise ValueError('--preset=original takes train rows only, as the published converter does')
    if (flags.blank_pages == 'keep') != bool(flags.blank_answer):
        raise ValueError('--blank_pages=keep and --blank_answer=TEXT need each other')
    check_blank_answer(flags)
    if flags.stage == 'convert' and (flags.subset or flags.split != 'all'):
        raise ValueError('--subset and --split belong to --stage=extract: --stage=convert takes all that was extracted')
    if flags.stage == 'convert' and not flags.input:
        raise ValueError('--stage=convert needs --input, the output folder of --stage=extract')


def _rules(flags: object, original: bool) -> RowRules:
    if original:
        return RowRules(rotation='keep', special_tokens='keep', verbatim=True)
    return RowRules(tuple(code.lower() for code in flags.language), flags.rotation, flags.tables, flags.diagrams,
                    flags.special_tokens, flags.blank_answer)


def _original_render(flags: object) -> RenderSettings:
    """Page 1 as MuPDF renders it at 144 dpi, RGB, whatever its size."""
    return RenderSettings(engine='mupdf', dpi=144, color='rgb', page_box='crop', accept_repaired=True,
                          png_codec=flags.png_codec, min_side=1, check_fonts=False)
