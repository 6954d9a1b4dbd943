"""Format and size of shards, and where they may go: flags of every pipeline that writes records."""

from __future__ import annotations

import argparse
import os

from apache_beam.options.pipeline_options import PipelineOptions

from options.context import Context
from options.run import byte_size
from transforms.files import storage
from transforms.hub.path import HubPath, is_hub
from transforms.shards.write_shards import FORMATS


class ShardOptions(PipelineOptions):
    """Format and size of the shards."""

    TITLE = 'shards'
    NOT_BYTES = frozenset()

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--format', choices=tuple(FORMATS), default='jsonl',
                            help='gz JSON lines, bytes as base64; or zstd Parquet, one type a column')
        parser.add_argument('--shard_size', type=byte_size, default=0, metavar='SIZE',
                            help='of the input that goes into one shard (default a 16th of it, 16MB to 256MB)')


def check_output(context: Context) -> None:
    """Refuses an output folder within the input: the next start would take the shards for data files."""
    if context.flags.input:
        refuse_output_within(context, context.flags.input, f'--input {context.flags.input}')


def refuse_output_within(context: Context, source: str, name: str) -> None:
    """The same of any folder that is read.

    Raises:
        ValueError: the output lies in it.
    """
    for output in filter(None, (context.output, context.flags.output)):  # two for one on the Hub: where it is made, and where it goes
        if is_within(output, source):
            raise ValueError(f'--output {output} lies in {name}: choose a folder outside of it')


def is_within(path: str, folder: str) -> bool:
    """Whether a place is a folder, or lies in it."""
    return f'{_place(path)}/'.startswith(f'{_place(folder)}/')


def _place(path: str) -> str:
    """A path by which two places can be compared."""
    if is_hub(path):
        return str(HubPath.parse(path))
    return os.path.realpath(path).rstrip('/') if storage.is_local(path) else path.rstrip('/')
