"""The llava_cc3m pipeline before it starts: flags and input folder to settings and a plan."""

from __future__ import annotations

from pathlib import Path

from beam_pipelines.launcher.estimate import human_time
from beam_pipelines.launcher.folder import human_bytes
from beam_pipelines.launcher.spec import Context, Plan
from options.cc3m_settings import Cc3mSettings
from options.cluster_options import drawing_hints
from transforms.files import storage
from transforms.files.storage import revision_of
from transforms.llava_cc3m.discover import Cc3mInput, discover
from transforms.pdf.settings import RenderSettings

SAMPLE = Path(__file__).resolve().parent.parent / 'samples' / 'llava_cc3m'
ABOUT = """\
Makes LLaVA-CC3M-Pretrain-595K (or any chat.json with images) ready for a trainer: every record and every image is
checked, what a loader would not bear is dropped with its reason, the rest is copied byte for byte to chat.json and
images/, with records/, errors.jsonl and report.html that account for every record.

--input is the folder that liuhaotian/LLaVA-CC3M-Pretrain-595K was downloaded to (images.zip or images/), or its place
on the Hub; without it an embedded sample is taken.

  python -m beam_pipelines.llava_cc3m --input hf://datasets/liuhaotian/LLaVA-CC3M-Pretrain-595K --output data/cc3m"""
_SAMPLE_NOTE = ('This is the embedded sample. The real dataset: --input hf://datasets/liuhaotian/LLaVA-CC3M-Pretrain-595K '
                '(about 6.7 GB); with --limit 1000 for a trial.')
# Measured: docs/performance.md.
_COUNTED_BYTES = 1 << 20
_RECORD_BYTES, _IMAGE_BYTES, _IMAGES_PER_SECOND = 350, 11_000, 450


def prepare(context: Context) -> tuple[Cc3mSettings, Plan]:
    """Settings and plan from the flags.

    Raises:
        ValueError: an input that cannot be used, a value out of range.
    """
    flags = context.flags
    if flags.max_image_pixels < 1:
        raise ValueError(f'--max_image_pixels={flags.max_image_pixels} must be at least 1')
    found = discover(context.place((flags.input or str(SAMPLE)).rstrip('/') or '/'))
    # The children are those that draw PDFs; here they only open images.
    checking = RenderSettings(engine='pdfium', max_pixels=flags.max_image_pixels, max_input_bytes=flags.max_image_bytes,
                              min_side=flags.min_image_side)
    settings = Cc3mSettings(found=found, checking=checking, output=context.output, work=context.work, fix=flags.fix,
                            limit=flags.limit, seed=flags.seed, processes=context.render_processes,
                            checking_hints=drawing_hints(flags))
    return settings, _plan(flags, settings)


def _plan(flags: object, settings: Cc3mSettings) -> Plan:
    found = settings.found
    expected = max(1, _expected_records(found))
    records = min(expected, settings.limit) if settings.limit else expected
    image_bytes = found.archive.size if found.archive else found.image_bytes
    out_bytes = (image_bytes + found.chat.size) * records / expected
    where = f'{found.archive.path}, {human_bytes(image_bytes)}' if found.archive else \
        f'{found.images:,} images, {human_bytes(image_bytes)}'
    seconds = records / _IMAGES_PER_SECOND / (settings.processes or 1)
    rows = (('input', f'{flags.input or "embedded sample"} ({found.chat.path}, {human_bytes(found.chat.size)}; {where})'),
            ('read', f'about {records:,} records'),
            ('write', f'{settings.output}, about {human_bytes(out_bytes)}'),
            ('time', f'about {human_time(seconds)} with {settings.processes} checking processes' if settings.processes
             else 'depends on the cores of the workers'))
    if found.beside:
        rows += (('note', f'{found.beside}/ beside {found.archive.path} is not read: it may be what an unfinished unzip left'),)
    return Plan(rows, 0, int(out_bytes), _inputs(found), flags.input or 'embedded sample', revision_of(found.root),
                note='' if flags.input else _SAMPLE_NOTE, unit='record')


def _expected_records(found: Cc3mInput) -> int:
    """The number of records: counted in a small chat.json, else by the published set's mean."""
    if found.chat.size > _COUNTED_BYTES:
        return found.chat.size // _RECORD_BYTES
    return storage.read_bytes(storage.join(found.root, found.chat.path)).count(b'"conversations"')


def _inputs(found: Cc3mInput) -> tuple[tuple[str, int, float | str], ...]:
    chat = (found.chat.path, found.chat.size, found.chat.stamp)
    if found.archive:
        return chat, (found.archive.path, found.archive.size, found.archive.stamp)
    return chat, (f'{found.images} images, digest {found.digest}', found.image_bytes, 0.0)


def known_outcome(settings: Cc3mSettings, row: dict) -> tuple[str, dict] | None:
    """None: nothing of this pipeline fails, so --retry_failed has nothing to keep apart."""
    return None
