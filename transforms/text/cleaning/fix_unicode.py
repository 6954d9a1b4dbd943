"""fix_unicode: mojibake mended as ftfy does, behind a test that tells for nearly all text that ftfy would leave it as it is."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any

import ftfy
import re2
from ftfy.badness import BADNESS_RE
from ftfy.chardata import CONTROL_CHARS

# As datatrove's FTFYFormatter: quotes, ligatures and widths are no mistakes. Entities and line breaks have steps of their own.
CONFIG = ftfy.TextFixerConfig(unescape_html=False, fix_latin_ligatures=False, fix_character_width=False, uncurl_quotes=False,
                              fix_line_breaks=False, normalization=None, explain=False)
_SPACES = r'[\t-\r\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]'
_ANY = r'(?s:.)'  # for what RE2 knows of ASCII only: more may match, never less


def fix_unicode(text: str) -> str:
    """The text as `ftfy.fix_text` with `CONFIG` makes it, in Unicode's normal form C.

    ftfy works line by line; lines in which its own test for mojibake finds nothing, nor a control character, are not given to it.
    """
    if not text.isascii() or not text.isprintable():
        text = mend(text)
    return text if unicodedata.is_normalized('NFC', text) else unicodedata.normalize('NFC', text)


def mend(text: str) -> str:
    """What `ftfy.fix_text` makes of a text with `CONFIG`."""
    is_suspect = _suspect().search
    try:
        data = text.encode()
    except UnicodeEncodeError:  # lone surrogates
        return ftfy.fix_text(text, CONFIG)
    if not is_suspect(data):
        return text
    if len(text) > CONFIG.max_decode_length:  # ftfy may cut lines there
        return ftfy.fix_text(text, CONFIG)
    lines = [line + b'\n' for line in data.split(b'\n')]
    lines[-1] = lines[-1][:-1]
    return ''.join([ftfy.fix_text(line.decode(), CONFIG) if is_suspect(line) else line.decode() for line in lines])


@cache
def _suspect() -> Any:
    """Finds, in UTF-8, whatever ftfy may change: its own expression for mojibake, in RE2's words, and the characters that it removes.

    It matches wherever ftfy's expression does, and now and then elsewhere. At 2 us a document it is 200 times as fast.
    """
    removed = ''.join(f'\\x{{{code:x}}}' for code in CONTROL_CHARS)
    options = re2.Options()
    options.max_mem = 64 << 20
    return re2.compile(f'[{removed}\\x{{1b}}]|{_in_re2(BADNESS_RE.pattern)}', options)


def _in_re2(pattern: str) -> str:
    """A verbose expression of Python's `re` as RE2 takes it: without white space and comments, classes of letters and spaces in Unicode."""
    out, position, in_class = [], 0, False
    while position < len(pattern):
        char = pattern[position]
        if char == '\\':
            name = pattern[position + 1]
            out.append({'s': _SPACES[1:-1] if in_class else _SPACES, 'w': _ANY}.get(name, '') or _escaped(pattern[position:position + 2]))
            if name == 'w' and in_class:
                raise ValueError('\\w within a class')
            position += 2
            continue
        if in_class:
            in_class = char != ']'
            out.append(char)
        elif char == '[':
            in_class = True
            out.append(char)
        elif char == '#':
            position = pattern.find('\n', position)
        elif char == '^':
            out.append('(?m:^)')
        elif not char.isspace():
            out.append(char)
        position += 1
    return ''.join(out)


def _escaped(pair: str) -> str:
    return pair if pair[1].isascii() else re.escape(pair[1])
