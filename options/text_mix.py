"""text_mix: its documented folders, and its settings."""

from __future__ import annotations

import argparse
from dataclasses import replace

from apache_beam.options.pipeline_options import PipelineOptions

from options.context import Context
from options.shards import check_output
from options.text import load_config, settings_fingerprint, text_settings, with_language_sample
from options.text_clean import TextCleanSettings, documents_of
from transforms.read_hf.plan import plan_read
from transforms.shards.write_shards import FORMATS
from transforms.text_mix.discover import find_raw_mixture, output_names
from transforms.text_mix.outputs import Outputs

MERGED = 'all_cleaned'


class TextMixOptions(PipelineOptions):
    """The documented folders."""

    TITLE = 'mixture'
    NOT_BYTES = frozenset({'raw_folder', 'cleaned_folder'})

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--raw_folder', default='', metavar='FOLDER', help='raw documents: the input of stage 2')
        parser.add_argument('--cleaned_folder', default='', metavar='FOLDER', help='cleaned documents: the output of stage 2')
        parser.add_argument('--merge', action='store_true', help=f'one file, {MERGED}.jsonl.gz, instead of one for each entry')


def settle_folders(flags: argparse.Namespace) -> None:
    """Takes the documented folders for input and output.

    Raises:
        ValueError: both names of a folder are given.
    """
    for documented, name in (('raw_folder', 'input'), ('cleaned_folder', 'output')):
        given = getattr(flags, documented)
        if given and getattr(flags, name):
            raise ValueError(f'--{documented} and --{name} mean the same here, the {name}: give one of them')
        if given:
            setattr(flags, name, given)


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
    mixture = find_raw_mixture(context.input, config.datasets, flags.limit, flags.shard_size, as_is)
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
    text = with_language_sample(text, documents_of(plans))
    outputs = Outputs(flags.format, output_names(folders, plans, extension, bool(flags.shard_size)),
                      output_names(folders, plans, '.jsonl.gz', bool(flags.shard_size), 'dropped_data') if flags.keep_dropped else {})
    if flags.merge:
        outputs = replace(outputs, paths=dict.fromkeys(outputs.paths, f'{MERGED}{extension}'))
    return TextCleanSettings(plans, text, outputs, (), flags.keep_dropped, (settings_fingerprint(text),), notes)


