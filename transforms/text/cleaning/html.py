"""html: the text of a document that is written in HTML; text in which `<` means something else is left alone."""

from __future__ import annotations

import html
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

MAX_DEPTH = 1_000  # lexbor takes 20 s for tags nested 100,000 deep
MAX_CHARACTERS = 32 << 20

_PARAGRAPHS = frozenset('p h1 h2 h3 h4 h5 h6 ul ol dl table pre blockquote figure section article header footer hr fieldset form'.split())
_LINES = frozenset('br li tr dt dd div option caption legend tbody thead tfoot nav main aside address details summary figcaption center'.split())
_CELLS = frozenset('td th'.split())
_VOID = frozenset('area base basefont bgsound br col embed hr img input link meta param source track wbr'.split())
_HIDDEN = frozenset('script style noscript template head title'.split())
_KNOWN = _PARAGRAPHS | _LINES | _CELLS | _VOID | _HIDDEN | frozenset(
    'a abbr acronym applet audio b bdi bdo big body button canvas cite code colgroup data datalist del dfn dialog dir em font frame frameset '
    'hgroup html i iframe ins kbd label map mark marquee math menu meter nobr noframes object optgroup output picture progress q rp rt ruby s '
    'samp search select slot small span strike strong sub sup svg textarea time tt u var video xmp listing'.split())
_ALONE = frozenset('br hr wbr'.split())  # mean something without an attribute
_UNCLOSED = frozenset('dd dt li option p td th tr'.split())  # need no end tag
_FLOW = _PARAGRAPHS | _LINES | _CELLS
_BLOCKS = (_PARAGRAPHS | _LINES | {'html', 'body', 'head'}) - {'p', 'br', 'hr', 'li'}
_VERBATIM = frozenset('pre textarea xmp listing'.split())
_PARSED = frozenset('xmp listing textarea iframe noframes frameset plaintext'.split())
_NO_DEPTH = _VOID | _UNCLOSED | {'!'}
_BARE = ('allowfullscreen async autofocus autoplay checked compact controls default defer disabled download formnovalidate hidden inert ismap '
         'itemscope loop multiple muted nohref noresize noshade novalidate nowrap open playsinline readonly required reversed selected')
_NAME = re.compile(r'<(/?[A-Za-z][A-Za-z0-9-]*)(?=[\s/>])')
_LIKE_TAG = re.compile(r'<[A-Za-z/!?]')
_ATTRIBUTES = r"""(?:\s+(?:[A-Za-z_:@*#(\[][\w:.@*#()\[\]-]*\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'=<>`]+)|(?:""" \
    rf"""{'|'.join(_BARE.split())})\b))"""
# `<` and what is neither a name of a tag nor a comment nor a declaration.
_ODD_START = re.compile(r'<(?!/?[A-Za-z][A-Za-z0-9-]*[\s/>]|!--|![dD][oO][cC])(?=[A-Za-z/!?])')
_HIDDEN_TAG = re.compile(r'</?(?:script|style|noscript|template|head|title)\b', re.IGNORECASE)
_ANY_TAG = re.compile(r'</?[A-Za-z][^<>]*>')
_CUT_TAG = re.compile(r'</?([A-Za-z][A-Za-z0-9]*)(?:\s[^<>]*)?\Z')
_ENTITY = re.compile(r'&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});')
# Code of Markdown: fences, and short spans that hold a tag.
_CODE = re.compile(r'(```.*?```|^~~~.*?^~~~|`[^`\n<]{0,100}<[^`\n]{1,100}`)', re.DOTALL | re.MULTILINE)
_PRE = re.compile(r'(<(?:pre|textarea|xmp|listing)\b.*?(?:</(?:pre|textarea|xmp|listing)\s*>|\Z))', re.IGNORECASE | re.DOTALL)
# While lexbor has the document, white space stands for what tags mean: other characters it would move out of tables.
_LINE, _PARAGRAPH, _CELL = '\n', '\f', '\t'
_BLANK_LINE = re.compile(r'\n[ \t]*\n\s*')
_SPACES = re.compile('  +')


class HtmlTooDeep(ValueError):
    """Tags are nested deeper than `MAX_DEPTH`, or there is more of them than `MAX_CHARACTERS`: parsing would take minutes."""


@dataclass(frozen=True)
class _Html:
    """A document that is written in HTML.

    Attributes:
        names: of HTML's tags in it, as they are written.
        lower: the same in lower case.
        others: names that look like those of tags, as they are written, end tags with their `/`.
        has_more: whether something else than these begins with `<` as a tag does.
        code: splits it into HTML and code of Markdown; None where there is none of that.
    """

    names: frozenset[str]
    lower: frozenset[str]
    others: frozenset[str]
    has_more: bool
    code: re.Pattern | None


def html_to_text(text: str) -> str:
    """The text that a browser would show of a document written in HTML; any other document as it is.

    Scripts, styles and comments go; blocks and rows end lines, cells are separated by a tab, entities are decoded. `<` that begins no
    tag of HTML stays: `#include <x>`, `a < b and c > d`, `List<String>`. So does code of Markdown.

    Raises:
        HtmlTooDeep: it nests tags too deeply.
    """
    if '<' not in text or (found := _html(text)) is None:
        return text
    if not found.code:
        return _shown(text, found)
    return ''.join([part if i % 2 or not part.strip() else _edges_kept(part, found) for i, part in enumerate(found.code.split(text))])


def decode_entities(text: str) -> str:
    """A document that is not written in HTML with its entities decoded once, those that end with a semicolon."""
    if '&' not in text or not _ENTITY.search(text) or ('<' in text and _html(text) is not None):
        return text
    return _ENTITY.sub(_decoded, text)


def _decoded(match: re.Match) -> str:
    return html.unescape(match[0])


@lru_cache(maxsize=1)  # two steps ask for the same document
def _html(text: str) -> _Html | None:
    """What is known of the tags of a document that is written in HTML; None for one that is not.

    It is when it has a tag that HTML knows, with attributes as HTML has them, and closed where that matters; and more of them than of
    closed tags with other names, which make it XML.
    """
    code = _CODE if '`' in text or '~~~' in text else None
    if code:
        text = code.sub(' ', text)
    found = _NAME.findall(text)
    counts = Counter(found)
    closed, opened = {}, {}
    for name, count in counts.items():
        names, lower = (closed, name[1:].lower()) if name[0] == '/' else (opened, name.lower())
        names[lower] = names.get(lower, 0) + count
    genuine = {name for name in opened if _is_html(name, opened[name], closed, text)}
    if not genuine:
        return None
    foreign = sum(opened[name] + closed[name] for name in opened.keys() & closed.keys() if name not in _KNOWN and '-' not in name)
    if foreign and foreign >= sum(opened[name] + closed.get(name, 0) for name in genuine):
        return None
    names, others = set(), set()
    for name in counts:
        # Of a document that is HTML, but was cut, ends are HTML's without their beginnings, and beginnings of blocks without their ends.
        lower = name.lstrip('/').lower()
        is_ours = lower in genuine or (lower in _KNOWN and (name[0] == '/' or (lower in _BLOCKS and not name.istitle())))
        (names if is_ours else others).add(name)
    written = frozenset(name.lstrip('/') for name in names)
    return _Html(written, frozenset(map(str.lower, written)), frozenset(others),
                 text.count('<') > len(found) and len(_LIKE_TAG.findall(text)) > len(found), code)


def _is_html(name: str, count: int, closed: dict[str, int], text: str) -> bool:
    """Whether tags of this name are HTML's, by what else the document has of them."""
    if name not in _KNOWN:
        return '-' in name and name in closed
    if name in closed or name in _ALONE:
        return True
    if name in _UNCLOSED:
        return count > 1 or bool(_well_formed(name, r'(?<![\w$])').search(text))
    return bool(_well_formed(name, needs='+').search(text))


@cache
def _well_formed(name: str, before: str = '', needs: str = '*') -> re.Pattern:
    """A start tag with attributes as HTML has them."""
    return re.compile(rf'{before}<{name}{_ATTRIBUTES}{needs}\s*/?>', re.IGNORECASE)


@lru_cache(maxsize=1024)
def _names_pattern(names: frozenset[str]) -> re.Pattern:
    return re.compile(rf"<(?=(?:{'|'.join(sorted(map(re.escape, names)))})[\s/>])")


def _edges_kept(part: str, found: _Html) -> str:
    """A stretch between code of Markdown, with the white space at its ends."""
    inner = part.strip()
    start = part.index(inner)
    return part[:start] + _shown(inner, found) + part[start + len(inner):]


def _shown(text: str, found: _Html) -> str:
    if len(text) > MAX_CHARACTERS:
        raise HtmlTooDeep(f'HTML of {len(text):,} characters, at most {MAX_CHARACTERS:,} are parsed')
    if '\r' in text:
        text = text.replace('\r\n', '\n').replace('\r', '\n')
    if text.rfind('<') > text.rfind('>') and (cut := _CUT_TAG.search(text, text.rfind('<'))) and cut[1].lower() in _KNOWN:
        text = text[:cut.start()]
    if found.others or found.has_more:
        text = _escaped(text, found)
    flows = not found.lower.isdisjoint(_FLOW)
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


def _text_of(source: str, found: _Html) -> str:
    """The text of HTML: in a short way where tags have nothing intricate in them, else as lexbor parses it; the same of both."""
    short = _in_short(source, found)
    return parsed_text(source) if short is None else short


def _in_short(source: str, found: _Html) -> str | None:
    """The text without tags; None where only a parser tells what is text."""
    if not found.lower.isdisjoint(_PARSED):
        return None
    if '<!' in source:
        source = _without_comments(source)
    for name in found.lower & _HIDDEN:
        source = _without_elements(source, name)
    if not found.lower.isdisjoint(_HIDDEN) and _HIDDEN_TAG.search(source):
        return None
    shown = _ANY_TAG.sub('', source)
    if '">' in shown or "'>" in shown or ('<' in shown and _LIKE_TAG.search(shown)):
        return None  # values in quotes that hold < or >
    return html.unescape(shown) if '&' in shown else shown


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
    for node in tree.css('script,style,noscript,template,head'):
        node.decompose()
    body = tree.body
    return body.text(deep=True) if body is not None else ''


def _check_depth(text: str) -> None:
    """A bound from above, for end tags may be left out."""
    if text.count('<') <= MAX_DEPTH:
        return
    depth = deepest = 0
    for name in _NAME.findall(text):
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


def _marked(text: str, found: _Html) -> str:
    """The source with white space for what its tags mean to lines, before each of them."""
    for names, mark in ((found.lower & _PARAGRAPHS, _PARAGRAPH), (found.lower & _LINES, _LINE)):
        if names:
            text = _tags_pattern(names).sub(f'{mark}<', text)
    for name in found.names & _CELLS:
        text = text.replace(f'</{name}>', f'{_CELL}</{name}>')
    return text


@lru_cache(maxsize=4096)
def _tags_pattern(names: frozenset[str]) -> re.Pattern:
    both = sorted((*names, *map(str.upper, names), *map(str.capitalize, names)))
    return re.compile(rf"<(?=/?(?:{'|'.join(both)})[\s/>])")


def _escaped(text: str, found: _Html) -> str:
    """The source with `&lt;` for each `<` that begins no tag of HTML."""
    if found.others:
        text = _names_pattern(found.others).sub('&lt;', text)
    return _ODD_START.sub('&lt;', text) if found.has_more else text


@cache
def _parser() -> Any:
    from selectolax.lexbor import LexborHTMLParser

    return LexborHTMLParser
