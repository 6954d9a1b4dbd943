"""Rendered pages as outcomes, and outcomes as journal entries."""

from collections.abc import Callable, Iterable, Iterator

from transforms.accounting.outcome import DROPPED, FAILED, WRITTEN, Outcome, Payload
from transforms.accounting.table import RecordTable
from transforms.image.image_folder import METADATA, metadata_line
from transforms.image.sheet import CONTACT_SHEET
from transforms.pdf.list_pages import FileGroup, display_name, page_id
from transforms.pdf.pages import PageImage
from transforms.report.page import Histogram, Report
from transforms.report.summary import Count

# Columns of the records table that every rendering pipeline has, with their Arrow types.
IMAGE_COLUMNS = (('engine', 'string'), ('width', 'int32'), ('height', 'int32'), ('ink_share', 'float'),
                 ('pages', 'int32'), ('substituted_fonts', 'string'), ('repaired', 'bool'))
# What is wrong with a page by a rule of ours, not by a fault.
_DROPPED = {'ImageTooSmall': 'image_too_small', 'BlankPage': 'blank_page'}
IMAGE_HISTOGRAMS = (
    Histogram('bytes', 'Image file size, bytes'), Histogram('width', 'Image width, pixels'),
    Histogram('height', 'Image height, pixels'), Histogram('ink_share', 'Ink share of the page'))
ENGINES = Histogram('engine', 'Engine')
PAGE_TABLE = RecordTable(IMAGE_COLUMNS)
# With the page's own text; `text_source` says where it comes from: 'layer', null where there is none.
TEXT_COLUMNS = (('text', 'string'), ('text_source', 'string'))
TEXT_PAGE_TABLE = RecordTable(IMAGE_COLUMNS + TEXT_COLUMNS)
LAYER = 'layer'
PAGE_REPORT = Report((*IMAGE_HISTOGRAMS, ENGINES), (CONTACT_SHEET,))


def image_outcome(image: PageImage, record_id: str, details: dict) -> Outcome:
    """The record of a page: written with what was measured, or failed with its error class."""
    if image.error in _DROPPED:
        return Outcome(image.part, image.file, image.row, record_id, DROPPED, _DROPPED[image.error], image.message, details=details)
    if image.error:
        stage = 'read' if image.error == 'PdfMissing' else 'render'
        return Outcome(image.part, image.file, image.row, record_id, FAILED, image.error, image.message, stage=stage,
                       details=details, listed=image.listed)
    measured = {'engine': image.engine, 'width': image.width, 'height': image.height, 'ink_share': image.ink_share,
                'pages': image.pages, 'substituted_fonts': image.fonts or None,
                'repaired': image.repaired or None}
    return Outcome(image.part, image.file, image.row, record_id, WRITTEN, output=image.output, bytes=image.bytes,
                   sha256=image.sha256, details={**details, **measured})


def multi_page_warning(image: PageImage) -> Iterator[Count]:
    """A warning for a document of which only one page is rendered although it has more."""
    if image.pages > 1:
        yield Count(image.part, 'warning', 'multi_page_pdf', 1)


def repair_warning(image: PageImage) -> Iterator[Count]:
    """A warning for a page that is kept although its file had to be repaired: part of it may be missing."""
    if image.repaired:
        yield Count(image.part, 'warning', 'repaired_pdf', 1)


def page_outcome(image: PageImage, with_text: bool) -> Iterator[Outcome | Count]:
    """The record of a page of a plain PDF, and a warning where it is due."""
    text = {'text': image.text, 'text_source': LAYER if image.text else None} if with_text and not image.error else {}
    yield image_outcome(image, page_id(image.file, image.row), text)
    yield from repair_warning(image)
    if with_text and not image.error and not image.text:
        yield Count(image.part, 'warning', 'no_text_layer', 1)


def page_metadata(image: PageImage, with_text: bool) -> Iterator[Payload]:
    """The line by which `datasets` finds a page's image."""
    if not image.error:
        text = {'text': image.text, 'text_source': LAYER if image.text else None} if with_text else {}
        yield Payload(image.part, image.file, image.row, METADATA['train'], metadata_line(
            image.output, {'id': page_id(image.file, image.row), 'file': image.file, 'page': image.row + 1, **text}))


def journal_entry(row: dict) -> dict:
    """The journal entry of a written row of the records table."""
    names = ('output', 'bytes', 'sha256', 'text', *(name for name, _ in IMAGE_COLUMNS))
    entry = {name: row[name] for name in names if row.get(name)}
    if fonts := entry.pop('substituted_fonts', ''):
        entry['fonts'] = fonts
    return entry


def journal_entries(groups: Iterable[FileGroup]) -> Callable[[dict], tuple[str, dict] | None]:
    """A function from a row of the records table to its journal entry, None for what must be done again."""
    group_of = {display_name(file): group.name for group in groups for file in group.files}

    def entry(row: dict) -> tuple[str, dict] | None:
        return (group_of[row['file']], journal_entry(row)) if row['outcome'] == 'written' else None

    return entry
