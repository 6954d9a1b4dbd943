"""Flags of reading from the Hub: how hard, how long, and through which cache."""

from __future__ import annotations

import argparse
import os

from apache_beam.options.pipeline_options import PipelineOptions

from options.run import number, positive
from transforms.hub.settings import HubSettings

_UNITS = {'': 1, 'KB': 10**3, 'MB': 10**6, 'GB': 10**9, 'TB': 10**12}


def byte_size(text: str) -> int:
    """Bytes of a size such as 20GB."""
    number = text.upper().rstrip('KMGTB')
    try:
        size = int(float(number) * _UNITS[text.upper()[len(number):]])
    except (ValueError, KeyError):
        raise argparse.ArgumentTypeError(f'{text} is no size such as 500MB or 20GB') from None
    if size < 1:
        raise argparse.ArgumentTypeError(f'{text} must be more than nothing')
    return size


def seconds(text: str) -> float:
    """A duration of more than 0 seconds."""
    value = number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f'{text} must be more than 0')
    return value


class HubOptions(PipelineOptions):
    """Connections, patience and cache of the Hub; the token is no flag."""

    TITLE = 'reading hf://datasets/NAMESPACE/NAME[@REVISION] (token: HF_TOKEN or `hf auth login`, on workers too)'
    NOT_BYTES = frozenset({'hub_connections', 'hub_patience', 'hub_cache', 'hub_cache_limit'})

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--hub_connections', type=positive, default=8, metavar='N',
                            help='requests at one time, all local workers together (default 8)')
        parser.add_argument('--hub_patience', type=seconds, default=120.0, metavar='S',
                            help='give up when the Hub gives nothing for so long (default 120)')
        parser.add_argument('--hub_cache', default='', metavar='FOLDER',
                            help='keep what was read here, for the next run and for HF_HUB_OFFLINE=1')
        parser.add_argument('--hub_cache_limit', type=byte_size, default=20 * 10**9, metavar='20GB',
                            help='size of the cache (default 20GB)')


def hub_settings(flags: argparse.Namespace, local_workers: int) -> HubSettings:
    """The settings of one worker process: local workers share the connections."""
    cache = os.path.abspath(flags.hub_cache) if flags.hub_cache else ''
    return HubSettings(max(1, flags.hub_connections // max(1, local_workers)), flags.hub_patience, cache,
                       flags.hub_cache_limit)
