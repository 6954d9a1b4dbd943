"""Which documents are written in HTML, and which of their tags are HTML's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

PARAGRAPHS = frozenset('p h1 h2 h3 h4 h5 h6 ul ol dl table pre blockquote figure section article header footer hr fieldset form'.split())
LINES = frozenset('br li tr dt dd div option caption legend tbody thead tfoot nav main aside address details summary figcaption center dialog search'.split())
CELLS = frozenset('td th'.split())
VOID = frozenset('area base basefont bgsound br col embed hr img input link meta param source track wbr'.split())
HIDDEN = frozenset('script style noscript template head title'.split())
KNOWN = PARAGRAPHS | LINES | CELLS | VOID | HIDDEN | frozenset(
    'a abbr acronym applet audio b bdi bdo big body button canvas cite code colgroup data datalist del dfn dialog dir em font frame frameset '
    'hgroup html i iframe ins kbd label map mark marquee math menu meter nobr noframes object optgroup output picture progress q rp rt ruby s '
    'samp search select slot small span strike strong sub sup svg textarea time tt u var video xmp listing'.split())
ALONE = frozenset('br hr wbr'.split())  # mean something without an attribute
UNCLOSED = frozenset('dd dt li option p td th tr'.split())  # need no end tag
FLOW = PARAGRAPHS | LINES | CELLS
_BLOCKS = (PARAGRAPHS | LINES | {'html', 'body', 'head'}) - {'p', 'br', 'hr', 'li'}
_BARE = ('allowfullscreen async autofocus autoplay checked compact controls default defer disabled download formnovalidate hidden inert ismap '
         'itemscope loop multiple muted nohref noresize noshade novalidate nowrap open playsinline readonly required reversed selected')
NAME = re.compile(r'<(/?[A-Za-z][A-Za-z0-9-]*)(?=[\s/>])')
LIKE_TAG = re.compile(r'<[A-Za-z/!?]')
_ATTRIBUTES = r"""(?:\s+(?:[A-Za-z_:@*#(\[][\w:.@*#()\[\]-]*\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'=<>`]+)|(?:""" \
    rf"""{'|'.join(_BARE.split())})\b))"""
# `<` and what is neither a name of a tag nor a comment nor a declaration.
_ODD_START = re.compile(r'<(?!/?[A-Za-z][A-Za-z0-9-]*[\s/>]|!--|![dD][oO][cC])(?=[A-Za-z/!?])')
_COMMENT_TAG = re.compile(r'^[ \t]*(?://+!?|\*+|#+) <', re.MULTILINE)
_COMMENT_LINE = re.compile(r'^[ \t]*(?://|\*|#).*', re.MULTILINE)
_JSX = re.compile(r'<[A-Za-z][^<>]*(?:=\{|\sclassName=)')
# Code of Markdown: fences, and short spans that hold a tag.
_CODE = re.compile(r'(```.*?```|^~~~.*?^~~~|`[^`\n<]{0,100}<[^`\n]{1,100}`)', re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class HtmlDocument:
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


@lru_cache(maxsize=1)  # two steps ask for the same document
def find_html(text: str) -> HtmlDocument | None:
    """What is known of the tags of a document that is written in HTML; None for one that is not.

    It is when it has a tag that HTML knows, with attributes as HTML has them, and closed where that matters; and more of them than of
    closed tags with other names, which make it XML.
    """
    if is_code(text):
        return None
    code = _CODE if '`' in text or '~~~' in text else None
    if code:
        text = code.sub(' ', text)
    found = NAME.findall(text)
    known = classify(Counter(found), text)
    if known is None:
        return None
    names, others = known
    written = frozenset(name.lstrip('/') for name in names)
    return HtmlDocument(written, frozenset(map(str.lower, written)), frozenset(others),
                        text.count('<') > len(found) and len(LIKE_TAG.findall(text)) > len(found), code)


def is_code(text: str) -> bool:
    """Whether tags stand in comments of code, as `/// <summary>`, or have values of JSX, as `className={x}`."""
    if ('/ <' in text or '* <' in text or '# <' in text) and _COMMENT_TAG.search(text):
        rest = _COMMENT_LINE.sub('', text)
        return classify(Counter(NAME.findall(rest)), rest) is None
    return ('={' in text or 'className=' in text) and bool(_JSX.search(text))


def classify(counts: Mapping[str, int], text: str) -> tuple[set[str], set[str]] | None:
    """(names that are HTML's, others) of a document by how often each is in it, as written and end tags with their `/`; None: no HTML."""
    closed, opened = {}, {}
    for name, count in counts.items():
        names, lower = (closed, name[1:].lower()) if name[0] == '/' else (opened, name.lower())
        names[lower] = names.get(lower, 0) + count
    genuine = {name for name in opened if _is_html(name, opened[name], closed, text)}
    if not genuine:
        return None
    foreign = sum(opened[name] + closed[name] for name in opened.keys() & closed.keys() if name not in KNOWN and '-' not in name)
    if foreign and foreign >= sum(opened[name] + closed.get(name, 0) for name in genuine):
        return None
    names, others = set(), set()
    for name in counts:
        # Of a document that is HTML, but was cut, ends are HTML's without their beginnings, and beginnings of blocks without their ends.
        lower = name.lstrip('/').lower()
        is_ours = lower in genuine or (lower in KNOWN and (name[0] == '/' or (lower in _BLOCKS and not name.istitle())))
        (names if is_ours else others).add(name)
    return names, others


def _is_html(name: str, count: int, closed: dict[str, int], text: str) -> bool:
    """Whether tags of this name are HTML's, by what else the document has of them."""
    if name not in KNOWN:
        return '-' in name and name in closed
    if name in closed or name in ALONE:
        return True
    if name in UNCLOSED:
        return count > 1 or bool(_well_formed(name, r'(?<![\w$])').search(text))
    return bool(_well_formed(name, needs='+').search(text))


@cache
def _well_formed(name: str, before: str = '', needs: str = '*') -> re.Pattern:
    """A start tag with attributes as HTML has them."""
    return re.compile(rf'{before}<{name}{_ATTRIBUTES}{needs}\s*/?>', re.IGNORECASE)


@lru_cache(maxsize=1024)
def _names_pattern(names: frozenset[str]) -> re.Pattern:
    return re.compile(rf"<(?=(?:{'|'.join(sorted(map(re.escape, names)))})[\s/>])")


def escape_others(text: str, found: HtmlDocument) -> str:
    """The source with `&lt;` for each `<` that begins no tag of HTML."""
    if found.others:
        text = _names_pattern(found.others).sub('&lt;', text)
    return _ODD_START.sub('&lt;', text) if found.has_more else text
