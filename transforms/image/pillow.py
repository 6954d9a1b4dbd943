"""Pillow, ready for strangers' files; in child processes only."""

from __future__ import annotations

_MAX_TEXT = 64 << 20


def load_pillow() -> None:
    """Imports Pillow with its usual codecs."""
    from PIL import Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin  # noqa: F401

    # Texts and profiles of megabytes are no reason to refuse a picture; the process has a limit on memory.
    PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY = _MAX_TEXT, 4 * _MAX_TEXT
