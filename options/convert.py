"""Convert: the format and size of the shards."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, replace
from functools import partial

from apache_beam.options.pipeline_options import PipelineOptions

from options.context import Context
from options.looking import looking_at
from options.run import byte_size
from transforms.files import storage
from transforms.hub.path import HubPath, is_hub
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
        parser.add_argument('--shard_size', type=byte_size, default=0, metavar='SIZE',
                            help='of the input that goes into one shard (default a 16th of it, 64MB to 256MB)')


@dataclass(frozen=True)
class ConvertSettings:
    """What `beam_pipelines.convert.build` needs.

    Attributes:
        read_plan: what is read.
        shards: what is written.
        card: the README.md of the output.
        run: what run this is; the launcher fills it in.
    """

    read_plan: ReadPlan
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
    read_plan = plan_read(context.input, flags.subset or 'all', flags.split, flags.columns, flags.files, flags.limit,
                          flags.hub_parquet, part_bytes=flags.shard_size)
    extension = FORMATS[flags.format]
    return ConvertSettings(
        read_plan, Shards(flags.format, shard_names(read_plan, extension)),
        dataset_card(read_plan, extension, with_features=flags.format == 'parquet' and not flags.columns))


def with_column_types(settings: ConvertSettings) -> ConvertSettings:
    """The settings with one type for each column of each source, which Parquet needs before its first row."""
    if settings.shards.format == 'jsonl':
        return settings
    look = partial(looking_at, what='column types', unit='unit')
    types = {source.number: column_types(settings.read_plan, source.number, DEFAULT_LIMITS, look) for source in settings.read_plan.sources}
    return replace(settings, shards=replace(settings.shards, types=types))


def _check_output(context: Context) -> None:
    """Refuses an output folder within the input: the next start would take the shards for data files."""
    if not context.flags.input:
        return
    source = _place(context.flags.input)
    for output in filter(None, (context.output, context.flags.output)):  # two for one on the Hub: where it is made, and where it goes
        if f'{_place(output)}/'.startswith(f'{source}/'):
            raise ValueError(f'--output {output} lies in --input {context.flags.input}: choose a folder outside of it')


def _place(path: str) -> str:
    """A path by which two places can be compared."""
    if is_hub(path):
        return str(HubPath.parse(path))
    return os.path.realpath(path).rstrip('/') if storage.is_local(path) else path.rstrip('/')
