"""The text of HTML without a parser: tags are cut away in one scan, where nothing but a tag begins with `<`."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from transforms.text.cleaning.html_tags import (
    ALONE,
    CELLS,
    FLOW,
    HIDDEN,
    KNOWN,
    LIKE_TAG,
    LINES,
    PARAGRAPHS,
    classify,
    is_code,
)

# White space stands for what tags mean: other characters a parser would move out of tables.
LINE, PARAGRAPH, CELL = '\n', '\f', '\t'
UNSEEN = ('script', 'style', 'template', 'noscript', 'head')
VERBATIM = ('pre', 'textarea', 'xmp', 'listing')
_PARSED = frozenset('xmp listing textarea iframe noframes frameset plaintext'.split()) | HIDDEN  # have no tags in them, or show nothing
_TAG = re.compile(r'<(/?[A-Za-z][A-Za-z0-9-]*)(?:[\s/][^<>]*)?>')
_CODE_BEGIN = re.compile(r'<(?:[pP][rR][eE]|[tT][eE][xX][tT][aA][rR][eE][aA]|[xX][mM][pP]|[lL][iI][sS][tT][iI][nN][gG])\b')
_CODE_END = re.compile(_CODE_BEGIN.pattern.replace('<', '</')[:-2] + r'\s*>')
_NESTING = frozenset(('template', 'noscript', 'head'))  # hold comments and scripts in which their own end may be named
_UNSEEN = re.compile(r'<(?:(!--)|(!)(?=\[(?:end)?if\b|doctype)|(/?(?:script|style|template|noscript|head))(?=[\s/>])[^<>]*>)', re.IGNORECASE)
_ENDS = {'!--': re.compile('--!?>'), '!': re.compile('>'),
         **{name: re.compile(rf'</{name}(?=[\s/>])[^>]*>', re.IGNORECASE) for name in ('script', 'style')}}
_QUOTED = re.compile(r"""=\s*(?:"[^"<>]*>|'[^'<>]*>)""")
_QUOTED_COMMENT = re.compile(r"""=\s*(?:"[^"<>]*|'[^'<>]*)<!--""")
_BLANK_LINE = re.compile(r'\n[ \t]*\n\s*')
_SPACES = re.compile('  +')
_FREQUENT = (('&lt;', '<'), ('&gt;', '>'), ('&quot;', '"'), ('&nbsp;', '\xa0'), ('&#39;', "'"))


def mark_of(name: str) -> str:
    """What stands for a tag of a name, which has a `/` if it is an end tag."""
    lower = name.lstrip('/')
    return PARAGRAPH if lower in PARAGRAPHS else LINE if lower in LINES else CELL if lower in CELLS and name[0] == '/' else ''


def has_open_cells(names: list[str]) -> bool:
    """Whether there are cells of tables without end tags, which HTML allows."""
    return any(names.count(cell) > names.count(f'/{cell}') for cell in ('td', 'th', 'TD', 'TH'))


def _tags(names: Iterable[str]) -> frozenset[str]:
    """The usual ways to write the names of start and end tags."""
    return frozenset(slash + written for name in names for written in (name, name.upper(), name.capitalize()) for slash in ('', '/'))


_MARKS = {name: mark_of(name.lower()) for name in _tags(KNOWN - _PARSED)}
_FLOWING, _CODE = _tags(FLOW), _tags(('pre', 'textarea'))


@lru_cache(maxsize=1)  # two steps ask for the same document
def quick_text(text: str) -> str | None:
    """The text of a document that is written in HTML; None where it is not, or takes more than this to tell."""
    if '`' in text or '~~~' in text or is_code(text):  # may be Markdown
        return None
    has_code = '<pre' in text or '<PRE' in text or '<textarea' in text
    source = one_line(without_unseen(with_newlines(text)), has_code)
    pieces = cut_tags(source)
    counts = Counter(pieces[1::2])
    names = counts.keys()
    if not names <= _MARKS.keys() or names.isdisjoint(_FLOWING) or not (has_code or names.isdisjoint(_CODE)):
        return None
    opened = [name for name in names if name[0] != '/']
    # Where all are closed there is nothing to ask.
    if not opened or (any(f'/{name}' not in names and name not in ALONE for name in opened) and ((known := classify(counts, text)) is None or known[1])):
        return None
    shown = join_tags(pieces, source)
    return None if shown is None else tidy(shown, has_code)


def with_newlines(text: str) -> str:
    """The text with newlines for other ends of lines."""
    return text.replace('\r\n', '\n').replace('\r', '\n') if '\r' in text else text


def one_line(source: str, has_code: bool) -> str:
    """The source in which line breaks are spaces, but for those of code; blank lines are left to those who mixed HTML and plain text."""
    pieces, at = [], 0
    while has_code and (start := _CODE_BEGIN.search(source, at)):
        end = _CODE_END.search(source, start.end())
        pieces += (_one_line(source[at:start.start()]), source[start.start():end.end() if end else None])
        at = end.end() if end else len(source)
    return ''.join((*pieces, _one_line(source[at:])))


def _one_line(source: str) -> str:
    return _BLANK_LINE.sub(PARAGRAPH, source).replace('\n', ' ') if '\n' in source else source


def without_unseen(source: str) -> str:
    """The source without comments and elements that are not shown; one that is not closed stays, with all that follows."""
    if '<!--' in source and _QUOTED_COMMENT.search(source):
        return source
    pieces, at, place, hidden = [], 0, 0, ''
    while start := _UNSEEN.search(source, place):
        name, place = start[start.lastindex].lower(), start.end()
        if name.lstrip('/') in _NESTING:
            if not hidden and name[0] != '/':
                pieces.append(source[at:start.start()])
                at, hidden = start.start(), name
            elif name == f'/{hidden}':
                at, hidden = place, ''
        elif name[0] != '/':
            if not (end := _ENDS[name].search(source, start.start() + 2)):
                break
            place = end.end()
            if not hidden:
                pieces.append(source[at:start.start()])
                at = place
    return ''.join((*pieces, source[at:]))


def cut_tags(source: str) -> list[str]:
    """The source cut at its tags: every second item is the name of one."""
    return _TAG.split(source)


def join_tags(pieces: list[str], source: str) -> str | None:
    """The text of what `cut_tags` gave of a source; None where only a parser tells what is text."""
    names = pieces[1::2]
    if has_open_cells(names):
        return None
    try:
        pieces[1::2] = [_MARKS[name] for name in names]
    except KeyError:
        return None
    shown = ''.join(pieces)
    if ('>' in shown and _QUOTED.search(source)) or ('<' in shown and LIKE_TAG.search(shown)):
        return None  # values in quotes that hold < or >
    return unescape(shown) if '&' in shown else shown


def unescape(text: str) -> str:
    """What `html.unescape` gives, which takes 1 us for each entity; the frequent ones are replaced together."""
    for entity, char in _FREQUENT:
        text = text.replace(entity, char)
    ampersands = text.count('&')
    return html.unescape(text) if ampersands != text.count('&amp;') else text.replace('&amp;', '&') if ampersands else text


def tidy(shown: str, has_code: bool) -> str:
    """The text with a blank line between its paragraphs and no space that means nothing."""
    if has_code:
        return '\n\n'.join([part for part in map(_without_blank_ends, shown.split(PARAGRAPH)) if part])
    if '  ' in shown:
        shown = _SPACES.sub(' ', shown)
    paragraphs = [part.strip(' \n\t') for part in shown.split(PARAGRAPH)]
    return '\n\n'.join([_lines_of(part) if '\n' in part else part for part in paragraphs if part])


def _without_blank_ends(part: str) -> str:
    """A paragraph without blank lines at its ends; the indentation of its first line stays."""
    part = part.rstrip(' \n\t')
    first = len(part) - len(part.lstrip(' \n\t'))
    return part[part.rfind('\n', 0, first) + 1:]


def _lines_of(paragraph: str) -> str:
    return '\n'.join([line for line in [line.strip(' \t') for line in paragraph.split('\n')] if line])
