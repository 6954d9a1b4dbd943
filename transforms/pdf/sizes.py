"""How many pixels an image gets, and what is too large or too small."""

from __future__ import annotations

import math

from transforms.pdf.errors import PageError
from transforms.pdf.settings import MAX_SIDES, RenderSettings


def output_size(width: float, height: float, settings: RenderSettings) -> tuple[int, int]:
    """Pixels (width, height) for a page of `width` x `height` points.

    Raises:
        PageError: as `check_size`.
    """
    longest = max(width, height)
    if not (math.isfinite(longest) and longest > 0):
        raise PageError('DamagedPdf', f'the page has no usable size ({width} x {height} points)')
    if settings.dpi:
        w, h = (max(1, round(side * settings.dpi / 72)) for side in (width, height))
    else:
        most = min(settings.max_size, math.ceil(longest)) if settings.enlarge == 'no' else settings.max_size
        w, h = (most if side == longest else max(1, round(side * most / longest)) for side in (width, height))
    check_size(w, h, settings)
    return w, h


def check_size(width: int, height: int, settings: RenderSettings) -> None:
    """Refuses what no file or no trainer can take.

    Raises:
        PageError: PageTooBig by the limit of pixels or the image format's own; ImageTooSmall.
    """
    if width * height > settings.max_pixels or max(width, height) > MAX_SIDES[settings.image_format]:
        raise PageError('PageTooBig', f'{width} x {height} pixels are over the limit of {settings.max_pixels}, or of '
                                      f'{MAX_SIDES[settings.image_format]} a side')
    if min(width, height) < settings.min_side:
        raise PageError('ImageTooSmall', f'{width} x {height} pixels; the shorter side must have {settings.min_side}')
