"""Expressions over filters: their trees, their mistakes, and what they say."""

import itertools

import numpy as np
import pytest

from transforms.image_text.expression import (
    All,
    Any,
    Compared,
    ExpressionError,
    Named,
    Not,
    TopShare,
    decide,
    leaves,
    parse_expression,
)

FILTERS, SCORES = ('basic', 'dfn', 'MySet', 'no_filter'), ('su', 'itm', 'b32', 'dfn_score')
BASIC, DFN, SU = Named('basic'), Named('dfn'), Compared('su', '>=', 85.0)


@pytest.mark.parametrize(('text', 'tree'), [
    ('basic', BASIC), ('su>=85', SU), (' Basic  AND(su >= 85 or DFN) ', All((BASIC, Any((SU, DFN))))),
    ('basic and su>=85 or dfn', Any((All((BASIC, SU)), DFN))), ('not not basic', Not(Not(BASIC))), ('not basic and dfn', All((Not(BASIC), DFN))),
    ('MySet', Named('MySet')), ('b32 < -.5e-1', Compared('b32', '<', -0.05)), ('b32 top 30%', TopShare('b32', 0.3)), ('b32 top 0.3', TopShare('b32', 0.3)),
    ('itm>66and su<=5', All((Compared('itm', '>', 66.0), Compared('su', '<=', 5.0)))), ('((basic))', BASIC), ('b32 top 0', TopShare('b32', 0.0))])
def test_trees(text, tree):
    assert parse_expression(text, FILTERS, SCORES) == tree


@pytest.mark.parametrize(('text', 'message'), [
    ('', "'' at position 1: expected the name of a filter or of a score, it ends there"),
    ('basic and', 'at position 10: expected the name of a filter or of a score, it ends there'),
    ('basic and )', "at position 11: expected the name of a filter or of a score, found ')'"),
    ('(basic', "at position 7: expected ')' for the '(' at position 1, it ends there"), ('basic)', "at position 6: a ')' without its '('"),
    ('basic dfn', "at position 7: expected 'and' or 'or', found 'dfn'"), ('basik', 'at position 1: basik is no filter; did you mean basic?'),
    ('basic and zz9', 'at position 11: zz9 is no filter; there are MySet, b32'), ('su', "at position 3: the score su needs a value, as in 'su >= 85'"),
    ('su >=', 'at position 6: expected a number, it ends there'), ('su >= high', "at position 7: expected a number, found 'high'"),
    ('dfnscore > 1', 'at position 1: dfnscore is no score; did you mean dfn_score?'), ('basic > 1', 'basic is no score; there are b32, dfn_score'),
    ('su == 5', "at position 4: '=' means nothing here"), ('basic & dfn', "at position 7: '&' means nothing here"),
    ('b32 top 150%', 'at position 9: a share is 0 to 1, or 0% to 100%: 150% is none'), ('b32 top 30', '30 is none'),
    ('(' * 200 + 'basic', 'more than 100 levels'), ('not ' * 5000 + 'basic', 'more than 100 levels'), ('basic and and', "found 'and'")])
def test_mistakes_have_their_place(text, message):
    with pytest.raises(ExpressionError) as caught:
        parse_expression(text, FILTERS, SCORES)
    assert message in str(caught.value)


def test_leaves_come_once_in_order():
    assert leaves(parse_expression('(su>=85 or basic) and not (basic or b32 top 5%) and su >= 85.0', FILTERS, SCORES)) == [SU, BASIC, TopShare('b32', 0.05)]


def test_decisions_are_those_of_three_valued_logic():
    """A record without a score is false under `not` too, unless another part decides."""
    values = {'a': [], 'b': []}
    for a, b in itertools.product((1, -1, 0), repeat=2):
        values['a'].append(a)
        values['b'].append(b)
    columns = {name: np.array(column, np.int8) for name, column in values.items()}
    known = {1: True, -1: False, 0: None}
    texts = {'a and b': lambda a, b: False if a is False or b is False else None if None in (a, b) else True,
             'a or b': lambda a, b: True if a or b else None if None in (a, b) else False, 'not a': lambda a, b: None if a is None else not a,
             'a and not (a or b)': lambda a, b: None if a is None and not b else False}
    for text, expected in texts.items():
        found = decide(parse_expression(text, ('a', 'b'), ()), lambda leaf: columns[leaf.name])
        assert [known[value] for value in found.tolist()] == [expected(known[a], known[b]) for a, b in zip(values['a'], values['b'], strict=True)], text
