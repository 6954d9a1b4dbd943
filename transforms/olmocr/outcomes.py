"""Rendered or extracted olmOCR pages as records, labelled images and annotations."""

import hashlib
from collections.abc import Callable, Iterator

import orjson

from transforms.accounting.outcome import Outcome, Payload
from transforms.accounting.table import RecordTable
from transforms.files import storage
from transforms.image.sheet import CONTACT_SHEET
from transforms.llava.conversation import LabelledImage
from transforms.olmocr.discover import ANNOTATIONS
from transforms.olmocr.read_rows import unit_group, unit_name
from transforms.olmocr.rows import LABEL_COLUMNS, OlmocrRow, annotation_of
from transforms.pdf.outcomes import (
    ENGINES,
    IMAGE_COLUMNS,
    IMAGE_HISTOGRAMS,
    image_outcome,
    journal_entry,
    multi_page_warning,
    repair_warning,
)
from transforms.pdf.pages import PageImage, PdfPage
from transforms.report.page import Histogram, Report
from transforms.report.summary import Count

OLMOCR_TABLE = RecordTable(LABEL_COLUMNS + IMAGE_COLUMNS)
# Of the published converter: two records may name one document, and share its image.
ORIGINAL_TABLE = RecordTable(OLMOCR_TABLE.columns, shared_outputs=True)
OLMOCR_REPORT = Report((*IMAGE_HISTOGRAMS, Histogram('text_chars', 'Text length, characters'), Histogram('language', 'Language'),
                        Histogram('language', 'Language of all rows that were read', read=True),
                        Histogram('rotation', 'Rotation label, degrees clockwise', exact=True), ENGINES), (CONTACT_SHEET,))
ERROR_LOG = 'conversion_errors.log'  # as the published converter's


def to_accounts(image: PageImage) -> Iterator[Outcome | Count]:
    """The record of a page with its label's columns, and a warning where it is but one page of its document."""
    row: OlmocrRow = image.context
    yield image_outcome(image, row.id, row.details())
    yield from multi_page_warning(image)
    yield from repair_warning(image)


def to_labelled(image: PageImage, blank_answer: str) -> Iterator[LabelledImage]:
    """The image with its text, when there is an image; pages without text get `blank_answer`."""
    row: OlmocrRow = image.context
    if not image.error:
        yield LabelledImage(row.part, row.file, row.row, row.id, image.output, row.text or blank_answer, row.split)


def to_annotation(image: PageImage) -> Iterator[Payload]:
    """The record of annotations.json for an extracted document."""
    if not image.error:
        yield Payload(image.part, image.file, image.row, ANNOTATIONS, orjson.dumps(annotation_of(image.context)))


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
        if row['outcome'] != 'written':
            return None
        return unit_name(row['file'], row['archive'], unit_group(row['archive'], row['row'])), journal_entry(row)

    return entry
