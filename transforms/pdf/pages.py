"""What goes into RenderPDF and what comes out: a page to render, and the image (or failure) of one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class PdfPage:
    """One page to render.

    Attributes:
        part: of the accounts; with `file` and `row` the record's identity.
        file: the record's file, relative to its source.
        row: 0-based row in `file` (for a plain PDF, its page).
        name: file name of the document; an ending .png, .jpg or .jpeg says that it is an image.
        data: the document's bytes, or empty when `path` is set.
        path: a local path to the document.
        page: 0-based page number in the document.
        rotation: clockwise degrees (0, 90, 180, 270) that turn the page upright.
        expect_ink: True when the label has text, False when it has none, None when nobody knows.
        output: where the image goes, relative to the output folder.
        unit: the archive or group of files it was read from; names the journal that remembers it.
        context: whatever belongs to the record; carried along, never looked at.
    """

    part: int
    file: str
    row: int
    name: str
    data: bytes = b''
    path: str = ''
    page: int = 0
    rotation: int = 0
    expect_ink: bool | None = None
    output: str = ''
    unit: str = ''
    context: Any = None

    def failed(self, error: str, message: str, listed: bool = True) -> PageImage:
        """The outcome of this page when it could not even be read; `listed` as in Outcome."""
        return replace(self.outcome({'error': error, 'message': message}), listed=listed)

    def outcome(self, measured: dict, data: bytes = b'') -> PageImage:
        """The outcome of this page from a child's answer or a journal's line."""
        names = ('width', 'height', 'bytes', 'sha256', 'engine', 'ink_share', 'pages', 'fonts', 'repaired', 'text', 'error', 'message', 'spill')
        fields = {name: measured[name] for name in names if measured.get(name)}
        return PageImage(self.part, self.file, self.row, self.output, self.unit, self.context, data=data, **fields)


@dataclass(frozen=True)
class PageImage:
    """The image of one page, or why there is none (`error` and `message`).

    `fonts` names those that the page does not embed, which `engine` substituted; `repaired` says that it had to repair the file;
    `text` is the page's own text layer where it was asked for.

    The encoded image is in `data`, or in the local file `spill`, until WriteImages puts it under `output`.
    """

    part: int
    file: str
    row: int
    output: str = ''
    unit: str = ''
    context: Any = None
    data: bytes = b''
    spill: str = ''
    width: int = 0
    height: int = 0
    bytes: int = 0
    sha256: str = ''
    engine: str = ''
    ink_share: float = 0.0
    pages: int = 0
    fonts: str = ''
    repaired: bool = False
    text: str = ''
    error: str = ''
    message: str = ''
    listed: bool = True

    def without_payload(self) -> PageImage:
        """The same outcome without bytes, small enough for a shuffle."""
        return replace(self, data=b'', spill='')

    def journal_entry(self) -> dict:
        """What a resumed run needs to know of this page."""
        names = ('output', 'width', 'height', 'bytes', 'sha256', 'engine', 'ink_share', 'pages', 'fonts', 'repaired', 'text', 'error', 'message')
        return {name: value for name in names if (value := getattr(self, name))}
