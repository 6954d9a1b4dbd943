"""Expressions over filters, such as 'basic and (su >= 85 or dfn)': parsed to a tree, with the place of a mistake, and decided on columns."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

_TOKEN = re.compile(r'\s*(?:(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?P<percent>\s*%)?|(?P<name>[A-Za-z_]\w*)|(?P<sign>>=|<=|>|<|\(|\)))')
_WORDS = frozenset(('and', 'or', 'not', 'top'))
_COMPARISONS = frozenset(('>=', '>', '<=', '<'))
_MAX_DEPTH = 100


class ExpressionError(ValueError):
    """The text is no expression; the message says where and why."""


@dataclass(frozen=True)
class Named:
    """A filter, or a set of uids, by its name."""

    name: str


@dataclass(frozen=True)
class Compared:
    """A score against a value: `sign` is >=, >, <= or <."""

    score: str
    sign: str
    value: float


@dataclass(frozen=True)
class TopShare:
    """The records with the highest scores, a fraction of those that have one."""

    score: str
    fraction: float


@dataclass(frozen=True)
class Not:
    """The others; a record without a score is among neither."""

    part: Expression


@dataclass(frozen=True)
class All:
    """Records that are in all parts."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class Any:
    """Records that are in any part."""

    parts: tuple[Expression, ...]


Leaf = Named | Compared | TopShare
Expression = Leaf | Not | All | Any


@dataclass(frozen=True)
class _Token:
    kind: str  # number, percent, name, sign or end
    text: str
    start: int


def parse_expression(text: str, filters: Collection[str], scores: Collection[str]) -> Expression:
    """The tree of an expression.

    `not` binds tightest, then `and`, then `or`. A score is compared with a number, or 'top 30%' (or 'top 0.3') takes the highest.

    Args:
        text: the expression; words in any case.
        filters: names of filters and sets.
        scores: names of scores.

    Raises:
        ExpressionError: it is none, or names what there is not.
    """
    return _Parser(text, filters, scores).parse()


class _Parser:
    def __init__(self, text: str, filters: Collection[str], scores: Collection[str]) -> None:
        self._text, self._filters, self._scores = text, filters, scores
        self._tokens = list(self._tokenize())
        self._at = self._depth = 0

    def _tokenize(self):  # noqa: ANN202 - an iterator of tokens
        at = 0
        while self._text[at:].strip():
            match = _TOKEN.match(self._text, at)
            if match is None:
                at += len(self._text[at:]) - len(self._text[at:].lstrip())
                raise self._error(at, f'{self._text[at]!r} means nothing here')
            kind = match.lastgroup if match.lastgroup != 'percent' else 'percent'
            group = 'number' if kind == 'percent' else kind
            yield _Token(kind, match[group], match.start(group))
            at = match.end()
        yield _Token('end', '', len(self._text))

    def _error(self, place: int, what: str) -> ExpressionError:
        return ExpressionError(f'{self._text!r} at position {place + 1}: {what}')

    @property
    def _token(self) -> _Token:
        return self._tokens[self._at]

    def _is(self, *words: str) -> bool:
        return self._token.text.lower() in words and self._token.kind in ('name', 'sign')

    def _take(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _found(self) -> str:
        return f'found {self._token.text!r}' if self._token.kind != 'end' else 'it ends there'

    def parse(self) -> Expression:
        found = self._any()
        if self._token.kind != 'end':
            raise self._error(self._token.start, "a ')' without its '('" if self._is(')') else f"expected 'and' or 'or', {self._found()}")
        return found

    def _any(self) -> Expression:
        return self._joined(self._all, 'or', Any)

    def _all(self) -> Expression:
        return self._joined(self._not, 'and', All)

    def _joined(self, part: Callable[[], Expression], word: str, make: type) -> Expression:
        parts = [part()]
        while self._is(word):
            self._take()
            parts.append(part())
        return parts[0] if len(parts) == 1 else make(tuple(parts))

    def _not(self) -> Expression:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._error(self._token.start, f'more than {_MAX_DEPTH} levels of brackets')
        try:
            if self._is('not'):
                self._take()
                return Not(self._not())
            if self._is('('):
                opened = self._take()
                found = self._any()
                if not self._is(')'):
                    raise self._error(self._token.start, f"expected ')' for the '(' at position {opened.start + 1}, {self._found()}")
                self._take()
                return found
            return self._leaf()
        finally:
            self._depth -= 1

    def _leaf(self) -> Leaf:
        if self._token.kind != 'name' or self._token.text.lower() in _WORDS:
            raise self._error(self._token.start, f'expected the name of a filter or of a score, {self._found()}')
        token = self._take()
        name = token.text.lower() if token.text not in self._filters else token.text
        if self._is(*_COMPARISONS, 'top'):
            if name not in self._scores:
                raise self._error(token.start, f'{token.text} is no score{self._hint(name, self._scores)}')
            return self._top(name) if self._is('top') else Compared(name, self._take().text, self._number()[0])
        if name in self._filters:
            return Named(name)
        if name in self._scores:
            raise self._error(self._token.start, f"the score {token.text} needs a value, as in '{token.text} >= 85' or '{token.text} top 30%'")
        raise self._error(token.start, f'{token.text} is no filter{self._hint(name, [*self._filters, *self._scores])}')

    def _top(self, name: str) -> TopShare:
        self._take()
        place = self._token.start
        value, is_percent = self._number()
        fraction = value / 100 if is_percent else value
        if not 0 <= fraction <= 1:
            raise self._error(place, f"a share is 0 to 1, or 0% to 100%: {value:g}{'%' if is_percent else ''} is none")
        return TopShare(name, fraction)

    def _number(self) -> tuple[float, bool]:
        if self._token.kind not in ('number', 'percent'):
            raise self._error(self._token.start, f'expected a number, {self._found()}')
        token = self._take()
        return float(token.text), token.kind == 'percent'

    @staticmethod
    def _hint(name: str, names: Collection[str]) -> str:
        close = difflib.get_close_matches(name, sorted(names), 1, 0.6)
        return f'; did you mean {close[0]}?' if close else f"; there are {', '.join(sorted(names))}" if names else ''


def leaves(expression: Expression) -> list[Leaf]:
    """All leaves, in the order in which they stand, each once."""
    if isinstance(expression, (All, Any)):
        return list(dict.fromkeys(leaf for part in expression.parts for leaf in leaves(part)))
    return leaves(expression.part) if isinstance(expression, Not) else [expression]


TRUE, FALSE, UNKNOWN = np.int8(1), np.int8(-1), np.int8(0)


def decide(expression: Expression, verdict: Callable[[Leaf], np.ndarray]) -> np.ndarray:
    """What an expression says of records: int8, TRUE, FALSE, or UNKNOWN where it hangs on a score that is missing.

    Args:
        expression: the tree.
        verdict: gives the same of a leaf.
    """
    if isinstance(expression, Not):
        return -decide(expression.part, verdict)
    if isinstance(expression, (All, Any)):
        join = np.minimum if isinstance(expression, All) else np.maximum
        return join.reduce([decide(part, verdict) for part in expression.parts])
    return verdict(expression)
