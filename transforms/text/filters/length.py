"""Length: how much text there is."""

from __future__ import annotations

from transforms.text.document import Document
from transforms.text.filters.measure import Measure


def _characters(document: Document) -> int:
    return len(document.text)


def _words(document: Document) -> int:
    return len(document.words)


MEASURES = (
    Measure('characters', _characters, 'int32', 'characters after cleaning'),
    Measure('words', _words, 'int32', 'words, cut at white space'),
)
