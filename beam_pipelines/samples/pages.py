"""Draws the pages of the embedded sample: text in many scripts, tables, columns, a chart, a scan, askew pages."""

from __future__ import annotations

import io
import random

import pymupdf

_PAPER = pymupdf.paper_rect('a4')
_INNER = _PAPER + (56, 64, -56, -64)


def text_page(html: str, rotation: int = 0, columns: int = 1, **save: object) -> bytes:
    """A one-page PDF of HTML in `columns` columns, drawn askew so that `rotation` degrees clockwise right it."""
    document = pymupdf.open()
    page = document.new_page(width=_PAPER.width, height=_PAPER.height)
    width = (_INNER.width - 18 * (columns - 1)) / columns
    parts = html.split('<!-- column -->')
    for i, part in enumerate(parts):
        left = _INNER.x0 + i * (width + 18)
        page.insert_htmlbox(pymupdf.Rect(left, _INNER.y0, left + width, _INNER.y1), part)
    return _save(document, page, rotation, **save)


def _save(document: pymupdf.Document, page: pymupdf.Page, rotation: int, **save: object) -> bytes:
    if rotation:
        page.set_rotation((360 - rotation) % 360)
    document.subset_fonts()
    document.set_metadata({})
    return document.tobytes(garbage=4, deflate=True, no_new_id=True, **save)


def chart_page(title: str, values: dict[str, int], caption: str) -> bytes:
    """A page with a bar chart drawn as vectors."""
    document = pymupdf.open()
    page = document.new_page(width=_PAPER.width, height=_PAPER.height)
    page.insert_htmlbox(pymupdf.Rect(56, 64, 540, 120), f'<h2>{title}</h2>')
    top, base, width = 160, 460, 480 / len(values)
    for i, (name, value) in enumerate(values.items()):
        left = 66 + i * width
        height = (base - top) * value / max(values.values())
        page.draw_rect(pymupdf.Rect(left, base - height, left + width * 0.7, base), fill=(0.2, 0.4, 0.7), width=0.5)
        page.insert_text((left, base + 16), name, fontsize=10)
        page.insert_text((left, base - height - 6), str(value), fontsize=10)
    page.insert_htmlbox(pymupdf.Rect(56, 500, 540, 700), f'<p>{caption}</p>')
    return _save(document, page, 0)


def scan_page(html: str, seed: int) -> bytes:
    """The same as a scan: a noisy, slightly turned gray picture of a page, and no text layer."""
    from PIL import Image, ImageFilter

    source = pymupdf.open(stream=text_page(html), filetype='pdf')
    pixmap = source[0].get_pixmap(dpi=100, colorspace=pymupdf.csGRAY)
    image = Image.frombytes('L', (pixmap.width, pixmap.height), pixmap.samples)
    image = image.rotate(0.7, fillcolor=252, resample=Image.Resampling.BICUBIC)
    noise = Image.frombytes('L', image.size, random.Random(seed).randbytes(image.width * image.height))
    image = Image.blend(image, noise.filter(ImageFilter.GaussianBlur(1)), 0.12)
    packed = io.BytesIO()
    image.save(packed, 'JPEG', quality=60)
    document = pymupdf.open()
    page = document.new_page(width=_PAPER.width, height=_PAPER.height)
    page.insert_image(page.rect, stream=packed.getvalue())
    return _save(document, page, 0)


def locked_page(html: str) -> bytes:
    """A page that needs a password."""
    return text_page(html, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw='secret', owner_pw='secret')
