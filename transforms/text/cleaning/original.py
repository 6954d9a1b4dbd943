"""The cleaning of the published two-stage mixture, to the byte (`--preset=original`); its quirks are its own."""

from __future__ import annotations

import re
import unicodedata

_TAG = re.compile(r'<[^>]+>')
_LONG_URL = re.compile(r'https?://[^\s]{100,}')
_SPACE = re.compile(r'\s+')


def clean_as_published(text: str) -> str:
    """NFKC; whatever stands between `<` and `>` goes; long addresses; characters of categories C*; each run of white space one space."""
    text = unicodedata.normalize('NFKC', text)
    end = text.rfind('>') + 1  # behind it every search would go to the end in vain
    if '<' in text and end:
        text = _TAG.sub('', text[:end]) + text[end:]
    text = _LONG_URL.sub('[URL]', text)
    if not text.isprintable():
        for char in set(text):
            if char not in '\n\t' and unicodedata.category(char)[0] == 'C':
                text = text.replace(char, '')
    return _SPACE.sub(' ', text).strip()
