"""whitespace: one space between words, at most one blank line between paragraphs; the indentation of code stays."""

from __future__ import annotations

import re
import textwrap

import re2

_BLANK = re.compile(r'\n{3,}')
# Whatever may have to change: two spaces in a row, white space that is neither a space nor a newline, or is at the end of a line.
_SUSPECT = re2.compile(r'  |[\t\v\f\r\x{1c}-\x{1f}\x{85}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]| \n|\n\n\n')


def squeeze_spaces(text: str) -> str:
    """The text with one space for each run of white space within a line, none at its end, and at most two newlines in a row.

    White space before the first word of a line means something in code: it is kept, but for what all lines have.
    """
    text = text.rstrip()
    if text[:1].isspace():
        text = textwrap.dedent(text).lstrip()
    if '\xa0' in text:
        text = text.replace('\xa0', ' ')
    if not _SUSPECT.search(text.encode('utf-8', 'surrogatepass')):
        return text
    text = '\n'.join([_squeezed(line) if '  ' in line or line[-1:] == ' ' or not line.isprintable() else line for line in text.split('\n')])
    return _BLANK.sub('\n\n', text) if '\n\n\n' in text else text


def _squeezed(line: str) -> str:
    words = line.split()
    if not words:
        return ''
    squeezed = ' '.join(words)
    return squeezed if not line[0].isspace() else line[:len(line) - len(line.lstrip())] + squeezed
