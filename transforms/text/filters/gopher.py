"""Gopher's quality and repetition heuristics (Rae et al. 2021, "Scaling Language Models", appendix A.1.1), English only.

Words are cut at white space as there; datatrove cuts them with spaCy, so its figures differ a little.
"""

from __future__ import annotations

from collections import Counter
from itertools import accumulate

from transforms.text.document import Document
from transforms.text.filters.measure import Measure
from transforms.text.filters.rule import Condition, Rule

STOP_WORDS = frozenset(('the', 'be', 'to', 'of', 'and', 'that', 'have', 'with'))
LANGUAGES = ('en',)
_BULLETS = ('•', '-', '*', '‣', '◦', '▪', '–')
_PUNCTUATION = '.,;:!?"\'()[]{}…“”‘’'


def _mean_word_length(document: Document) -> float:
    words = document.words
    return sum(map(len, words)) / len(words) if words else 0.0


def _symbols_per_word(document: Document) -> float:
    text = document.text
    return max(text.count('#'), text.count('...') + text.count('…')) / max(1, len(document.words))


def _lines(document: Document) -> list[str]:
    if 'filled lines' not in document.memo:
        document.memo['filled lines'] = [line.strip() for line in document.lines if line.strip()]
    return document.memo['filled lines']


def _bullet_lines(document: Document) -> float:
    lines = _lines(document)
    return sum(line.startswith(_BULLETS) for line in lines) / max(1, len(lines))


def _ellipsis_lines(document: Document) -> float:
    lines = _lines(document)
    return sum(line.endswith(('...', '…')) for line in lines) / max(1, len(lines))


def _alphabetic_words(document: Document) -> float:
    words = document.words
    return sum(any(char.isalpha() for char in word) for word in words) / max(1, len(words))


def _stop_words(document: Document) -> int:
    return len(STOP_WORDS.intersection(word.strip(_PUNCTUATION) for word in document.lower.split()))


def _repeated(parts: list[str]) -> tuple[int, int]:
    """(how many of the parts were there before, their characters)."""
    seen: set[str] = set()
    count = characters = 0
    for part in parts:
        if part in seen:
            count += 1
            characters += len(part)
        seen.add(part)
    return count, characters


def _paragraphs(document: Document) -> list[str]:
    return [part.strip() for part in document.text.split('\n\n') if part.strip()]


def _share(count: int, whole: int) -> float:
    return count / whole if whole else 0.0


def _duplicate_lines(document: Document) -> float:
    lines = _lines(document)
    return _share(_repeated(lines)[0], len(lines))


def _duplicate_line_characters(document: Document) -> float:
    return _share(_repeated(_lines(document))[1], len(document.text))


def _duplicate_paragraphs(document: Document) -> float:
    paragraphs = _paragraphs(document)
    return _share(_repeated(paragraphs)[0], len(paragraphs))


def _duplicate_paragraph_characters(document: Document) -> float:
    return _share(_repeated(_paragraphs(document))[1], len(document.text))


def _n_grams(words: list[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(words[i:] for i in range(n)), strict=False))


def _terms(document: Document) -> list[str]:
    """Words without the punctuation around them."""
    if 'terms' not in document.memo:
        document.memo['terms'] = [term for term in (word.strip(_PUNCTUATION) for word in document.words) if term]
    return document.memo['terms']


def _top_n_gram(n: int):  # noqa: ANN202 - a measure's function
    def measure(document: Document) -> float:
        counts = Counter(_n_grams(_terms(document), n))
        if not counts:
            return 0.0
        count, size = max((count, sum(map(len, gram)) + n - 1) for gram, count in counts.items())
        return _share(size * count if count > 1 else 0, len(document.text))

    return measure


def _duplicate_n_grams(n: int):  # noqa: ANN202 - a measure's function
    def measure(document: Document) -> float:
        words = _terms(document)
        ends = list(accumulate(map(len, words), initial=0))
        seen: set[tuple[str, ...]] = set()
        repeated = position = 0
        grams = _n_grams(words, n)
        while position < len(grams):
            if grams[position] in seen:
                repeated += ends[position + n] - ends[position]
                position += n
            else:
                seen.add(grams[position])
                position += 1
        return _share(repeated, len(document.text))

    return measure


MEASURES = (
    Measure('mean_word_length', _mean_word_length, 'float', 'characters a word'),
    Measure('symbols_per_word', _symbols_per_word, 'float', 'hashes or ellipses a word, the larger'),
    Measure('bullet_lines', _bullet_lines, 'float', 'share of lines that begin with a bullet'),
    Measure('ellipsis_lines', _ellipsis_lines, 'float', 'share of lines that end with an ellipsis'),
    Measure('alphabetic_words', _alphabetic_words, 'float', 'share of words with a letter'),
    Measure('stop_words', _stop_words, 'int32', 'different ones of the eight stop words'),
    Measure('duplicate_lines', _duplicate_lines, 'float', 'share of lines that were there before'),
    Measure('duplicate_line_characters', _duplicate_line_characters, 'float', 'share of their characters'),
    Measure('duplicate_paragraphs', _duplicate_paragraphs, 'float', 'share of paragraphs that were there before'),
    Measure('duplicate_paragraph_characters', _duplicate_paragraph_characters, 'float', 'share of their characters'),
    *(Measure(f'top_{n}_gram', _top_n_gram(n), 'float', f'share of characters in the most frequent {n} words in a row') for n in (2, 3, 4)),
    *(Measure(f'duplicate_{n}_grams', _duplicate_n_grams(n), 'float', f'share of characters in {n} words in a row that were there before')
      for n in range(5, 11)),
)
_THRESHOLDS = (
    ('words', '<', 50), ('words', '>', 100_000), ('mean_word_length', '<', 3), ('mean_word_length', '>', 10),
    ('symbols_per_word', '>', 0.1), ('bullet_lines', '>', 0.9), ('ellipsis_lines', '>', 0.3), ('alphabetic_words', '<', 0.8),
    ('stop_words', '<', 2), ('duplicate_lines', '>', 0.3), ('duplicate_paragraphs', '>', 0.3), ('duplicate_line_characters', '>', 0.2),
    ('duplicate_paragraph_characters', '>', 0.2), ('top_2_gram', '>', 0.2), ('top_3_gram', '>', 0.18), ('top_4_gram', '>', 0.16),
    ('duplicate_5_grams', '>', 0.15), ('duplicate_6_grams', '>', 0.14), ('duplicate_7_grams', '>', 0.13),
    ('duplicate_8_grams', '>', 0.12), ('duplicate_9_grams', '>', 0.11), ('duplicate_10_grams', '>', 0.10),
)
RULES = tuple(Rule(f'gopher_{measure}', (Condition(measure, compare, threshold),), LANGUAGES)
              for measure, compare, threshold in _THRESHOLDS)
