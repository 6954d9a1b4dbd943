"""Flags of rendering pages: what the images look like, and what a page may cost."""

from __future__ import annotations

import argparse

from apache_beam.options.pipeline_options import PipelineOptions

from options.run import number, positive, whole_number
from transforms.pdf.settings import COLORS, ENGINES, IMAGE_FORMATS, PAGE_BOXES, PNG_CODECS, RenderSettings

_DEFAULT = RenderSettings()
REPAIRED = ('keep', 'fail')
# Decide which pages fail, and nothing of those that do not.
RETRY_OPTIONS = frozenset({'repaired', 'page_cpu_seconds', 'page_memory'})


def image_format(text: str) -> str:
    """An image format; jpeg is jpg."""
    name = text.lower().replace('jpeg', 'jpg')
    if name not in IMAGE_FORMATS:
        raise argparse.ArgumentTypeError(f'{text} is none of {", ".join(IMAGE_FORMATS)}')
    return name


class RenderOptions(PipelineOptions):
    """Engine, size, format and limits of page images."""

    TITLE = 'page images'
    NOT_BYTES = frozenset({'render_processes'})

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--pdf_engine', choices=ENGINES, default=_DEFAULT.engine, metavar='auto|pdfium|mupdf',
                            help='auto: pdfium, then MuPDF after an error or blank page')
        parser.add_argument('--max_size', type=whole_number, default=_DEFAULT.max_size, metavar='PIXELS',
                            help='longest side of the image (default 2048)')
        parser.add_argument('--enlarge', choices=('yes', 'no'), default='',
                            help='enlarge images too, or no page beyond 72 dpi (default: only pages)')
        parser.add_argument('--dpi', type=number, default=_DEFAULT.dpi,
                            help='render at this resolution instead of --max_size')
        parser.add_argument('--image_format', type=image_format, default=_DEFAULT.image_format,
                            metavar='png|jpg|webp', help='(default png)')
        parser.add_argument('--image_quality', type=whole_number, default=_DEFAULT.quality, metavar='1-100',
                            help='of jpg and webp (default 90)')
        parser.add_argument('--png_codec', choices=PNG_CODECS, default=_DEFAULT.png_codec, metavar='CODEC',
                            help='deflate by zlib-ng (default), isal or zlib')
        parser.add_argument('--min_side', type=positive, default=_DEFAULT.min_side, metavar='PIXELS',
                            help='a shorter side than this is dropped as image_too_small (default 3)')
        parser.add_argument('--color', choices=COLORS, default=_DEFAULT.color,
                            help='auto: gray when every pixel is')
        parser.add_argument('--page_box', choices=PAGE_BOXES, default=_DEFAULT.page_box,
                            help='MediaBox or CropBox of the page (default media)')
        parser.add_argument('--repaired', choices=REPAIRED, default='', metavar='keep|fail',
                            help='pages of repaired files (default fail; render_pdf: keep)')
        parser.add_argument('--page_cpu_seconds', type=number, default=_DEFAULT.cpu_seconds, metavar='S',
                            help='CPU time for one page (default 20)')
        parser.add_argument('--page_memory', type=positive, default=_DEFAULT.memory_bytes >> 20, metavar='MIB',
                            help='memory for one page (default 2048)')
        parser.add_argument('--render_processes', type=positive, default=None, metavar='N',
                            help='render processes a worker (default cores / workers)')


def render_settings(flags: argparse.Namespace, repaired: str = 'fail') -> RenderSettings:
    """The settings that the flags describe.

    Args:
        flags: parsed.
        repaired: what becomes of pages of repaired files where no flag says it.

    Raises:
        ValueError: a number is out of range.
    """
    return RenderSettings(
        min_side=flags.min_side, engine=flags.pdf_engine, max_size=flags.max_size, dpi=flags.dpi, image_format=flags.image_format,
        quality=flags.image_quality, png_codec=flags.png_codec, enlarge=flags.enlarge, color=flags.color, page_box=flags.page_box,
        accept_repaired=(flags.repaired or repaired) == 'keep', cpu_seconds=flags.page_cpu_seconds,
        memory_bytes=flags.page_memory << 20)
