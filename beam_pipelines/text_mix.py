"""The two-stage weighted text mixture: what stage 1 sampled is cleaned, filtered and deduplicated in stage 2.

    python -m beam_pipelines.text_mix --stage=2 --raw-folder ./raw_data --cleaned-folder ./cleaned_data

Stage 2 is `text_clean` with the documented folders: each */raw_data.jsonl.gz becomes */cleaned_data.jsonl.gz, and of equal documents
that of the entry which the YAML names first stays.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from beam_pipelines.launcher import PipelineSpec, RunResult, launch
from beam_pipelines.text_clean import BYTE_PACKAGES, WORKERS_FROM, build, plan
from options.cluster import ClusterOptions
from options.hub import HubOptions
from options.published import PresetOptions, StageOptions
from options.run import RunOptions
from options.shards import ShardOptions
from options.text import TextOptions
from options.text_clean import with_text_types
from options.text_mix import TextMixOptions, settle_folders, text_mix_settings

ABOUT = """\
Stage 2 of the two-stage mixture: reads FOLDER/*/raw_data.jsonl.gz, cleans, filters and deduplicates the documents
of all entries together, and writes */cleaned_data.jsonl.gz with their metadata as it was; records/, errors.jsonl
and report.html say what became of every document and why.

--raw-folder is the folder that stage 1 wrote, or any dataset that text_clean reads. Without it an embedded sample
is taken.

  python -m beam_pipelines.text_mix --stage=2 --raw-folder ./raw_data --cleaned-folder ./cleaned_data"""

SPEC = PipelineSpec(
    name='text_mix', summary='weighted text mixture: stage 2 cleans, filters and deduplicates what was sampled', about=ABOUT,
    options=(RunOptions, TextMixOptions, TextOptions, StageOptions, PresetOptions, ShardOptions, HubOptions, ClusterOptions),
    stages=('2',), settings=text_mix_settings, plan=plan, build=build, complete=with_text_types, settle=settle_folders,
    byte_packages=BYTE_PACKAGES, workers_from=WORKERS_FROM)


def run(argv: Sequence[str] | None = None) -> RunResult:
    """Runs the pipeline with the flags in `argv`; see `python -m beam_pipelines.text_mix --help`."""
    return launch(SPEC, argv)


if __name__ == '__main__':
    sys.exit(run().exit_code)
