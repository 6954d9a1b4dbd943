"""characters: line breaks in one form, and no characters that no reader sees."""

from __future__ import annotations

import re
import unicodedata

_BREAKS = re.compile('\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]')


def drop_control(text: str) -> str:
    """The text without characters of Unicode's categories C* (control, format, surrogate, private, unassigned) but newlines and tabs.

    Other line breaks become newlines first.
    """
    plain = text.replace('\n', ' ').replace('\t', ' ')
    if plain.isprintable() or plain.replace('\xa0', ' ').isprintable():
        return text
    # A text has few different characters, whatever its length.
    odd = [char for char in set(text) if not char.isprintable() and char not in '\n\t']
    if any(char in '\r\v\f\x1c\x1d\x1e\x85\u2028\u2029' for char in odd):
        text = _BREAKS.sub('\n', text)
    for char in odd:
        if unicodedata.category(char)[0] == 'C':
            text = text.replace(char, '')
    return text
