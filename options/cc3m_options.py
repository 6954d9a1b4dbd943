"""Flags of LLaVA's pretraining sets."""

from __future__ import annotations

import argparse

from apache_beam.options.pipeline_options import PipelineOptions

from options.hub_options import byte_size
from transforms.llava_cc3m.rules import FIXES


class Cc3mOptions(PipelineOptions):
    """Records and images."""

    TITLE = 'records and images'
    NOT_BYTES = frozenset()

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--fix', choices=FIXES, default='none',
                            help='first_image_token: move an <image> at the end of the first turn to its front '
                                 '(default none: records are never changed)')
        parser.add_argument('--max_image_bytes', type=byte_size, default=64 << 20, metavar='64MB',
                            help='a larger image file is dropped as image_too_big (default 64 MiB)')
        parser.add_argument('--min_image_side', type=int, default=3, metavar='PIXELS',
                            help='an image with a shorter side than this is dropped as image_too_small (default 3)')
        parser.add_argument('--max_image_pixels', type=int, default=64_000_000, metavar='N',
                            help='an image of more pixels is dropped as image_too_big (default 64,000,000)')
