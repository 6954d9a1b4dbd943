"""LLaVA's pretraining sets: what may be changed in a record, and the limits of an image."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from apache_beam.options.pipeline_options import PipelineOptions

from options.context import Context
from options.hub import byte_size
from options.run import whole_number
from transforms.image.check_image import ImageLimits
from transforms.llava_cc3m.discover import Cc3mInput, discover
from transforms.llava_cc3m.rules import FIXES
from transforms.run.run import Run


class Cc3mOptions(PipelineOptions):
    """What may be changed in a record, and the limits of an image."""

    TITLE = 'records and images'
    NOT_BYTES = frozenset()

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--fix', choices=FIXES, default='none',
                            help='first_image_token: move an <image> at the end of the first turn to its front '
                                 '(default none: records are never changed)')
        parser.add_argument('--strict', action='store_true',
                            help='keep only what LLaVA-CC3M-Pretrain-595K has and pretraining bears: one image and one <image> a record, '
                                 'human first, unique text ids (default: what the fine-tuning loader bears)')
        parser.add_argument('--max_image_bytes', type=byte_size, default=64 << 20, metavar='64MB',
                            help='a larger image file is dropped as image_too_big (default 64 MiB)')
        parser.add_argument('--min_image_side', type=whole_number, default=3, metavar='PIXELS',
                            help='an image with a shorter side than this is dropped as image_too_small (default 3)')
        parser.add_argument('--max_image_pixels', type=whole_number, default=64_000_000, metavar='N',
                            help='an image of more pixels is dropped as image_too_big (default 64,000,000)')


@dataclass(frozen=True)
class Cc3mSettings:
    """What `beam_pipelines.llava_cc3m.build` needs.

    Attributes:
        found: the input.
        limits: of one image.
        fix: what may be changed in a record.
        strict: whether only records such as the published set has are kept.
        limit: records to read, 0 for all.
        seed: of the report's sample.
        processes: checking processes of each worker, 0 for one on each of its cores.
        run: what run this is; the launcher fills it in.
    """

    found: Cc3mInput
    limits: ImageLimits
    fix: str = 'none'
    strict: bool = False
    limit: int = 0
    seed: int = 0
    processes: int = 1
    run: Run | None = None


def cc3m_settings(context: Context) -> Cc3mSettings:
    """The settings that the flags and the input make.

    Raises:
        ValueError: a value out of range, or an input that cannot be used.
    """
    flags = context.flags
    if flags.max_image_pixels < 1:
        raise ValueError(f'--max_image_pixels={flags.max_image_pixels} must be at least 1')
    limits = ImageLimits(flags.max_image_bytes, flags.max_image_pixels, flags.min_image_side)
    return Cc3mSettings(found=discover(context.input), limits=limits,
                        fix=flags.fix, strict=flags.strict, limit=flags.limit, seed=flags.seed, processes=context.render_processes)
