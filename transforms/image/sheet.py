"""The contact sheet of a report: a sample of the images that were written, each with its text."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from transforms.files import storage
from transforms.image.check_image import ImageLimits
from transforms.image.thumbnail import MakeThumbnail
from transforms.report.page import Section
from transforms.report.summary import SampledRecord, Views
from transforms.sandbox.pool import Pool, acquire_pool, release_pool

_THUMB_PIXELS, _SHOWN_CHARACTERS = 420, 600
_ENDINGS = ('.png', '.jpg', '.webp')


def _cards(output: str, views: Views, run: Mapping[str, Any]) -> dict[str, object] | None:
    shown = [record for record in views.sample if record.output.endswith(_ENDINGS)]
    if not shown:
        return None
    pool = acquire_pool((MakeThumbnail,), ImageLimits(), 1)
    try:
        cards = [(record, thumbnail, _caption(record), record.text or (record.details.get('text') or '')[:_SHOWN_CHARACTERS]) for record in shown
                 if (thumbnail := _thumbnail(pool, storage.join(output, record.output)))]
    finally:
        release_pool(pool)
    return {'cards': cards} if cards else None


def _caption(record: SampledRecord) -> str:
    details = record.details
    facts = [f"{details.get('width')} x {details.get('height')}", details.get('language'),
             f"turned {details['rotation']}" if details.get('rotation') else '']
    return ', '.join(str(fact) for fact in facts if fact)


def _thumbnail(pool: Pool, path: str) -> str:
    """A JPEG in base64, '' where there is no such image."""
    try:
        data = storage.read_bytes(path)
    except OSError:
        return ''
    return base64.b64encode(pool.submit(MakeThumbnail, {'side': _THUMB_PIXELS}, data).result().body).decode()


CONTACT_SHEET = Section('transforms.image', 'contact_sheet.html', _cards)
