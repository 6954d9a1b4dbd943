"""The olmocr pipeline before it starts: flags and input folder to settings and a plan."""

from __future__ import annotations

from pathlib import Path

from beam_pipelines.launcher.estimate import drawing_seconds, human_time, page_bytes
from beam_pipelines.launcher.folder import human_bytes
from beam_pipelines.launcher.spec import Context, Plan, UsageError
from options.cluster_options import drawing_hints
from options.olmocr_settings import OlmocrSettings
from options.render_options import render_settings
from transforms.files.storage import revision_of
from transforms.llava.conversation import DEFAULT_PROMPTS, ToLlavaConversation
from transforms.llava.special_tokens import find_special_token
from transforms.olmocr.discover import OlmocrInput, discover, discover_annotations
from transforms.olmocr.filters import RowRules
from transforms.olmocr.read_rows import unit_name
from transforms.pdf.outcomes import known_entry
from transforms.pdf.settings import RenderSettings

SAMPLE = Path(__file__).resolve().parent.parent / 'samples' / 'olmocr'
ABOUT = """\
Turns olmOCR-mix (labels in Parquet, pages as PDFs in tarballs) into LLaVA training data: images/, chat.json,
chat_eval.json, with records/, errors.jsonl and report.html that account for every row.

--input is the folder that allenai/olmOCR-mix-1025 (or mix-0225) was downloaded to; without it an embedded sample
is taken. In two steps: --stage=extract writes annotations.json and the documents, --stage=convert reads those.

  python -m beam_pipelines.olmocr --input data/olmOCR-mix-1025 --output data/olmOCR-llava --max-size 1288"""
_SAMPLE_NOTE = ('This is the embedded sample. The real dataset: download allenai/olmOCR-mix-1025 (about 200 GB), '
                'then --input FOLDER; with --limit 100 for a trial.')


def prepare(context: Context) -> tuple[OlmocrSettings, Plan]:
    """Settings and plan from the flags.

    Raises:
        UsageError: flags that contradict each other.
        ValueError: an input that cannot be used, a value out of range.
    """
    flags = context.flags
    _check(flags)
    root = context.place((flags.input or str(SAMPLE)).rstrip('/') or '/')
    original = flags.preset == 'original'
    if flags.stage == 'convert':
        found = discover_annotations(root)
    else:
        found = discover(root, flags.subset, 'train' if original else flags.split)
    settings = OlmocrSettings(
        found=found, product='original' if original else 'annotations' if flags.stage == 'extract' else 'llava',
        rules=_rules(flags, original), render=_original_render(flags) if original else render_settings(flags),
        output=context.output, work=context.work, prompts=tuple(flags.prompt or DEFAULT_PROMPTS), limit=flags.limit,
        seed=flags.seed, splits=('train', 'eval') if flags.split == 'all' else (flags.split,),
        render_processes=context.render_processes, drawing_hints=drawing_hints(flags))
    ToLlavaConversation(settings.prompts)
    return settings, _plan(flags, settings)


def _check(flags: object) -> None:
    if flags.preset == 'original' and flags.stage != 'all':
        raise UsageError('--preset=original does both steps at once: leave --stage out')
    if flags.preset == 'original' and flags.split == 'eval':
        raise UsageError('--preset=original takes train rows only, as the published converter does')
    if (flags.blank_pages == 'keep') != bool(flags.blank_answer):
        raise UsageError('--blank_pages=keep and --blank_answer=TEXT need each other')
    if flags.blank_answer and (not flags.blank_answer.strip() or find_special_token(flags.blank_answer)):
        raise UsageError(f'--blank_answer {flags.blank_answer!r} must have text and no special token')
    if flags.stage == 'convert' and (flags.subset or flags.split != 'all'):
        raise UsageError('--subset and --split belong to --stage=extract: --stage=convert takes all that was extracted')
    if flags.stage == 'convert' and not flags.input:
        raise UsageError('--stage=convert needs --input, the output folder of --stage=extract')


def _rules(flags: object, original: bool) -> RowRules:
    if original:
        return RowRules(rotation='keep', special_tokens='keep', verbatim=True)
    return RowRules(tuple(code.lower() for code in flags.language), flags.rotation, flags.tables, flags.diagrams,
                    flags.special_tokens, flags.blank_answer)


def _original_render(flags: object) -> RenderSettings:
    """Page 1 as MuPDF draws it at 144 dpi, RGB, whatever its size."""
    return RenderSettings(engine='mupdf', dpi=144, color='rgb', page_box='crop', accept_repaired=True,
                          png_codec=flags.png_codec, min_side=1, check_fonts=False)


def _plan(flags: object, settings: OlmocrSettings) -> Plan:
    found, render = settings.found, settings.render
    rows = sum(min(file.rows, settings.limit or file.rows) for file in found.files)
    all_rows = max(1, sum(file.rows for file in found.files))
    archive_bytes = sum(info.size for name, info in found.archives.items() if _is_used(name, found))
    in_bytes = sum(file.bytes for file in found.files) + archive_bytes
    extracting = settings.product == 'annotations'
    out_bytes = archive_bytes * rows / all_rows if extracting else \
        rows * page_bytes(render.max_size, render.dpi, render.image_format)
    seconds = in_bytes / 100e6 if extracting else \
        drawing_seconds(rows, render.max_size, render.dpi, settings.render_processes or 1)
    subsets = ', '.join(f'{file.name.removesuffix(".parquet")} {file.rows:,}' for file in found.files)
    lines = (('input', f'{flags.input or "embedded sample"} ({subsets})'),
             ('read', f'{rows:,} rows, {human_bytes(in_bytes)} in {len(found.files)} row files and '
                      f'{len(found.archives)} tarballs'),
             ('write', f'{settings.output}, about {human_bytes(out_bytes)}'),
             ('time', f'about {human_time(seconds)} with {settings.render_processes} drawing processes'
              if settings.render_processes else 'depends on the cores of the workers'))
    inputs = [(file.name, file.bytes, file.stamp) for file in found.files]
    inputs += [(name, info.size, info.stamp) for name, info in sorted(found.archives.items())]
    return Plan(lines, rows, int(out_bytes), tuple(inputs), flags.input or 'embedded sample', revision_of(found.root),
                note='' if flags.input else _SAMPLE_NOTE)


def _is_used(archive: str, found: OlmocrInput) -> bool:
    stems = tuple(file.name.removesuffix('.parquet') for file in found.files)
    return found.needs_index or archive.rpartition('/')[2].startswith(stems)


def known_outcome(settings: OlmocrSettings, row: dict) -> tuple[str, dict] | None:
    """The journal entry of a row of the records table, None for what must be done again."""
    return (unit_name(row['file'], row['archive'], row['row']), known_entry(row)) \
        if row['outcome'] == 'written' else None
