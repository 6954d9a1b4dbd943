"""Quotas by largest remainder: exact sums, the published plan's floors, and what entries lack given by others."""

import csv
import json
import random
from collections import Counter
from fractions import Fraction

import pytest

from options.text import load_config
from tests.conftest import shared
from transforms.text_mix.sampling.quotas import fill_up, largest_remainder

FOLDER = shared('golden') / 'text_mix'
PLANS = json.loads((FOLDER / 'golden_sampling_plans.json').read_text())


@pytest.mark.parametrize('name', [name for name in PLANS if (FOLDER / f"{name.partition('@')[0]}.datasets.jsonl").exists()])
def test_the_published_plans_are_our_floors(name):
    config, _, total = name.partition('@')
    entries = [json.loads(line) for line in (FOLDER / f'{config}.datasets.jsonl').read_text().splitlines()]
    weights, planned = [entry['weight'] for entry in entries], PLANS[name]['per_entry']
    assert [(entry['name'], entry.get('config'), entry.get('subset')) for entry in entries] == [tuple(entry[:3]) for entry in planned]
    quotas, whole = largest_remainder(int(total), weights), sum(map(Fraction, weights))
    assert sum(quotas) == int(total)
    for quota, weight, (*_, target) in zip(quotas, weights, planned, strict=True):
        share = Fraction(weight) * int(total) / whole
        assert target <= quota <= target + 1
        assert target in (int(share), round(share)), 'the published program truncates in floating point'


def test_remainders_decide_and_equal_ones_go_to_the_first():
    assert largest_remainder(10, [1, 1, 1]) == [4, 3, 3]
    assert largest_remainder(7, [0.1, 0, 0.2, 0.7]) == [1, 0, 1, 5]
    assert largest_remainder(0, [0, 0]) == [0, 0]
    with pytest.raises(ValueError, match='no entry has a weight'):
        largest_remainder(1, [0.0])


def test_sums_are_exact_whatever_the_weights():
    chance = random.Random(4)
    for _ in range(300):
        weights = [chance.choice([0.0, chance.random(), 10 ** chance.uniform(-12, 6)]) for _ in range(chance.randint(1, 60))] + [0.1]
        total = chance.choice([0, 1, 7, 10**4, 10**12])
        quotas = largest_remainder(total, weights)
        whole = sum(map(Fraction, weights))
        assert sum(quotas) == total and all(0 <= quota - int(Fraction(weight) * total / whole) <= 1 for quota, weight in zip(quotas, weights, strict=True))


def test_what_an_entry_lacks_others_give():
    assert fill_up(100, [1, 1, 2], [None, 10, None]) == [30, 10, 60]
    assert fill_up(100, [1, 1, 2], [5, 10, 3]) == [5, 10, 3]
    assert fill_up(100, [1, 1, 2], [30, 10, None]) == [30, 10, 60]
    assert fill_up(100, [1, 1, 2], [0, None, None]) == [0, 33, 67]
    assert fill_up(9, [0, 1], [None, None]) == [0, 9]


@pytest.mark.parametrize(('config', 'stage'), [('smollm3_weighted_config', 'stage1_8T'), ('smollm3_stage2_config', 'stage2_8T_9T'), ('smollm3_stage3_config', 'stage3_9T_11T')])
def test_the_shipped_mixtures_have_the_official_weights(config, stage):
    with open(shared('golden') / 'text_mix' / 'smollm3_official_mixtures.tsv', newline='') as file:
        rows = [row for row in csv.DictReader(file, delimiter='\t') if row['yaml'] == stage]
    last = max(int(row['start_training_step']) for row in rows)
    official = Counter(float(row['weight']) for row in rows if int(row['start_training_step']) == last)
    entries = load_config(f'{config}.yaml').datasets
    assert Counter(entry.weight for entry in entries) == official
    assert all(entry.verified is False for entry in entries if not entry.enabled)
    assert not any(entry.enabled for entry in entries if entry.name in ('HuggingFaceTB/stack-edu', 'bigcode/the-stack-v2'))
