"""Keywords: words and compounds of a list that a document holds, found in one pass however long the list is."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import re2

from transforms.text.document import Document
from transforms.text.filters.measure import Measure

_DOTTED_I = '\u0130'  # whose lower case is two characters


@dataclass(frozen=True)
class Keywords:
    """Finds keywords in a document, in lower case and NFC.

    Attributes:
        keywords: words, or compounds of several such as 'đặc biệt'.
        whole_words: whether the characters beside a hit must be neither letters, marks nor digits; else any substring counts.
    """

    keywords: tuple[str, ...]
    whole_words: bool = True

    @cached_property
    def _automaton(self) -> Any:
        import ahocorasick

        automaton = ahocorasick.Automaton()
        for keyword in self.keywords:
            word = unicodedata.normalize('NFC', keyword).lower().strip()
            if word:
                automaton.add_word(word, word)
        automaton.make_automaton()
        return automaton

    @cached_property
    def _any(self) -> Any:
        """Says in UTF-8 whether any keyword is there, in any case: nearly no document has one, and RE2 needs no lower case for that."""
        options = re2.Options()
        options.case_sensitive = False
        options.max_mem = 64 << 20
        return re2.compile('|'.join(re2.escape(word) for word in self._automaton.keys()), options)

    def __getstate__(self) -> dict:
        return {'keywords': self.keywords, 'whole_words': self.whole_words}

    def __setstate__(self, state: dict) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)

    def hits(self, document: Document) -> list[str]:
        """The keywords that a document holds, each as often as it does, in order."""
        automaton = self._automaton
        if not len(automaton) or (_DOTTED_I not in document.text and not self._any.search(document.data)):
            return []
        text = document.lower
        found = list(automaton.iter(text))
        return [word for end, word in found if _is_whole(text, end + 1 - len(word), end + 1)] if self.whole_words and found else \
            [word for _, word in found]


def _is_whole(text: str, start: int, end: int) -> bool:
    return not ((start and _is_part(text[start - 1]) and _is_part(text[start])) or
                (end < len(text) and _is_part(text[end]) and _is_part(text[end - 1])))


def _is_part(char: str) -> bool:
    return char.isalnum() or char == '_' or unicodedata.category(char)[0] == 'M'


def keyword_measures(keywords: Keywords) -> tuple[Measure, ...]:
    """What a list of keywords measures of a document."""
    def hits(document: Document) -> list[str]:
        if 'keywords' not in document.memo:
            document.memo['keywords'] = keywords.hits(document)
        return document.memo['keywords']

    def density(document: Document) -> float:
        return 100 * len(hits(document)) / max(1, len(document.words)) if hits(document) else 0.0

    return (Measure('keyword_kinds', lambda document: len(set(hits(document))), 'int32', 'different keywords of the list'),
            Measure('keyword_hits', lambda document: len(hits(document)), 'int32', 'hits of keywords of the list'),
            Measure('keyword_density', density, 'float', 'hits of keywords a hundred words'),
            Measure('keywords', lambda document: ', '.join(dict.fromkeys(hits(document)))[:200], 'string', 'the keywords'))
