"""text_clean: what its settings are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from options.context import Context
from options.looking import looking_at
from options.shards import check_output
from options.text import load_config, settings_fingerprint, text_settings, with_language_sample
from transforms.accounting.product import Product
from transforms.accounting.table import RecordTable
from transforms.read_hf.plan import ReadPlan, plan_read
from transforms.read_hf.rows import DEFAULT_LIMITS
from transforms.run.run import Run
from transforms.shards.card import dataset_card
from transforms.shards.column_types import column_types, with_text
from transforms.shards.names import shard_names
from transforms.shards.write_shards import FORMATS
from transforms.text_mix.outputs import Outputs
from transforms.text_mix.settings import TextSettings

_LONG_DOCUMENT = 4_000  # bytes, the mean of web text


@dataclass(frozen=True)
class TextCleanSettings:
    """What the builds of `text_clean` and of stage 2 of `text_mix` need.

    Attributes:
        plans: what is read, numbered through.
        text: how documents are cleaned, filtered and deduplicated.
        outputs: where they go.
        products: one-file products beside them.
        keep_dropped: whether what is dropped is written too.
        inputs: beside the files, what decides bytes.
        notes: for people, as rows of the plan.
        run: what run this is; the launcher fills it in.
    """

    plans: tuple[ReadPlan, ...]
    text: TextSettings
    outputs: Outputs
    products: tuple[Product, ...] = ()
    keep_dropped: bool = False
    inputs: tuple[tuple[str, int, float | str], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    run: Run | None = None

    @property
    def documents(self) -> int:
        """How many documents there are, about."""
        return documents_of(self.plans)

    @property
    def table(self) -> RecordTable:
        """The columns of records/."""
        return RecordTable(self.text.columns)


def documents_of(plans: Iterable[ReadPlan]) -> int:
    """How many documents plans have, about."""
    return sum(plan.rows or plan.unpacked_bytes // _LONG_DOCUMENT + 1 for plan in plans)


def text_clean_settings(context: Context) -> TextCleanSettings:
    """The settings that the flags and the input make.

    Raises:
        ValueError: no such dataset, subset, split or column; mistakes in the YAML; the output lies in the input.
    """
    flags = context.flags
    check_output(context)
    text = text_settings(flags, load_config(flags.config))
    if flags.columns and text.text_field.partition('.')[0] not in flags.columns:
        raise ValueError(f'--columns leaves out {text.text_field}, where the text is: add it, or name another with --text_field')
    plan = plan_read(context.input, flags.subset or 'all', flags.split, flags.columns, flags.files, flags.limit, flags.hub_parquet,
                     part_bytes=flags.shard_size, inflates=True, json_as_is=flags.format == 'jsonl')
    text = with_language_sample(text, documents_of((plan,)))
    extension = FORMATS[flags.format]
    dropped = shard_names(plan, '.jsonl.gz') if flags.keep_dropped else {}
    outputs = Outputs(flags.format, shard_names(plan, extension), {part: path.replace('data/', 'dropped/', 1) for part, path in dropped.items()})
    card = dataset_card(plan, extension, with_features=flags.format == 'parquet' and not flags.columns)
    return TextCleanSettings((plan,), text, outputs, (card,), flags.keep_dropped, (settings_fingerprint(text),))


def with_text_types(settings: TextCleanSettings) -> TextCleanSettings:
    """The settings with one type for each column of each source, which Parquet needs before its first row."""
    if settings.outputs.format == 'jsonl':
        return settings
    look = partial(looking_at, what='column types', unit='unit')
    types = {source.number: with_text(column_types(plan, source.number, DEFAULT_LIMITS, look), settings.text.text_field)
             for plan in settings.plans for source in plan.sources}
    shared = {path: {types[plan.parts[0].source].schema for plan in settings.plans for part in plan.parts
                     if settings.outputs.paths[part.number] == path} for path in settings.outputs.shared}
    for path, schemas in shared.items():
        if len({str(schema) for schema in schemas}) > 1:
            raise ValueError(f'{path} would join sources whose columns differ in name or type, which one Parquet cannot hold: '
                             'write JSON lines (--format=jsonl), or leave --merge out')
    return replace(settings, outputs=replace(settings.outputs, types=types))
