"""ReservoirSample: exactly n, equally likely or by weight, and the same elements however a pipeline runs."""

import itertools
import json
import math
import random
from collections import Counter

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from tests.conftest import shared
from transforms.keys.ranks import checked_weight, rank_of, rank_secret, weighted_rank
from transforms.keys.reservoir_sample import ReservoirSample, _Candidates
from transforms.run.run import Run

SEEDS = 20_000


def drawn(ids, n, seed, weights=None, group=''):
    """The sample that the ranks make, as anybody would write it down."""
    secret = rank_secret(seed, group)
    ranks = [(weighted_rank(rank, weight), rest, one) if weights else (rank, rest, one)
             for one, weight in zip(ids, weights or itertools.repeat(1.0), strict=False) for rank, rest in [rank_of(one, secret)] if weight]
    return sorted(one for _, _, one in sorted(ranks)[:n])


def chi_square(observed: Counter, probabilities: dict, total: int) -> float:
    """The statistic by its mean and deviation where the probabilities hold: about normal."""
    degrees = len(probabilities) - 1
    value = sum((observed[key] - p * total) ** 2 / (p * total) for key, p in probabilities.items())
    return (value - degrees) / math.sqrt(2 * degrees)


def sampled(tmp_path, elements, n, repeats=1, **more):
    """The sample of a pipeline."""
    found = []
    (tmp_path / 'work').mkdir(exist_ok=True)
    run = Run('sample', '', str(tmp_path), str(tmp_path / 'work'))
    with beam.Pipeline(runner=FnApiRunner(bundle_repeat=repeats)) as pipeline:
        created = pipeline | beam.Create(elements, reshuffle=more.pop('reshuffle', True))
        sample = created | ReservoirSample(n, run=run, id_fn=more.pop('id_fn', lambda element: element['id']), **more)
        sample | beam.Map(json.dumps) | beam.combiners.ToList() | beam.Map(sorted) | beam.io.Write(_To(tmp_path / 'found'))
    found = json.loads((tmp_path / 'found').read_text())
    return sorted((json.loads(one) for one in found), key=lambda element: element['id'])


class _To(beam.PTransform):
    def __init__(self, path):
        super().__init__()
        self._path = str(path)

    def expand(self, values):
        return values | beam.Map(lambda value, path: open(path, 'w').write(json.dumps(value)), self._path)


def test_any_pair_is_equally_likely():
    pairs = Counter(tuple(drawn(range(7), 2, seed)) for seed in range(SEEDS))
    assert abs(chi_square(pairs, dict.fromkeys(itertools.combinations(range(7), 2), 1 / 21), SEEDS)) < 4


def test_any_element_is_equally_likely_whatever_its_id():
    ids = [f'file.jsonl:{row}' for row in range(40)]
    counts = Counter(one for seed in range(4_000) for one in drawn(ids, 10, seed))
    p = 10 / 40
    value = sum((counts[one] - 4_000 * p) ** 2 for one in ids) / (4_000 * p * (1 - p)) * 39 / 40
    assert sum(counts.values()) == 40_000 and abs(value - 39) < 4 * math.sqrt(2 * 39)


CASES = [case for line in (shared('peer_cases') / 'reservoir_exact.jsonl').read_text().splitlines() if 'expected' in (case := json.loads(line))]


@pytest.mark.parametrize('case', CASES, ids=lambda case: case['id'])
def test_weights_against_exact_probabilities(case):
    weights, n = [float(weight) for weight in case['input']['weights']], case['params']['k']
    samples = Counter(tuple(drawn(range(len(weights)), n, seed, weights)) for seed in range(SEEDS))
    exact = {tuple(map(int, key.split(','))): p for key, p in case['expected']['sample_probability'].items()}
    assert set(samples) <= set(exact) and abs(chi_square(samples, exact, SEEDS)) < 4


def test_a_weight_of_nothing_is_never_drawn_and_a_huge_one_always():
    for seed in range(300):
        assert drawn('abcd', 2, seed, [0.0, 1e-300, 1e300, 1.0])[1:] != ['a'] and 'c' in drawn('abcd', 2, seed, [0.0, 1e-300, 1e300, 1.0])
    assert drawn('abcd', 9, 1, [0.0, 1.0, 0.0, 1.0]) == ['b', 'd']


@pytest.mark.parametrize('weight', [-1, float('nan'), float('inf'), None, '1'])
def test_weights_that_are_none(weight):
    with pytest.raises(ValueError, match='a weight is'):
        checked_weight(weight)


def test_ranks_of_weights_keep_their_order_to_the_ends():
    ranks = [0, 1, 1 << 20, 1 << 63, (1 << 64) - 5000, (1 << 64) - 1]
    for weight in (5e-324, 1e-9, 1.0, 1e308):
        found = [weighted_rank(rank, weight) for rank in ranks]
        assert found == sorted(found) and max(found) < 1 << 64


@pytest.mark.parametrize('n', [0, 1, 17, 500, 1000, 2000])
def test_a_pipeline_draws_by_the_ranks(tmp_path, n):
    elements = [{'id': f'é{i}', 'text': 'x' * i} for i in range(1000)]
    random.Random(n).shuffle(elements)
    found = sampled(tmp_path, elements, n, seed=3)
    assert [element['id'] for element in found] == drawn([element['id'] for element in elements], n, 3)
    assert all(element['text'] == 'x' * int(element['id'][1:]) for element in found)


def test_the_same_however_it_runs(tmp_path):
    elements = [{'id': i, 'w': i % 13} for i in range(3000)]
    more = {'weight_fn': lambda element: element['w'], 'seed': 9}
    first = sampled(tmp_path, elements, 100, **more)
    assert [element['id'] for element in first] == drawn(range(3000), 100, 9, [float(i % 13) for i in range(3000)])
    for repeats, shuffled in ((3, True), (1, False)):
        assert sampled(tmp_path, elements[::-1], 100, repeats, reshuffle=shuffled, **more) == first


def test_groups_have_samples_of_their_own(tmp_path):
    elements = [{'id': i, 'g': 'abc'[i % 3]} for i in range(900)]
    found = sampled(tmp_path, elements, {'a': 5, 'b': 1000}, group_fn=lambda element: element['g'], seed=1)
    assert Counter(element['g'] for element in found) == {'a': 5, 'b': 300}
    assert [element['id'] for element in found if element['g'] == 'a'] == drawn(range(0, 900, 3), 5, 1, group='a')
    assert sampled(tmp_path, [], 5) == []


def test_equal_ids_are_refused(tmp_path):
    with pytest.raises(Exception, match='have the same id'):
        sampled(tmp_path, [{'id': i % 50} for i in range(100)], 60)
    with pytest.raises(Exception, match='an id is NoneType'):
        sampled(tmp_path, [{'id': None}], 1)
    with pytest.raises(ValueError, match='n is -1'):
        ReservoirSample(-1, run=Run('sample', '', '', ''), id_fn=str)


def test_few_ranks_are_held_and_few_elements_wait():
    candidates, chance, taken = _Candidates(100), random.Random(1), 0
    for _ in range(200_000):
        taken += candidates.take(chance.getrandbits(64), 0)
        assert len(candidates._ranks) <= 2 * 100 + 4096
    assert len(candidates.finish()) == 100 and taken < 30_000


def test_ids_of_several_types_differ():
    assert len({rank_of(one, b'k') for one in (1, '1', b'1')}) == 3


def test_windows_and_numbers_that_are_none_are_refused(tmp_path):
    run = Run('sample', '', str(tmp_path), str(tmp_path))
    for n in (2.5, True, '3', None):
        with pytest.raises(TypeError, match='it must be an integer'):
            ReservoirSample(n, run=run, id_fn=str)
    with pytest.raises(ValueError, match='leaves no windows'):
        beam.Pipeline(runner=FnApiRunner()) | beam.Create([1]) | beam.WindowInto(beam.window.FixedWindows(5)) | ReservoirSample(1, run=run, id_fn=int)
    assert ReservoirSample(np.int64(3), run=run, id_fn=str).wanted('') == 3 and checked_weight(np.float32(0.5)) == 0.5
