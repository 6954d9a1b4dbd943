"""ScoreThreshold against plain decisions in memory, over rules, ties, groups, sizes of blocks, and kinds of scores."""

import base64
import json
import math
import os
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from tests.conftest import shared
from tests.helpers import ROOT
from tests.test_docs import blocks
from transforms.keys import pack, score_threshold
from transforms.keys.score_rules import (
    Above,
    AtLeast,
    Between,
    Buckets,
    Fraction,
    Percentiles,
    Top,
    reason_of,
)
from transforms.keys.score_threshold import KeyedScore, ScoreThreshold, UnitScores, group_key
from transforms.keys.score_values import parse_score, score_values
from transforms.run.run import Run


@pytest.fixture
def run(tmp_path):
    return Run('decide', '', str(tmp_path), str(tmp_path / 'work'))


@pytest.fixture
def small(monkeypatch):
    """Blocks of a few keys, and groups that are decided by selection."""
    monkeypatch.setattr(pack, '_HELD_BYTES', 500)
    monkeypatch.setattr(score_threshold, '_AT_ONCE', 60)


def decide(rule, run, elements, units=(0, 1, 2), **settings):
    """({unit: {row: label}}, {group: (count, above, values)})."""
    return decide_each([rule], run, elements, units, **settings)[0]


def decide_each(rules, run, elements, units=(0, 1, 2), **settings):
    """The same for several rules, in one pipeline."""
    path = Path(run.output) / 'kept'
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        made = pipeline | beam.Create(elements, reshuffle=False)
        for i, rule in enumerate(rules):
            found = made | f'Decide {i}' >> ScoreThreshold(rule, run=run, units=units, **settings)
            found.main | f'Labels {i}' >> beam.MapTuple(lambda unit, labels, i=i: keep(path, (i, unit, labels.all(run).tolist())))
            found.cuts | f'Cuts {i}' >> beam.Map(lambda cuts, i=i: keep(path, (i, cuts)))
    answers = [({}, {}) for _ in rules]
    for line in path.read_bytes().splitlines():
        i, *answer = pickle.loads(base64.b64decode(line))
        labels, cuts = answers[i]
        if len(answer) == 2:
            labels[answer[0]] = dict(answer[1])
            continue
        arrays = (getattr(answer[0], name).tolist() for name in ('groups', 'counts', 'above', 'values'))
        for group, *rest in zip(*arrays, strict=True):
            assert group not in cuts
            cuts[group] = tuple(rest)
    path.unlink()
    return answers


def keep(path, element):
    with path.open('ab') as target:
        target.write(base64.b64encode(pickle.dumps(element)) + b'\n')


def plain(rule, scored):
    """What `decide` gives, from (unit, row, score, group, tie) of valid scores: sorted lists, one after the other."""
    labels, cuts = {}, {}
    for group in {one[3] for one in scored}:
        order = sorted((one for one in scored if one[3] == group), key=lambda one: (-one[2], one[4], one[0], one[1]))
        count, passed, above, values, tied = len(order), [0] * len(order), [], [], set()
        for border in rule.borders(np.array([count]))[0].tolist():
            tied = set()
            if 0 < border < count and order[border - 1][2] == order[border][2]:
                score = order[border][2]
                tied = {score} if rule.ties != 'all' else set()
                if rule.ties == 'all':
                    border = sum(one[2] >= score for one in order)
                elif rule.ties == 'none':
                    border = sum(one[2] > score for one in order)
            passed = [j + (i >= border) for i, j in enumerate(passed)]
            above.append(border)
            values.append(order[border - 1][2] if border else None)
        for one, j in zip(order, passed, strict=True):
            label = rule.labels[j]
            labels.setdefault(one[0], {})[one[1]] = -3 if label == -1 and one[2] in tied else label
        cuts[group] = (count, above, values)
    return labels, cuts


def made(kind, groups, seed=0):
    chance = np.random.default_rng(seed)
    elements, scored = [], []
    for unit in range(3):
        count = int(chance.integers(50, 120))
        scores = {'random': chance.normal(size=count), 'few': chance.integers(0, 4, count) - 1.5, 'equal': np.full(count, -0.25),
                  'odd': chance.choice([0.0, -0.0, math.inf, -math.inf, 1e-310, -5.0], count)}[kind]
        group = chance.integers(0, groups, count).astype(np.uint64)
        tie = chance.integers(0, 2, count).astype(np.uint64) if seed else np.zeros(count, np.uint64)
        rows = chance.permutation(count)
        scored += zip([unit] * count, rows.tolist(), scores.tolist(), group.tolist(), tie.tolist(), strict=True)
        for start in range(0, count, 17):
            some = slice(start, start + 17)
            elements.append(UnitScores(unit, rows[some], scores[some], group[some], tie[some]))
    return [elements[i] for i in chance.permutation(len(elements))], scored


def same(found, expected):
    cuts = {group: (count, above, [None if math.isnan(value) else value for value in values]) for group, (count, above, values) in found[1].items()}
    assert cuts == expected[1]
    assert found[0] == {unit: dict(sorted(rows.items())) for unit, rows in expected[0].items()}


RULES = [Top(40), Top(0), Top(10_000), Top(7, 'all'), Top(7, 'none'), Fraction(0.3), Fraction(1.0), Fraction(0, preset='original'),
         Percentiles(10, 90), Percentiles(30, 60, 'none'), Buckets(10), Buckets(3, 'all'), Buckets(4, 'none')]
KINDS = {'random': 1, 'few': 3, 'equal': 1, 'odd': 40}


@pytest.mark.parametrize(('kind', 'keys'), [('random', 1), ('equal', 1), ('few', 1), ('few', 600), ('odd', 600)])
def test_places_in_small_blocks(run, small, kind, keys):
    elements, scored = made(kind, KINDS[kind])
    for rule, found in zip(RULES, decide_each(RULES, run, elements, keys=keys), strict=True):
        same(found, plain(rule, scored))


@pytest.mark.parametrize('kind', ['few', 'odd'])
def test_places_in_large_blocks_with_ranks_among_ties(run, kind):
    elements, scored = made(kind, KINDS[kind], seed=1)
    for rule, found in zip(RULES, decide_each(RULES, replace(run, inline_blocks=True), elements), strict=True):
        same(found, plain(rule, scored))


def test_the_order_of_elements_and_their_sizes_change_nothing(run, small):
    elements, scored = made('few', 5)
    one_by_one = [UnitScores(unit, np.array([row]), np.array([score]), group) for unit, row, score, group, _ in reversed(scored)]
    assert decide(Fraction(0.5), run, elements) == decide(Fraction(0.5), run, one_by_one)


def test_values(run):
    scores = UnitScores(0, np.arange(5), np.array([0.2, 0.3, 0.31, 0.8, 0.9]))
    for rule, kept in ((AtLeast(0.3), [1, 2, 3, 4]), (Above(0.3), [2, 3, 4]), (Between(0.3, 0.8), [1, 2, 3]), (AtLeast(0), [0, 1, 2, 3, 4]),
                       (Between(0.3, 0.8, above=True, below=True), [2]), (Between(high=0.25), [0])):
        labels, cuts = decide(rule, run, [scores], (0, 7))
        assert [row for row, label in labels[0].items() if label == 0] == kept
        assert (labels[7], cuts) == ({}, {})
    assert {row: reason_of(label) for row, label in decide(Between(0.3, 0.8), run, [scores])[0][0].items() if label} == {
        0: 'score_too_low', 4: 'score_too_high'}


def test_a_threshold_is_compared_in_the_type_of_the_scores(run):
    assert float(np.float32(0.3)) > 0.3  # so as float64 it is above, and as float32 it equals
    for kind, kept in ((np.float32, [1]), (np.float64, [1]), (np.int64, [0, 1])):
        value = 0.3 if kind is not np.int64 else -0.5
        rule = AtLeast(value)
        scores = UnitScores(0, np.arange(2), np.array([0, 0.3]).astype(kind))
        assert [row for row, label in decide(rule, run, [scores])[0][0].items() if not label] == kept
    above = decide(Above(0.3), run, [UnitScores(0, np.arange(2), np.array([0.3, 0.4], np.float32))])
    assert above[0][0] == {0: -1, 1: 0}


def test_scores_that_are_none_have_a_reason_and_count_for_nothing(run):
    texts = UnitScores(0, np.arange(6), pa.array(['85', None, '85.0', '90,', 'ninety', '']))
    numbers = UnitScores(1, np.arange(4), pa.array([math.nan, None, 10, 95], pa.float32()))
    labels, cuts = decide(Fraction(0.5), run, [texts, numbers])
    assert {(unit, row): reason_of(label) if label < 0 else 'kept' for unit, rows in labels.items() for row, label in rows.items()} == {
        (0, 0): 'score_too_low', (0, 1): 'score_missing', (0, 2): 'score_unparsable', (0, 3): 'kept', (0, 4): 'score_unparsable',
        (0, 5): 'score_unparsable', (1, 0): 'score_nan', (1, 1): 'score_missing', (1, 2): 'score_too_low', (1, 3): 'kept'}
    assert cuts == {0: (4, [2], [90.0])}
    labels, cuts = decide(AtLeast(85), run, [texts, numbers])
    assert [row for row, label in labels[0].items() if label == 0] == [0, 3]


def test_records_one_by_one_in_named_groups(run):
    scores = [KeyedScore(unit, row, None if row == 3 else float(row * (unit + 1)), group)
              for unit in range(3) for row in range(10) for group in [f'web {unit % 2}']]
    labels, cuts = decide(Top(2), run, scores)
    assert {unit: [row for row, label in rows.items() if label == 0] for unit, rows in labels.items()} == {0: [], 1: [8, 9], 2: [8, 9]}
    assert cuts == {group_key('web 0'): (18, [2], [24.0]), group_key('web 1'): (9, [2], [16.0])}


def test_the_published_parser_on_odd_texts():
    cases = json.loads((shared('golden/image_text') / 'golden_above_threshold_decision.json').read_text())
    assert len(cases) == 30
    for case in cases:
        number = parse_score(case['text'])
        assert (number is not None and number >= 85) == case['ge85'], case
    assert [parse_score(text) for text in ('9' * 400, '-' + '9' * 400, '9' * 5000, '9' * 100_000, 'nan', 'inf', '1\x00')] == [
        math.inf, -math.inf, None, None, None, None, None]


@pytest.mark.parametrize(('scores', 'message'), [
    (np.array([True]), 'scores are bool, they must be numbers or texts'),
    (pa.array([2**53 + 1]), 'scores are int64, and not all can be float64'),
    (pa.array([[1.0]]), 'scores are list<item: double>, they must be numbers or texts')])
def test_what_is_no_score_is_refused(scores, message):
    with pytest.raises(TypeError, match=message):
        score_values(scores)


def test_other_types_of_numbers():
    decimals = pa.array([1, None], pa.decimal128(5, 2))
    for scores in (decimals, pa.array(['1', None]).dictionary_encode(), pa.chunked_array([['1'], [None]]), pa.array([1, None], pa.uint8())):
        values, labels, _ = score_values(scores)
        assert (values.tolist(), labels.tolist()) == ([1.0, 0.0], [0, -4])
    assert score_values(pa.nulls(2))[1].tolist() == [-4, -4]


@pytest.mark.parametrize(('make', 'message'), [
    (lambda: Between(math.nan), 'NaN'), (lambda: Between(3, 2), 'no score lies between 3 and 2'), (lambda: Between(2, 2, above=True), 'no score'),
    (lambda: Top(-1), 'n is -1'), (lambda: Top(2.5), 'n is 2.5'), (lambda: Fraction(1.5), 'fraction is 1.5, it must be 0 to 1'),
    (lambda: Fraction(math.nan), 'fraction is nan'), (lambda: Fraction(0.5, 'none', preset='original'), 'keeps all ties'),
    (lambda: Fraction(0.5, preset='datacomp'), "preset is 'datacomp'"), (lambda: Percentiles(90, 10), 'low is 90, it must be at most high'),
    (lambda: Percentiles(5, 101), 'high is 101'), (lambda: Buckets(1), 'n is 1'), (lambda: Top(1, 'first'), "ties is 'first'")])
def test_wrong_rules(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_fraction_is_that_of_people_not_of_binary_numbers():
    assert [Fraction(f).borders(np.array([100]))[0, 0] for f in (0, 0.29, 0.5, 1)] == [0, 29, 50, 100]
    assert [Fraction(f, preset='original').borders(np.array([100]))[0, 0] for f in (0, 0.29, 1)] == [1, 29, 100]  # int(100 * 0.29) is 28
    assert Buckets(3).borders(np.array([0, 1, 2, 7])).tolist() == [[0, 0], [0, 0], [0, 1], [2, 4]]


def test_a_record_that_comes_twice_is_refused(run):
    twice = UnitScores(0, np.array([3, 3]), np.array([1.0, 2.0]))
    with pytest.raises(Exception, match='a record came twice'):
        decide(Top(2), run, [twice])


def test_the_example_of_the_docs(tmp_path):
    (_, code), = blocks((ROOT / 'docs' / 'image_text.md').read_text(encoding='utf-8'), 'python')
    done = subprocess.run([sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True, check=True, env={**os.environ, 'PYTHONPATH': str(ROOT)})
    expected = re.findall(r'# (.*)', code)[1:]
    assert sorted(done.stdout.splitlines()) == sorted(expected)
