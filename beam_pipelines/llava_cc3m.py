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
from beam_pipelines.launcher.human import human_bytes, human_time
from beam_pipelines.launcher.spec import Plan
from options.cluster import ClusterOptions
from options.hub import HubOptions
from options.llava_cc3m import Cc3mOptions, Cc3mSettings, cc3m_settings
from options.run import RunOptions
from transforms.accounting.collect import CollectOutcomes
from transforms.accounting.finish import FinishRun
from transforms.accounting.fragments import WriteFragments
from transforms.accounting.run_summary import BuildRunSummary
from transforms.accounting.write_records import WriteRecords
from transforms.files.storage import join
from transforms.llava.write_llava import WriteLlava
from transforms.llava_cc3m.copy_images import COLUMNS, CopyImages
from transforms.llava_cc3m.cut_chat import CutChat
from transforms.llava_cc3m.validate import ValidatePretraining
from transforms.run.hints import hinted
from transforms.run.start_up_check import StartUpCheck

ABOUT = """\
Makes LLaVA-CC3M-Pretrain-595K (or any chat.json with images) ready for a trainer: every record and every image is
checked, what a loader would not bear is dropped with its reason, the rest is copied byte for byte to chat.json and
images/, with records/, errors.jsonl and report.html that account for every record.

--input is the folder that liuhaotian/LLaVA-CC3M-Pretrain-595K was downloaded to (images.zip or images/), or its place
on the Hub; without it an embedded sample is taken.

  python -m beam_pipelines.llava_cc3m --input hf://datasets/liuhaotian/LLaVA-CC3M-Pretrain-595K --output data/cc3m"""
_SAMPLE_NOTE = ('This is the embedded sample. The real dataset: --input hf://datasets/liuhaotian/LLaVA-CC3M-Pretrain-595K '
                '(about 6.7 GB); with --limit 1000 for a trial.')
_IMAGES_PER_SECOND = 450  # of one process: docs/performance.md


def build(pipeline: beam.Pipeline, settings: Cc3mSettings) -> None:
    """Adds all steps to `pipeline`, the last of which finishes the output."""
    found, output, work = settings.found, settings.output, settings.work
    fragments, check = join(work, 'fragments'), StartUpCheck(settings.run.workspace(found.root))
    hints = settings.worker_hints

    # Records: checked by themselves, then cut by where their images lie.
    chat = (pipeline | 'Chat' >> beam.Create([found.chat.path]) | 'CheckReading' >> check
            | 'CutChat' >> CutChat(found, join(work, 'rows'), settings.fix, settings.limit))

    # Images: read, checked and written within one step.
    copied = (chat.main | 'SpreadUnits' >> beam.Reshuffle() | 'CheckCopying' >> hinted(check, hints)
              | 'CopyImages' >> hinted(CopyImages(
                  found, output, join(work, 'journal'), settings.checking, settings.processes,
                  settings.run.staging_dir), hints))

    # Accounts and training data.
    ended = [records | f'Collect{name}' >> CollectOutcomes(fragments) for name, records in (
        ('Dropped', chat.outcomes), ('Copied', copied.outcomes))]
    samples = copied.main | 'SpillSamples' >> WriteFragments(fragments, 'train')

    # Finishing: one element, a step for each thing written, the verdict last.
    summary = (*(part for parts in ended for part in parts), samples, chat.counts, chat.faults) | 'BuildRunSummary' >> BuildRunSummary()
    (summary
     | 'CheckFinishing' >> check
     | 'WriteRecords' >> WriteRecords(output, settings.run.source, settings.run.revision, COLUMNS,
                                      ('bytes', 'width', 'height', 'format'), settings.seed)
     | 'WriteLlava' >> WriteLlava(output, ('train',))
     | 'ValidatePretraining' >> ValidatePretraining(output)
     | 'FinishRun' >> FinishRun(settings.run, (found.chat.path,)))


def plan(settings: Cc3mSettings, source: str) -> Plan:
    """What a run with these settings reads and writes, and how long it takes."""
    found, expected = settings.found, settings.found.expected_records
    records = min(expected, settings.limit) if settings.limit else expected
    out_bytes = (found.bytes + found.chat.size) * records / expected
    where = f'{found.archive.path}, {human_bytes(found.bytes)}' if found.archive else \
        f'{found.images:,} images, {human_bytes(found.bytes)}'
    seconds = records / _IMAGES_PER_SECOND / (settings.processes or 1)
    rows = (('input', f'{source} ({found.chat.path}, {human_bytes(found.chat.size)}; {where})'),
            ('read', f'about {records:,} records'),
            ('write', f'{settings.output}, about {human_bytes(out_bytes)}'),
            ('time', f'about {human_time(seconds)} with {settings.processes} checking processes' if settings.processes
             else 'depends on the cores of the workers'))
    if found.beside:
        rows += (('note', f'{found.beside}/ beside {found.archive.path} is not read: it may be what an unfinished unzip left'),)
    return Plan(rows, found.inputs, int(out_bytes))


SPEC = PipelineSpec(
    name='llava_cc3m', summary='LLaVA-CC3M-Pretrain-595K (chat.json and images), checked and copied', about=ABOUT,
    options=(RunOptions, Cc3mOptions, HubOptions, ClusterOptions), settings=cc3m_settings, plan=plan, build=build,
    sample_note=_SAMPLE_NOTE)


def run(argv: Sequence[str] | None = None) -> RunResult:
    """Runs the pipeline with the flags in `argv`; see `python -m beam_pipelines.llava_cc3m --help`."""
    return launch(SPEC, argv)


if __name__ == '__main__':
    sys.exit(run().exit_code)
