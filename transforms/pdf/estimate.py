"""What rendering will cost, roughly, from figures that were measured (docs/performance.md)."""

from __future__ import annotations

# Mean PNG bytes and CPU seconds of a page at 2048 pixels; both grow with about this power of the longest side.
_BYTES_AT_2048, _SECONDS_AT_2048, _POWER = 940_000, 0.05, 1.6
_FORMAT_SHARE = {'png': 1.0, 'jpg': 0.6, 'webp': 0.35}


def page_bytes(max_size: int, dpi: float, image_format: str) -> float:
    """Mean bytes of one page image; with `dpi` a page counts as 11 inches high."""
    side = dpi * 11 if dpi else max_size
    return _BYTES_AT_2048 * (side / 2048) ** _POWER * _FORMAT_SHARE[image_format]


def render_seconds(pages: int, max_size: int, dpi: float, processes: int) -> float:
    """Wall seconds for `pages` pages in `processes` processes, without start-up."""
    side = dpi * 11 if dpi else max_size
    return pages * _SECONDS_AT_2048 * (side / 2048) ** _POWER / processes
