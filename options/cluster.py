"""Flags of running on a cluster: how wide, with which resources, how patient."""

from __future__ import annotations

import argparse

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.resources import parse_resource_hints

from options.run import not_negative, positive


def memory(text: str) -> str:
    """An amount of memory as Beam's resource hints take it, such as 8GB."""
    try:
        parse_resource_hints({'min_ram': text})
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text} is no amount of memory such as 8GB') from None
    return text


class ClusterOptions(PipelineOptions):
    """Resource hint, watchdog and resubmission."""

    TITLE = 'on a cluster'
    NOT_BYTES = frozenset({'parallelism', 'worker_ram', 'stall_seconds', 'resubmits'})

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--worker_ram', type=memory, default=None, metavar='8GB',
                            help='resource hint: memory of workers that open documents or images')
        parser.add_argument('--stall_seconds', type=positive, default=180, metavar='S',
                            help='Flink: give up a job that shows no sign of life for so long (default 180)')
        parser.add_argument('--resubmits', type=not_negative, default=3, metavar='N',
                            help='Flink: submit a hung or lost job again, N times (default 3)')


def worker_hints(flags: argparse.Namespace) -> dict[str, str]:
    """Beam's resource hints for the steps that carry documents or images."""
    return {'min_ram': flags.worker_ram} if flags.worker_ram else {}
