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
from beam_pipelines.plans.llava_cc3m import ABOUT, known_outcome, prepare
from options.cc3m_options import Cc3mOptions
from options.cc3m_settings import Cc3mSettings
from options.cluster_options import ClusterOptions
from options.hub_options import HubOptions
from options.run_options import RunOptions
from transforms.accounts.collect import CollectRecords
from transforms.accounts.finish import FinishRun
from transforms.accounts.fragments import WriteFragments
from transforms.accounts.ledger import BuildLedger
from transforms.accounts.workspace import CheckInWorker
from transforms.accounts.write_records import WriteRecords
from transforms.files.storage import join, spill_folder
from transforms.hints import hinted
from transforms.llava.write_llava import WriteLlava
from transforms.llava_cc3m.copy_images import COLUMNS, CopyImages
from transforms.llava_cc3m.cut_chat import CutChat
from transforms.llava_cc3m.validate import ValidatePretraining


def build(pipeline: beam.Pipeline, settings: Cc3mSettings) -> None:
    """Adds all steps to `pipeline`, the last of which finishes the output."""
    found, output, work = settings.found, settings.output, settings.work
    fragments, check_in = join(work, 'fragments'), CheckInWorker(settings.run.workspace(found.root))
    hints = settings.checking_hints

    # Records: checked by themselves, then cut by where their images lie.
    chat = (pipeline | 'Chat' >> beam.Create([found.chat.path]) | 'CheckInReading' >> check_in
            | 'CutChat' >> CutChat(found, join(work, 'rows'), settings.fix, settings.limit))

    # Images: read, checked and written within one step.
    copied = (chat.units | 'SpreadUnits' >> beam.Reshuffle() | 'CheckInCopying' >> hinted(check_in, hints)
              | 'CopyImages' >> hinted(CopyImages(
                  found, output, join(work, 'journal'), settings.checking, settings.processes,
                  spill_folder(work)), hints))

    # Accounts and training data.
    ended = [records | f'Collect{name}' >> CollectRecords(fragments) for name, records in (
        ('Dropped', chat.dropped), ('Copied', copied.records))]
    samples = copied.samples | 'SpillSamples' >> WriteFragments(fragments, 'train')

    # Finishing: one element, a step for each thing written, the verdict last.
    ledger = (*(part for parts in ended for part in parts), samples, chat.tallies, chat.errors) | 'BuildLedger' >> BuildLedger()
    (ledger
     | 'CheckInFinishing' >> check_in
     | 'WriteRecords' >> WriteRecords(output, settings.run.source, settings.run.revision, COLUMNS,
                                      ('bytes', 'width', 'height', 'format'), settings.seed)
     | 'WriteLlava' >> WriteLlava(output, ('train',))
     | 'ValidatePretraining' >> ValidatePretraining(output)
     | 'FinishRun' >> FinishRun(settings.run, (found.chat.path,)))


SPEC = PipelineSpec(
    name='llava_cc3m', summary='LLaVA-CC3M-Pretrain-595K (chat.json and images), checked and copied', about=ABOUT,
    options=(RunOptions, Cc3mOptions, HubOptions, ClusterOptions), prepare=prepare, build=build, known=known_outcome)


def run(argv: Sequence[str] | None = None) -> RunResult:
    """Runs the pipeline with the flags in `argv`; see `python -m beam_pipelines.llava_cc3m --help`."""
    return launch(SPEC, argv)


if __name__ == '__main__':
    sys.exit(run().exit_code)
