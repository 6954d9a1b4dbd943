"""html: the text of a document that is written in HTML; text in which `<` means something else is left alone."""

from __future__ import annotations

import html
import re
from functools import cache, lru_cache
from typing import Any

from transforms.text.cleaning.html_tags import (
    CELLS,
    FLOW,
    HIDDEN,
    KNOWN,
    LIKE_TAG,
    LINES,
    NAME,
    PARAGRAPHS,
    UNCLOSED,
    VOID,
    HtmlDocument,
    escape_others,
    find_html,
)

MAX_DEPTH = 1_000  # lexbor takes 20 s for tags nested 100,000 deep
MAX_CHARACTERS = 32 << 20

_VERBATIM = frozenset('pre textarea xmp listing'.split())
_PARSED = frozenset('xmp listing textarea iframe noframes frameset plaintext'.split())
_NO_DEPTH = VOID | UNCLOSED | {'!'}
_UNSEEN = ('script', 'style', 'template', 'noscript', 'head')
_HIDDEN_TAG = re.compile(r'</?(?:script|style|noscript|template|head|title)\b', re.IGNORECASE)
_ANY_TAG = re.compile(r'</?[A-Za-z][^<>]*>')
_CUT_TAG = re.compile(r'</?([A-Za-z][A-Za-z0-9]*)(?:\s[^<>]*)?\Z')
_ENTITY = re.compile(r'&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});')
_PRE = re.compile(r'(<(?:pre|textarea|xmp|listing)\b.*?(?:</(?:pre|textarea|xmp|listing)\s*>|\Z))', re.IGNORECASE | re.DOTALL)
_FREQUENT = (('&lt;', '<'), ('&gt;', '>'), ('&quot;', '"'), ('&nbsp;', '\xa0'), ('&#39;', "'"))
# While lexbor has the document, white space stands for what tags mean: other characters it would move out of tables.
_LINE, _PARAGRAPH, _CELL = '\n', '\f', '\t'
_BLANK_LINE = re.compile(r'\n[ \t]*\n\s*')
_SPACES = re.compile('  +')


class HtmlTooDeep(ValueError):
    """Tags are nested deeper than `MAX_DEPTH`, or there is more of them than `MAX_CHARACTERS`: parsing would take minutes."""


def html_to_text(text: str) -> str:
    """The text that a browser would show of a document written in HTML; any other document as it is.

    Scripts, styles and comments go; blocks and rows end lines, cells are separated by a tab, entities are decoded. `<` that begins no
    tag of HTML stays: `#include <x>`, `a < b and c > d`, `List<String>`. So does code of Markdown.

    Raises:
        HtmlTooDeep: it nests tags too deeply.
    """
    if '<' not in text or (found := find_html(text)) is None:
        return text
    if not found.code:
        return _shown(text, found)
    return ''.join([part if i % 2 or not part.strip() else _edges_kept(part, found) for i, part in enumerate(found.code.split(text))])


def decode_entities(text: str) -> str:
    """A document that is not written in HTML with its entities decoded once, those that end with a semicolon."""
    if '&' not in text or not _ENTITY.search(text) or ('<' in text and find_html(text) is not None):
        return text
    return _ENTITY.sub(_decoded, text)


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
    if '\r' in text:
        text = text.replace('\r\n', '\n').replace('\r', '\n')
    if text.rfind('<') > text.rfind('>') and (cut := _CUT_TAG.search(text, text.rfind('<'))) and cut[1].lower() in KNOWN:
        text = text[:cut.start()]
    if found.others or found.has_more:
        text = escape_others(text, found)
    flows = not found.lower.isdisjoint(FLOW)
    has_code = flows and not found.lower.isdisjoint(_VERBATIM)
    if has_code:
        text = ''.join([part if i % 2 else _one_line(part) for i, part in enumerate(_PRE.split(text))])
    elif flows:
        text = _one_line(text)
    shown = _text_of(_marked(text, found), found)
    if not flows:
        return shown
    if has_code:
        return '\n\n'.join([part for part in map(_without_blank_ends, shown.split(_PARAGRAPH)) if part])
    if '  ' in shown:
        shown = _SPACES.sub(' ', shown)
    paragraphs = [part.strip(' \n\t') for part in shown.split(_PARAGRAPH)]
    return '\n\n'.join([_lines_of(part) if '\n' in part else part for part in paragraphs if part])


def _without_blank_ends(part: str) -> str:
    """A paragraph without blank lines at its ends; the indentation of its first line stays."""
    part = part.rstrip(' \n\t')
    first = len(part) - len(part.lstrip(' \n\t'))
    return part[part.rfind('\n', 0, first) + 1:]


def _lines_of(paragraph: str) -> str:
    return '\n'.join([line for line in [line.strip(' \t') for line in paragraph.split('\n')] if line])


def _text_of(source: str, found: HtmlDocument) -> str:
    """The text of HTML: in a short way where tags have nothing intricate in them, else as lexbor parses it; the same of both."""
    short = _in_short(source, found)
    return parsed_text(source) if short is None else short


def _in_short(source: str, found: HtmlDocument) -> str | None:
    """The text without tags; None where only a parser tells what is text."""
    if not found.lower.isdisjoint(_PARSED):
        return None
    if '<!' in source:
        source = _without_comments(source)
    for name in _UNSEEN:  # in this order: a style may stand in a head
        if name in found.lower:
            source = _without_elements(source, name)
    if not found.lower.isdisjoint(HIDDEN) and _HIDDEN_TAG.search(source):
        return None
    shown = _ANY_TAG.sub('', source)
    if '">' in shown or "'>" in shown or ('<' in shown and LIKE_TAG.search(shown)):
        return None  # values in quotes that hold < or >
    return _unescaped(shown) if '&' in shown else shown


def _unescaped(text: str) -> str:
    """What `html.unescape` gives, which takes 1 us for each entity; the frequent ones are replaced together."""
    for entity, char in _FREQUENT:
        text = text.replace(entity, char)
    ampersands = text.count('&')
    return html.unescape(text) if ampersands != text.count('&amp;') else text.replace('&amp;', '&') if ampersands else text


def _without_comments(source: str) -> str:
    """The source without comments and declarations; one that is not closed stays."""
    pieces, at = [], 0
    while (start := source.find('<!', at)) >= 0:
        is_comment = source.startswith('<!--', start)
        end = source.find('-->' if is_comment else '>', start)
        if end < 0:
            break
        pieces.append(source[at:start] if is_comment or source[start:start + 9].lower() == '<!doctype' else source[at:end + 1])
        at = end + (3 if is_comment else 1)
    return ''.join((*pieces, source[at:]))


def _without_elements(source: str, name: str) -> str:
    """The source without elements of a name; from one that is not closed on all stays."""
    begins, ends = _element(name)
    pieces, at = [], 0
    while (start := begins.search(source, at)) and (end := ends.search(source, start.end())):
        pieces.append(source[at:start.start()])
        at = end.end()
    return ''.join((*pieces, source[at:]))


@cache
def _element(name: str) -> tuple[re.Pattern, re.Pattern]:
    return re.compile(rf'<{name}\b[^<>]*>', re.IGNORECASE), re.compile(rf'</{name}\s{{0,100}}>', re.IGNORECASE)


def parsed_text(source: str) -> str:
    """The text of HTML by lexbor, without scripts, styles and the head.

    Raises:
        HtmlTooDeep: tags are nested too deeply.
    """
    _check_depth(source)
    tree = _parser()(source)
    for node in tree.css(','.join(_UNSEEN)):
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


def _one_line(text: str) -> str:
    """A stretch of source in which line breaks are spaces; blank lines are left to those who mixed HTML and plain text."""
    if '\n' not in text:
        return text
    return (_BLANK_LINE.sub(_PARAGRAPH, text) if '\n\n' in text or '\n ' in text or '\n\t' in text else text).replace('\n', ' ')


def _marked(text: str, found: HtmlDocument) -> str:
    """The source with white space for what its tags mean to lines, before each of them."""
    for names, mark in ((found.lower & PARAGRAPHS, _PARAGRAPH), (found.lower & LINES, _LINE)):
        if names:
            text = _tags_pattern(names).sub(f'{mark}<', text)
    for name in found.names & CELLS:
        text = text.replace(f'</{name}>', f'{_CELL}</{name}>')
    return text


@lru_cache(maxsize=4096)
def _tags_pattern(names: frozenset[str]) -> re.Pattern:
    both = sorted((*names, *map(str.upper, names), *map(str.capitalize, names)))
    return re.compile(rf"<(?=/?(?:{'|'.join(both)})[\s/>])")


@cache
def _parser() -> Any:
    from selectolax.lexbor import LexborHTMLParser

    return LexborHTMLParser
