"""Rendered or extracted olmOCR pages as records, labelled images and annotations."""

import hashlib
from collections.abc import Callable, Iterator

import orjson

from transforms.accounting.fragments import KeyedPayload
from transforms.accounting.outcome import Outcome
from transforms.files import storage
from transforms.llava.conversation import LabelledImage
from transforms.olmocr.read_rows import unit_name
from transforms.olmocr.rows import OlmocrRow, annotation_of
from transforms.pdf.outcomes import image_outcome, journal_entry
from transforms.pdf.pages import PageImage, PdfPage

LABEL_COLUMNS = (('split', 'string'), ('archive', 'string'), ('member', 'string'), ('language', 'string'),
                 ('rotation', 'int16'), ('is_table', 'bool'), ('is_diagram', 'bool'), ('text_chars', 'int64'))


def to_outcome(image: PageImage) -> Outcome:
    """The record of a page with its label's columns."""
    row: OlmocrRow = image.context
    return image_outcome(image, row.id, row.details())


def to_labelled(image: PageImage, blank_answer: str) -> Iterator[LabelledImage]:
    """The image with its text, when there is an image; pages without text get `blank_answer`."""
    row: OlmocrRow = image.context
    if not image.error:
        yield LabelledImage(row.file, row.row, row.id, image.output, row.text or blank_answer, row.split)


def to_annotation(image: PageImage) -> Iterator[KeyedPayload]:
    """The record of annotations.json for an extracted document."""
    if not image.error:
        yield KeyedPayload(image.file, image.row, orjson.dumps(annotation_of(image.context)))


def as_extracted(page: PdfPage | PageImage) -> PageImage:
    """A page's document as it is, ready to be written: extracting renders nothing."""
    if isinstance(page, PageImage):
        return page
    data = page.data or (storage.read_bytes(page.path) if page.path else b'')
    if not data:
        return page.failed('NotAPdf', 'the file is empty')
    return page.outcome({'bytes': len(data), 'sha256': hashlib.sha256(data).hexdigest()}, data)


def journal_entries(settings: object) -> Callable[[dict], tuple[str, dict] | None]:
    """A function from a row of the records table to its journal entry, None for what must be done again."""
    def entry(row: dict) -> tuple[str, dict] | None:
        return (unit_name(row['file'], row['archive'], row['row']), journal_entry(row)) \
            if row['outcome'] == 'written' else None

    return entry
