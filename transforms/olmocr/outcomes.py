"""Drawn or extracted olmOCR pages as records, labelled images and annotations."""

import hashlib
from collections.abc import Iterator

import orjson

from transforms.accounts.fragments import Keyed
from transforms.accounts.records import Record
from transforms.files import storage
from transforms.llava.conversation import LabelledImage
from transforms.olmocr.rows import OlmocrRow, annotation_of
from transforms.pdf.outcomes import image_record
from transforms.pdf.pages import PageImage, PdfPage

LABEL_COLUMNS = (('split', 'string'), ('archive', 'string'), ('member', 'string'), ('language', 'string'),
                 ('rotation', 'int16'), ('is_table', 'bool'), ('is_diagram', 'bool'), ('text_chars', 'int64'))


def to_record(image: PageImage) -> Record:
    """The record of a page with its label's columns."""
    row: OlmocrRow = image.context
    return image_record(image, row.id, row.details())


def to_labelled(image: PageImage, blank_answer: str) -> Iterator[LabelledImage]:
    """The image with its text, when there is an image; pages without text get `blank_answer`."""
    row: OlmocrRow = image.context
    if not image.error:
        yield LabelledImage(row.file, row.row, row.id, image.output, row.text or blank_answer, row.split)


def to_annotation(image: PageImage) -> Iterator[Keyed]:
    """The record of annotations.json for an extracted document."""
    if not image.error:
        yield Keyed(image.file, image.row, orjson.dumps(annotation_of(image.context)))


def as_extracted(page: PdfPage | PageImage) -> PageImage:
    """A page's document as it is, ready to be written: extracting draws nothing."""
    if isinstance(page, PageImage):
        return page
    data = page.data or (storage.read_bytes(page.path) if page.path else b'')
    if not data:
        return page.failed('NotAPdf', 'the file is empty')
    return page.outcome({'bytes': len(data), 'sha256': hashlib.sha256(data).hexdigest()}, data)
