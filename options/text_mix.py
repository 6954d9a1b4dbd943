"""text_mix: its documented folders, and its settings."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

from apache_beam.options.pipeline_options import PipelineOptions

from options.context import Context
from options.shards import ShardOptions, check_output, is_within
from options.text import (
    DEFAULT_CONFIG,
    TextOptions,
    load_config,
    settings_fingerprint,
    text_settings,
    with_language_sample,
)
from options.text_clean import TextCleanSettings, documents_of
from options.text_sample import BOTH, PUBLISHED_CONFIG, SAMPLE_CONFIG, SampleOptions
from transforms.files import storage
from transforms.read_hf.plan import plan_read
from transforms.shards.write_shards import FORMATS
from transforms.text_mix.discover import find_raw_mixture, folders_of, output_names
from transforms.text_mix.outputs import Outputs, documents_card

MERGED = 'all_cleaned'
RAW_FOLDER, CLEANED_FOLDER = './raw_data', './cleaned_data'  # where the published program's documentation has them


class TextMixOptions(PipelineOptions):
    """The documented folders."""

    TITLE = 'mixture'
    NOT_BYTES = frozenset({'raw_folder', 'cleaned_folder'})

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--raw_folder', default='', metavar='FOLDER', help='raw documents: output of stage 1, input of stage 2')
        parser.add_argument('--cleaned_folder', default='', metavar='FOLDER', help='cleaned documents: the output of stage 2')
        parser.add_argument('--merge', action='store_true', help=f'one file, {MERGED}.jsonl.gz, instead of one for each entry')


def settle_sample(flags: argparse.Namespace) -> None:
    """Takes the documented folders for stage 1, whose output is the raw folder.

    Raises:
        ValueError: a flag that belongs to stage 2 alone, or both names of a folder, are given.
    """
    together = flags.stage == 'all'
    if flags.input:
        raise ValueError('--input is for stage 2: stage 1 reads the datasets that --config names')
    if flags.limit:
        raise ValueError('--limit is for stage 2: --target_samples says how many documents stage 1 takes')
    if flags.output and together:
        raise ValueError('--stage=all has two outputs: give --raw-folder and --cleaned-folder instead of --output')
    raw, cleaned = flags.raw_folder or RAW_FOLDER, flags.cleaned_folder or CLEANED_FOLDER
    if together and (is_within(raw, cleaned) or is_within(cleaned, raw)):
        raise ValueError(f'--raw_folder {raw} and --cleaned_folder {cleaned} lie in one another: each stage needs a folder of its own')
    if not together:
        _refuse(flags, '2', (TextMixOptions, TextOptions, ShardOptions), ('raw_folder', 'config'))
    if flags.raw_folder and flags.output:
        raise ValueError('--raw_folder and --output mean the same here, the output: give one of them')
    flags.output = flags.output or flags.raw_folder or RAW_FOLDER
    flags.stage = '1'
    setattr(flags, BOTH, together)


def settle_clean(flags: argparse.Namespace) -> None:
    """Takes the documented folders for input and output of stage 2.

    Raises:
        ValueError: a flag that belongs to stage 1 alone, or both names of a folder, are given.
    """
    if flags.stage == 'all':
        flags.raw_folder, flags.cleaned_folder = flags.raw_folder or RAW_FOLDER, flags.cleaned_folder or CLEANED_FOLDER
        flags.config = flags.config or SAMPLE_CONFIG
    else:
        _refuse(flags, '1', (SampleOptions,), ())
    for documented, name in (('raw_folder', 'input'), ('cleaned_folder', 'output')):
        given = getattr(flags, documented)
        if given and getattr(flags, name):
            raise ValueError(f'--{documented} and --{name} mean the same here, the {name}: give one of them')
        if given:
            setattr(flags, name, given)
    if not flags.input and storage.exists(storage.join(RAW_FOLDER, '_SUCCESS')):  # what stage 1 wrote where it is not told where to
        flags.input, flags.output = RAW_FOLDER, flags.output or CLEANED_FOLDER
    flags.stage = '2'


def _refuse(flags: argparse.Namespace, stage: str, classes: tuple[type, ...], but: tuple[str, ...]) -> None:
    for action in flags_of(classes):
        if action.dest not in but and getattr(flags, action.dest) != action.default:
            raise ValueError(f'--{action.dest} belongs to stage {stage}: give it there, or take --stage=all')


def flags_of(classes: tuple[type, ...]) -> list[argparse.Action]:
    """The flags that options classes declare."""
    parser = argparse.ArgumentParser(add_help=False)
    for options in classes:
        options._add_argparse_args(parser)
    return parser._actions


def _notes(flags: argparse.Namespace) -> tuple[tuple[str, str], ...]:
    """Where input and filters come from, as rows of the plan."""
    notes = (('filters', f'of {flags.config or f"{DEFAULT_CONFIG}, which is shipped"}'),)
    if not flags.config and os.path.isfile(PUBLISHED_CONFIG):
        notes += (('note', f'{PUBLISHED_CONFIG} lies here and is not read: give it with --config'),)
    if not flags.input:
        notes += (('note', f'no --raw-folder, and no finished {RAW_FOLDER}: these are the documents that come with the package'),)
    return notes


def text_mix_settings(context: Context) -> TextCleanSettings:
    """The settings that the flags, the YAML and the input make.

    Raises:
        ValueError: the input holds no documents; mistakes in the YAML; flags that contradict each other.
    """
    flags = context.flags
    check_output(context)
    if flags.merge and flags.shard_size:
        raise ValueError('--merge makes one file, --shard_size many: give one of them')
    config = load_config(flags.config)
    text = text_settings(flags, config)
    as_is = flags.format == 'jsonl'
    folders = folders_of(config.datasets, text.published)
    mixture = find_raw_mixture(context.input, dict(zip(folders, config.datasets, strict=True)), flags.limit, flags.shard_size, as_is)
    extension = FORMATS[flags.format]
    if mixture:
        plans, folders = mixture.plans, mixture.folders
        numbers = [plan.sources[0].number for plan in plans]
        entries = dict(zip(numbers, mixture.entries, strict=True))
        text = replace(text, names=dict(zip(numbers, folders, strict=True)), priorities=dict(zip(numbers, mixture.priorities, strict=True)),
                       qualities={number: entry.quality for number, entry in entries.items() if entry and entry.quality})
        notes = (('folders', f'{len(folders):,}: {", ".join(folders[:6])}{" ..." if folders[6:] else ""}'),)
        if mixture.others:
            notes += (('not', f'{len(mixture.others):,} files that are no raw_data.jsonl.gz, such as {mixture.others[0]}'),)
    else:
        plan = plan_read(context.input, 'all', 'all', limit=flags.limit, part_bytes=flags.shard_size, inflates=True, json_as_is=as_is)
        plans, folders, notes = (plan,), ('',), ()
    notes = (*_notes(flags), *notes)
    text = with_language_sample(text, documents_of(plans))
    outputs = Outputs(flags.format, output_names(folders, plans, extension, bool(flags.shard_size)),
                      output_names(folders, plans, '.jsonl.gz', bool(flags.shard_size), 'dropped_data') if flags.keep_dropped else {})
    if flags.merge:
        outputs = replace(outputs, paths=dict.fromkeys(outputs.paths, f'{MERGED}{extension}'))
    card = documents_card(outputs, 'Cleaned documents: `datasets.load_dataset(FOLDER, NAME)` reads one of the folders. report.html and records/\n'
                          'account for every document.')
    return TextCleanSettings(plans, text, outputs, (card,), flags.keep_dropped, (settings_fingerprint(text),), notes)


