"""What the published filters ask of a caption.

Rules of DataComp's baselines.py (Gadre et al., "DataComp: In search of the next generation of multimodal datasets", 2023) and of
Open-Qwen2VL's (Wang et al., "Open-Qwen2VL", 2025); each states which.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import orjson

from transforms.files import storage

_MIN_WORDS, _MIN_CHARS = 3, 6
_BAD_CHARS = 1000
_TOKEN = re.compile(r'[\s\-_.,]')
_ROMAN = frozenset(('ii', 'iii', 'iv', 'vi', 'vii', 'viii', 'ix'))
_LETTER = re.compile('[a-z]')
_NAMES = re.compile(r'img_\S|(?:photo_|table |thumb )\d*$|f:id:\S*:\S*:\w*$|(?:http|ftp)s?://\S*$|www.\S*\.\S*$|rs=w:\d*,h:\d*\S*$')
_LISTS_FILE, _BAD_FILE = 'text_filter_lists.json', 'medium_high_freq_bad_text.json'


def is_long_enough(text: str) -> bool:
    """More than two words and more than five characters (DataComp, basic filter)."""
    return len(text) >= _MIN_CHARS and len(text.split(None, _MIN_WORDS)) >= _MIN_WORDS


def has_two_tokens(text: str) -> bool:
    """More than one token as fastText cuts them, and more than five characters (DataComp, image-based filter).

    fastText cuts at ASCII white space and NUL, and takes each newline for a token '</s>'.
    """
    return len(text) >= _MIN_CHARS and len(re.findall(r'\n|[^ \n\r\t\v\f\0]+', text)) > 1


def is_no_name(text: str) -> bool:
    """Whether it is no bare address or name that a camera or web site gave (Open-Qwen2VL, bad_text_pattern_cleaning)."""
    return not _NAMES.match(text.lower())


def has_different_words(text: str) -> bool:
    """Whether more than half of what stands between single spaces is different (Open-Qwen2VL, unique_token_ratio)."""
    words = text.split(' ')
    return len(set(words)) * 2 > len(words)


@dataclass(frozen=True)
class TextLists:
    """The lists of Open-Qwen2VL's text rules; they state no licence, so people have them in a folder (`--text_lists`).

    Attributes:
        bad_captions: captions that come too often to say anything.
        whole: texts that say nothing.
        removed: parts that are taken out, such as '.jpg'.
        starts: beginnings of which the first that fits is taken off, in this order.
        ends: the same for ends.
        languages: scores of the language detector from which on a caption in such a language goes.
        kept_languages: languages that stay whatever their score.
    """

    bad_captions: frozenset[str]
    whole: frozenset[str]
    removed: tuple[str, ...]
    starts: tuple[str, ...]
    ends: tuple[str, ...]
    languages: Mapping[str, float]
    kept_languages: frozenset[str]

    @classmethod
    def load(cls, folder: str) -> TextLists:
        """Reads text_filter_lists.json and medium_high_freq_bad_text.json, as data_filtering/ of Open-Qwen2VL has them.

        Raises:
            ValueError: a file is not there or has another form.
        """
        lists, bad = (_load(folder, name) for name in (_LISTS_FILE, _BAD_FILE))
        try:
            return cls(frozenset(bad), frozenset(lists['bad_whole_texts']), tuple(lists['remove_list']), tuple(lists['start_list']),
                       tuple(lists['end_list']), dict(lists['non_english_thre']), frozenset(lists['nine_lang']))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f'{folder}/{_LISTS_FILE} lacks {error}') from None

    def says_something(self, text: str) -> bool:
        """Whether a word is left when what cameras, web sites and editors write is taken off."""
        text = text.lower()
        if text in self.whole:
            return False
        for part in self.removed:
            text = text.replace(part, '')
        start = next((start for start in self.starts if text.startswith(start)), '')
        text = text[len(start):]
        end = next((end for end in self.ends if text.endswith(end)), '')
        text = text[:len(text) - len(end)]
        return any(map(_is_word, _TOKEN.split(text)))

    def is_frequent(self, text: str) -> bool:
        """Whether its first 1,000 characters are one of the captions that come too often."""
        return text.lower()[:_BAD_CHARS] in self.bad_captions

    def is_wanted_language(self, language: str, score: float) -> bool:
        """False for languages that are told apart from English with such a score (Open-Qwen2VL, non_english_cleaning)."""
        return score < self.languages.get(language, 2.0)

    def is_one_of_nine(self, language: str, score: float) -> bool:
        """Whether the language is one of nine European ones and Vietnamese, or uncertain (Open-Qwen2VL, fasttext_cleaning)."""
        return language in self.kept_languages or score <= 0.2


def _load(folder: str, name: str) -> object:
    path = storage.join(folder, name)
    try:
        return orjson.loads(storage.read_bytes(path))
    except OSError:
        raise ValueError(f'{path} is not there: --text_lists is the folder with {_LISTS_FILE} and {_BAD_FILE} of Open-Qwen2VL') from None
    except orjson.JSONDecodeError as error:
        raise ValueError(f'{path} is no JSON: {error}') from None


def _is_word(token: str) -> bool:
    if len(token) < 2 or token in _ROMAN:
        return False
    letters = len(_LETTER.findall(token))
    if letters < 2 or letters <= 2 and len(token) - letters >= 3:  # sd345
        return False
    if len(token) < 4 or letters == len(token):
        return True
    numeric = [c.isnumeric() for c in token]
    return sum(a != b for a, b in pairwise(numeric)) < 2  # e4yf, 4a68
