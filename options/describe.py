"""Flags of describe_dataset. No PipelineOptions: it runs no pipeline, and shares flag names with those that do."""

from __future__ import annotations

import argparse

from options.run import Place, not_negative


class DescribeOptions:
    """Dataset, subset, split and output form of describe_dataset."""

    TITLE = 'what to look at'

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('-i', '--input', action=Place, default='', metavar='PATH', help='folder, file, or hf://datasets/NAMESPACE/NAME')
        parser.add_argument('--subset', default='all', metavar='NAME', help='one subset only (default all)')
        parser.add_argument('--split', default='all', metavar='NAME', help='one split only (default all)')
        parser.add_argument('--files', default='', metavar='GLOB',
                            help="these data files instead of the dataset's own splits")
        parser.add_argument('--hub_parquet', action='store_true',
                            help='look at the Parquet conversion that the Hub made')
        parser.add_argument('--examples', type=not_negative, default=3, metavar='N',
                            help='first rows to show of each split (default 3)')
        parser.add_argument('--json', action='store_true', help='print JSON instead of tables')
