"""LLaVA-CC3M-Pretrain-595K, checked and ready: chat.json with the records' own names, images byte for byte.

The dataset (liuhaotian/LLaVA-CC3M-Pretrain-595K) is one JSON list of 595,375 conversations and one zip of images.
chat.json is read once and cut by where the images lie in the zip; each stretch of the zip is read once beside its
records; every image is decoded in a sandboxed process and copied as it is; what is left are small records, from which
chat.json, the records table and the report are made.

    python -m beam_pipelines.llava_cc3m --input hf://datasets/liuhaotian/LLaVA-CC3M-Pretrain-595K --output data/cc3m
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
from options.hub import HubOptions
from options.llava_cc3m import Cc3mOptions, Cc3mSettings, cc3m_settings
from options.run import RunOptions
from transforms.accounting.finish import FinishRun
from transforms.llava_cc3m.copy_images import CC3M_REPORT, CC3M_TABLE, CopyImages, chat_product
from transforms.llava_cc3m.cut_chat import CutChat
from transforms.run.source import parts_of
from transforms.shards.card import image_folder

ABOUT = """\
Makes LLaVA-CC3M-Pretrain-595K (or any chat.json with images) ready for a trainer: every record and every image is
checked, what a loader would not bear is dropped with its reason, the rest is copied byte for byte to chat.json and
images/, with records/, errors.jsonl and report.html that account for every record.

--input is the folder that liuhaotian/LLaVA-CC3M-Pretrain-595K was downloaded to (images.zip or images/), or its place
on the Hub; without it an embedded sample is taken.

  python -m beam_pipelines.llava_cc3m --input hf://datasets/liuhaotian/LLaVA-CC3M-Pretrain-595K --output data/cc3m"""
_CARD = '''# Images with conversations

`datasets.load_dataset` of this folder gives the columns `image`, `id`, `text` (the first answer) and `conversations`; pandas reads
metadata.jsonl. For LLaVA: `data_path` is chat.json, the image folder is images. report.html and records/ account for every record.'''
_SAMPLE_NOTE = ('This is the embedded sample. The real dataset: --input hf://datasets/liuhaotian/LLaVA-CC3M-Pretrain-595K '
                '(about 6.7 GB); with --limit 1000 for a trial.')
_IMAGES_PER_SECOND = 450  # of one process: docs/performance.md


def build(pipeline: beam.Pipeline, settings: Cc3mSettings) -> None:
    """Adds all steps to `pipeline`, the last of which finishes the output."""
    run = settings.run
    # Records are checked by themselves, then cut by where their images lie; images are read, checked and written in one step.
    chat = pipeline | 'CutChat' >> CutChat(settings.found, run, settings.fix, settings.strict, settings.limit)
    samples = chat.main | 'CopyImages' >> CopyImages(settings.found, run, settings.limits, settings.processes)
    (chat, samples) | 'FinishRun' >> FinishRun(run, CC3M_TABLE, (chat_product(settings.strict), *image_folder(_CARD)), CC3M_REPORT)


def plan(settings: Cc3mSettings, context: Context) -> Plan:
    """What a run with these settings reads and writes, and how long it takes."""
    found, expected = settings.found, settings.found.expected_records
    records = min(expected, settings.limit) if settings.limit else expected
    out_bytes = (found.bytes + found.chat.size) * records / expected
    where = f'{found.archive.path}, {human_bytes(found.bytes)}' if found.archive else \
        f'{found.images:,} images, {human_bytes(found.bytes)}'
    seconds = records / _IMAGES_PER_SECOND / (settings.processes or 1)
    rows = (('input', f'{context.address} ({found.chat.path}, {human_bytes(found.chat.size)}; {where})'),
            ('read', f'about {counted(records, "record")}'),
            ('write', f'{context.output}, about {human_bytes(out_bytes)}'),
            ('time', f'about {human_time(seconds)} with {counted(settings.processes, "checking process")}' if settings.processes
             else 'depends on the cores of the workers'))
    if found.beside:
        rows += (('note', f'{found.beside}/ beside {found.archive.path} is not read: it may be what an unfinished unzip left'),)
    return Plan(rows, found.inputs, int(out_bytes), sources=(context.source(found.root),), parts=parts_of([1]))


SPEC = PipelineSpec(
    name='llava_cc3m', summary='LLaVA-CC3M-Pretrain-595K (chat.json and images), checked and copied', about=ABOUT,
    options=(RunOptions, Cc3mOptions, HubOptions, ClusterOptions), settings=cc3m_settings, plan=plan, build=build,
    byte_packages=('pillow',), sample_note=_SAMPLE_NOTE)


def run(argv: Sequence[str] | None = None) -> RunResult:
    """Runs the pipeline with the flags in `argv`; see `python -m beam_pipelines.llava_cc3m --help`."""
    return launch(SPEC, argv)


if __name__ == '__main__':
    sys.exit(run().exit_code)
