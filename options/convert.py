"""Convert: the format and size of the shards."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from functools import partial

from apache_beam.options.pipeline_options import PipelineOptions

from options.context import Context
from options.looking import looking_at
from options.run import byte_size
from transforms.files import storage
from transforms.read_hf.plan import ReadPlan, plan_read
from transforms.read_hf.rows import DEFAULT_LIMITS
from transforms.run.run import Run
from transforms.shards.card import DatasetCard, dataset_card
from transforms.shards.column_types import column_types
from transforms.shards.names import shard_names
from transforms.shards.write_shards import FORMATS, Shards


class ConvertOptions(PipelineOptions):
    """Format and size of the shards."""

    TITLE = 'shards'
    NOT_BYTES = frozenset()

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--format', choices=tuple(FORMATS), default='jsonl',
                            help='jsonl: gz JSON lines, bytes as base64; parquet: zstd, one type for each column (default jsonl)')
        parser.add_argument('--shard_size', type=byte_size, default=256 << 20, metavar='SIZE',
                            help='of the input that goes into one shard (default 256MB)')


@dataclass(frozen=True)
class ConvertSettings:
    """What `beam_pipelines.convert.build` needs.

    Attributes:
        plan: what is read.
        shards: what is written.
        card: the README.md of the output.
        run: what run this is; the launcher fills it in.
    """

    plan: ReadPlan
    shards: Shards
    card: DatasetCard
    run: Run | None = None


def convert_settings(context: Context) -> ConvertSettings:
    """The settings that the flags and the input make.

    Raises:
        ValueError: no such dataset, subset, split or column; the output lies in the input.
    """
    flags = context.flags
    _check_output(context)
    plan = plan_read(context.input, flags.subset or 'all', flags.split, flags.columns, flags.files, flags.limit,
                     flags.hub_parquet, part_bytes=flags.shard_size)
    types = () if flags.format == 'jsonl' else tuple(
        column_types(plan, number, DEFAULT_LIMITS, partial(looking_at, what='column types', unit='unit')) for number in range(len(plan.sources)))
    return ConvertSettings(
        plan, Shards(flags.format, shard_names(plan, FORMATS[flags.format]), types),
        dataset_card(plan, FORMATS[flags.format], with_features=flags.format == 'parquet' and not flags.columns))


def _check_output(context: Context) -> None:
    """Refuses an output folder within the input: the next start would take the shards for data files."""
    if storage.is_local(context.input) and storage.is_local(context.output):
        source, output = os.path.realpath(context.input), os.path.realpath(context.output)
        if os.path.commonpath([source, output]) == source:
            raise ValueError(f'--output {context.output} lies in --input {context.input}: choose a folder outside of it')
