"""Convert: what its settings are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from options.context import Context
from options.looking import looking_at
from options.shards import check_output
from transforms.read_hf.plan import ReadPlan, plan_read
from transforms.read_hf.rows import DEFAULT_LIMITS
from transforms.run.run import Run
from transforms.shards.card import OutputCard, dataset_card
from transforms.shards.column_types import column_types
from transforms.shards.names import shard_names
from transforms.shards.write_shards import FORMATS, Shards


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
    card: OutputCard
    run: Run | None = None


def convert_settings(context: Context) -> ConvertSettings:
    """The settings that the flags and the input make.

    Raises:
        ValueError: no such dataset, subset, split or column; the output lies in the input.
    """
    flags = context.flags
    check_output(context)
    read_plan = plan_read(context.input, flags.subset or 'all', flags.split, flags.columns, flags.files, flags.limit,
                          flags.hub_parquet, part_bytes=flags.shard_size, inflates=True)
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
