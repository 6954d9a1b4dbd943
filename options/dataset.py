"""Which part of a dataset is read: flags of every pipeline that reads what has subsets and splits, and of those that take any dataset."""

from __future__ import annotations

import argparse

from apache_beam.options.pipeline_options import PipelineOptions


def name_list(text: str) -> tuple[str, ...]:
    """A comma separated list of names."""
    return tuple(name.strip() for name in text.split(',') if name.strip())


class SubsetOptions(PipelineOptions):
    """Subset and split."""

    TITLE = 'subset and split'
    NOT_BYTES = frozenset()

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--subset', type=name_list, default=(), metavar='A,B',
                            help='these subsets (configs) only; default: all')
        parser.add_argument('--split', default='all', metavar='NAME', help='this split only, such as train; default: all')


class DatasetOptions(PipelineOptions):
    """Files and columns of any dataset."""

    TITLE = 'files and columns'
    NOT_BYTES = frozenset()

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--columns', type=name_list, default=(), metavar='A,B', help='read these columns only (default: all)')
        parser.add_argument('--files', default='', metavar='GLOB',
                            help="these data files instead of the dataset's own splits")
        parser.add_argument('--hub_parquet', action='store_true',
                            help='read the Parquet conversion that the Hub made (for repositories with a loading script)')
