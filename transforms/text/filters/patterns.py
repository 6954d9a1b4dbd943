"""Patterns from strangers' YAML, run by RE2: in linear time, whatever they are."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import re2

from transforms.text.document import Document

_WORD = r'\pL\pM\pN_'
_CLASSES = {'w': _WORD, 'd': r'\p{Nd}', 's': r'\t\n\v\f\r\x{1c}-\x{1f} \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}'}
_PUNCTUATION, _SPECIAL = frozenset('!"#$%&\',-/:;<=>@_`~.^*+?|(){}[]\\'), frozenset('.^$*+?|(){}[]\\')
_PIECE = re.compile(r'\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.', re.DOTALL)  # an escape, a class, or a character
_REPEAT = re.compile(r'[*+?]\??|\{[0-9]*,?[0-9]*\}\??')
_FLAGS = re.compile(r'^\(\?[ims]+\)')


def in_unicode(pattern: str) -> str:
    r"""A pattern of Python's `re` whose \w, \d, \s and \b mean Unicode, as RE2 takes it (there they are ASCII).

    A \b may stand at the beginning and the end of a pattern.

    Raises:
        ValueError: RE2 has no form for it; the message says what it is.
    """
    flags = _FLAGS.match(pattern)
    head, body = (flags[0], pattern[flags.end():]) if flags else ('', pattern)
    if re.match(r'\\b(?:\\?[!-/:-@\[-^`{-~])', body) and body[2:4] != r'\b' and body[2:3] not in '([.' and not re.match(r'\\[wdsWDS]', body[2:]):
        raise ValueError('it begins with \\b before a character that is none of a word, where it would want a letter before: leave the \\b out')
    begins, ends = body.startswith(r'\b'), len(body) > 2 and body.endswith(r'\b') and not body.endswith(r'\\b')
    body = body[2 if begins else 0:-2 if ends else None]
    out, position, in_class, depth = [], 0, False, 0
    while position < len(body):
        char = body[position]
        if char == '\\' and position + 1 < len(body):
            name = body[position + 1]
            out.append(_rewritten(name, in_class))
            position += 2
            continue
        if char == '[' and not in_class:
            in_class = True
            # A bracket right behind the opening one stands for itself.
            for literal in ('[^]', '[]'):
                if body.startswith(literal, position):
                    out.append(literal[:-1] + r'\]')
                    position += len(literal)
                    break
            else:
                out.append(char)
                position += 1
            continue
        if char == ']' and in_class:
            in_class = False
        if not in_class:
            depth += (char == '(') - (char == ')')
            if char == '|' and not depth and (begins or ends):
                raise ValueError('it has alternatives, and \\b at its beginning or end belongs to one of them: put them in parentheses')
        out.append(r'\[' if char == '[' and in_class else char)
        position += 1
    inner = ''.join(out)
    if begins or ends:
        inner = f'(?:{inner})'
    return head + (f'(?:^|[^{_WORD}])' if begins else '') + inner + (f'(?:$|[^{_WORD}])' if ends else '')


def _rewritten(name: str, in_class: bool) -> str:
    if name.lower() in _CLASSES:
        inner = _CLASSES[name.lower()]
        if name.islower():
            return inner if in_class else f'[{inner}]'
        if in_class:
            raise ValueError(f'\\{name} within brackets has no form in RE2 that knows Unicode: write the characters out')
        return f'[^{inner}]'
    if name in 'bB' and not in_class:
        raise ValueError(f'\\{name} stands in the middle of it, where RE2 knows ASCII only: '
                         'it may stand at the beginning and the end of a pattern; split the pattern, or list words as exclude_keywords')
    if name.isdigit() and name != '0':
        raise ValueError(f'it refers back to a group (\\{name}), which no engine does in linear time')
    return f'\\{name}'


def compile_pattern(pattern: str) -> Any:
    """The pattern, compiled by RE2, for `search` in UTF-8.

    Raises:
        ValueError: it is no pattern, or one that cannot be run in linear time; the message says why.
    """
    try:
        with warnings.catch_warnings(action='ignore') if sys.version_info >= (3, 11) else nullcontext():
            re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f'the pattern {pattern!r} is not valid: {error}') from None
    if found := re.search(r'\(\?(?:<?[=!])', re.sub(r'\\.', '', pattern)):
        raise ValueError(f'the pattern {pattern!r} looks around ({found[0]}...), which no engine does in linear time')
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(in_unicode(pattern), options)
    except ValueError as error:
        raise ValueError(f'the pattern {pattern!r} is refused: {error}') from None
    except re2.error as error:
        text = error.args[0] if error.args else error
        text = text.decode() if isinstance(text, bytes) else str(text)
        raise ValueError(f'the pattern {pattern!r} is refused by RE2, which runs in linear time: {text}') from None


def required_literal(pattern: str) -> str:
    """The longest run of punctuation that whatever a pattern matches must hold; '' where none is seen at once.

    Nearly no document holds `!!!!!`, and to look for it takes a hundredth of what a pattern does.
    """
    flags = _FLAGS.match(pattern)
    position, depth, best, run = flags.end() if flags else 0, 0, '', ''
    while position < len(pattern):
        piece = _PIECE.match(pattern, position)[0]
        position += len(piece)
        depth += (piece == '(') - (piece == ')')
        if piece == '|' and not depth:
            return ''
        is_plain = not depth and (piece[0] == '\\' or piece not in _SPECIAL) and piece[0] != '['
        literal = piece[-1] if is_plain and piece[-1] in _PUNCTUATION else ''
        repeat = _REPEAT.match(pattern, position)
        if literal and (not repeat or repeat[0][0] == '+'):
            run += literal
            best = max(best, run, key=len)
        if repeat:
            position = repeat.end()
        if repeat or not literal:
            run = ''
    return best


@dataclass(frozen=True)
class JunkPattern:
    """Measure: the first of the patterns that is found in a document, as it is written in the YAML; '' for none.

    Raises:
        ValueError: as of `compile_pattern`.
    """

    patterns: tuple[str, ...]

    def __post_init__(self) -> None:
        _ = self._compiled, self._any_other

    @cached_property
    def _compiled(self) -> Sequence[tuple[str, str, Any]]:
        return [(pattern, required_literal(pattern), compile_pattern(pattern)) for pattern in self.patterns]

    @cached_property
    def _any_other(self) -> Any:
        """Says in one pass of the text whether any of those is found that need no literal; None where that saves nothing, or RE2 has no room."""
        options = re2.Options()
        options.log_errors = False
        options.max_mem = 64 << 20
        others = [pattern for pattern, literal, _ in self._compiled if not literal]
        joined = re2.Set.SearchSet(options)
        for pattern in others:
            joined.Add(in_unicode(pattern))
        if len(others) < 2:
            return None
        try:
            joined.Compile()
        except re2.error:
            return None
        return joined

    def __getstate__(self) -> dict:
        return {'patterns': self.patterns}

    def __setstate__(self, state: dict) -> None:
        object.__setattr__(self, 'patterns', state['patterns'])

    def __call__(self, document: Document) -> str:
        text, others = document.text, self._any_other
        if others is not None and not any(literal and literal in text for _, literal, _ in self._compiled) and not others.Match(document.data):
            return ''
        return next((pattern for pattern, literal, compiled in self._compiled if literal in text and compiled.search(document.data)), '')
