"""The contact sheet of a report: a sample of the images that were written, each with its text."""

from __future__ import annotations

import base64
import io

from transforms.files import storage
from transforms.report.page import Section
from transforms.report.summary import SampledRecord, Views

_THUMB_PIXELS = 420


def _cards(output: str, views: Views) -> dict[str, object] | None:
    cards = [(record, thumbnail, _caption(record)) for record in views.sample
             if (thumbnail := _thumbnail(storage.join(output, record.output)))]
    return {'cards': cards} if cards else None


def _caption(record: SampledRecord) -> str:
    details = record.details
    facts = [f"{details.get('width')} x {details.get('height')}", details.get('language'),
             f"turned {details['rotation']}" if details.get('rotation') else '']
    return ', '.join(str(fact) for fact in facts if fact)


def _thumbnail(path: str) -> str:
    from PIL import Image

    if not path.endswith(('.png', '.jpg', '.webp')):
        return ''
    try:
        with storage.open_read(path) as file, Image.open(file) as image:
            image.thumbnail((_THUMB_PIXELS, _THUMB_PIXELS))
            out = io.BytesIO()
            image.convert('L' if image.mode == 'L' else 'RGB').save(out, 'JPEG', quality=72)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return ''
    return base64.b64encode(out.getvalue()).decode()


CONTACT_SHEET = Section('transforms.pdf', 'contact_sheet.html', _cards)
