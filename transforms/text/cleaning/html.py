"""html: the text of a document that is written in HTML; text in which `<` means something else is left alone."""

from __future__ import annotations

import html
import re
from functools import cache
from typing import Any

from transforms.text.cleaning.html_quick import (
    UNSEEN,
    VERBATIM,
    cut_tags,
    has_open_cells,
    join_tags,
    mark_of,
    one_line,
    quick_text,
    tidy,
    with_newlines,
    without_unseen,
)
from transforms.text.cleaning.html_tags import (
    CELLS,
    FLOW,
    KNOWN,
    NAME,
    UNCLOSED,
    VOID,
    HtmlDocument,
    escape_others,
    find_html,
)

MAX_DEPTH = 1_000  # lexbor takes 20 s for tags nested 100,000 deep
MAX_CHARACTERS = 32 << 20

_NO_DEPTH = VOID | UNCLOSED | {'!'}
_CUT_TAG = re.compile(r'</?([A-Za-z][A-Za-z0-9]*)(?:\s[^<>]*)?\Z')
_ENTITY = re.compile(r'&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});')


class HtmlTooDeep(ValueError):
    """Tags are nested deeper than `MAX_DEPTH`, or there is more of them than `MAX_CHARACTERS`: parsing would take minutes."""


def html_to_text(text: str) -> str:
    """The text that a browser would show of a document written in HTML; any other document as it is.

    Scripts, styles and comments go; blocks and rows end lines, cells are separated by a tab, entities are decoded. `<` that begins no
    tag of HTML stays: `#include <x>`, `a < b and c > d`, `List<String>`. So does code of Markdown.

    Raises:
        HtmlTooDeep: it nests tags too deeply.
    """
    if '<' not in text:
        return text
    if (quick := quick_text(text)) is not None:
        return quick
    if (found := find_html(text)) is None:
        return text
    if not found.code:
        return _shown(text, found)
    return ''.join([part if i % 2 or not part.strip() else _edges_kept(part, found) for i, part in enumerate(found.code.split(text))])


def decode_entities(text: str) -> str:
    """A document that is not written in HTML with its entities decoded once, those that end with a semicolon."""
    if '&' not in text or not _ENTITY.search(text) or ('<' in text and is_html(text)):
        return text
    return _ENTITY.sub(_decoded, text)


def is_html(text: str) -> bool:
    """Whether a document is written in HTML."""
    return quick_text(text) is not None or find_html(text) is not None


def _decoded(match: re.Match) -> str:
    return html.unescape(match[0])


def _edges_kept(part: str, found: HtmlDocument) -> str:
    """A stretch between code of Markdown, with the white space at its ends."""
    inner = part.strip()
    start = part.index(inner)
    return part[:start] + _shown(inner, found) + part[start + len(inner):]


def _shown(text: str, found: HtmlDocument) -> str:
    if len(text) > MAX_CHARACTERS:
        raise HtmlTooDeep(f'HTML of {len(text):,} characters, at most {MAX_CHARACTERS:,} are parsed')
    text = without_unseen(with_newlines(text))
    if text.rfind('<') > text.rfind('>') and (cut := _CUT_TAG.search(text, text.rfind('<'))) and cut[1].lower() in KNOWN:
        text = text[:cut.start()]
    if found.others or found.has_more:
        text = escape_others(text, found)
    if found.lower.isdisjoint(FLOW):
        return _text_of(text)
    has_code = not found.lower.isdisjoint(VERBATIM)
    return tidy(_text_of(one_line(text, has_code)), has_code)


def _text_of(source: str) -> str:
    """The text of HTML: in a short way where tags have nothing intricate in them, else as lexbor parses it; the same of both."""
    short = join_tags(cut_tags(source), source)
    return parsed_text(_marked(source)) if short is None else short


def _marked(source: str) -> str:
    """The source with white space for what its tags mean to lines, before each of them."""
    by_start = has_open_cells(NAME.findall(source))
    return NAME.sub(lambda match: _mark(match[1].lower(), by_start) + match[0], source)


def _mark(name: str, by_start: bool) -> str:
    if by_start and name.lstrip('/') in CELLS:
        return '' if name[0] == '/' else mark_of(f'/{name}')
    return mark_of(name)


def parsed_text(source: str) -> str:
    """The text of HTML by lexbor, without scripts, styles and the head.

    Raises:
        HtmlTooDeep: tags are nested too deeply.
    """
    _check_depth(source)
    tree = _parser()(source)
    for node in tree.css(','.join(UNSEEN)):
        node.decompose()
    body = tree.body
    return body.text(deep=True) if body is not None else ''


def _check_depth(text: str) -> None:
    """A bound from above, for end tags may be left out."""
    if text.count('<') <= MAX_DEPTH:
        return
    depth = deepest = 0
    for name in NAME.findall(text):
        if name[0] == '/':
            depth -= 1
        elif name.lower() not in _NO_DEPTH:
            depth += 1
            deepest = max(depth, deepest)
    if deepest > MAX_DEPTH:
        raise HtmlTooDeep(f'tags are nested {deepest:,} deep, at most {MAX_DEPTH:,} are parsed')


@cache
def _parser() -> Any:
    from selectolax.lexbor import LexborHTMLParser

    return LexborHTMLParser
