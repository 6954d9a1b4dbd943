"""Designs of samples against their exact probabilities: over thousands of seeds, on the functions that decide."""

import hashlib
import itertools
import json
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from transforms.files.storage import FileInfo
from transforms.keys.ranks import row_key, row_ranks
from transforms.keys.select import kth_smallest, smallest_reaching
from transforms.text_mix.sampling.design import (
    CLUSTER,
    EXACT,
    HEAD,
    SampledFile,
    SampleSource,
    circle_of,
    circle_ranks,
    seeded,
)

SEEDS = 4_000
NAMES = ('me/set', 'en', '', 'train', '1')


def splitmix64(x: int) -> int:
    """As its authors write it."""
    mask = (1 << 64) - 1
    z = (x + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def sample(source, files, groups=None):
    """The rows of the smallest ranks, as (file, row)."""
    ranked = []
    for file in files:
        if file.circle:
            first = 0
            for group, rows in enumerate(groups[file.number]):
                ranked += [(int(rank), file.number, first + row) for row, rank in enumerate(source.ranks(file, first, rows, group, first))]
                first += rows
        else:
            ranked += [(int(rank), file.number, row) for row, rank in enumerate(source.ranks(file, 0, file.rows))]
    return tuple(sorted((file, row) for _, file, row in sorted(ranked)[:source.quota]))


def files_of(*rows):
    firsts = [0, *itertools.accumulate(rows)]
    return [SampledFile(number, FileInfo(f'train-{number}.parquet', 1, 0.0), firsts[number], count) for number, count in enumerate(rows)]


def chi_square(observed, probabilities, total):
    degrees = len(probabilities) - 1
    value = sum((observed[key] - float(p) * total) ** 2 / (float(p) * total) for key, p in probabilities.items())
    return (value - degrees) / math.sqrt(2 * degrees)


def test_ranks_are_splitmix64_of_row_and_key():
    key = row_key(7, *NAMES[:4], 'a/b.parquet', '1')
    text = json.dumps([7, *NAMES[:4], 'a/b.parquet', '1'], separators=(',', ':'))
    assert key == int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8, person=b'rows').digest(), 'little')
    for first in (0, 5, (1 << 40) + 3):
        assert row_ranks(key, first, 20).tolist() == [splitmix64(row ^ key) for row in range(first, first + 20)]
    assert splitmix64(0) == 0xE220A8397B1DCDAF  # the first number of the published generator seeded with 0


def test_exact_any_set_of_rows_is_equally_likely():
    files = files_of(3, 0, 4, 1)
    rows = [(file.number, row) for file in files for row in range(file.rows)]
    source = SampleSource(0, '', ('text',), NAMES, 0, EXACT, 3, 8, True)
    found = Counter(sample(SampleSource(**{**source.__dict__, 'seed': seed}), files) for seed in range(5 * SEEDS))
    sets = list(itertools.combinations(rows, 3))
    assert set(found) == set(sets)
    assert abs(chi_square(found, dict.fromkeys(sets, Fraction(1, len(sets))), 5 * SEEDS)) < 4


def test_exact_any_row_of_many_is_equally_likely():
    files = files_of(60, 1, 39)
    source = SampleSource(0, '', ('text',), NAMES, 0, EXACT, 25, 100, True)
    counts = Counter(row for seed in range(SEEDS) for row in sample(SampleSource(**{**source.__dict__, 'seed': seed}), files))
    p = 25 / 100
    value = sum((counts[file.number, row] - SEEDS * p) ** 2 for file in files for row in range(file.rows)) / (SEEDS * p * (1 - p)) * 99 / 100
    assert abs(value - 99) < 4 * math.sqrt(2 * 99)


def cluster_sets(groups, n, stretches):
    """Each set of rows with its exact probability: over all orders of the groups and all starts."""
    rows = sum(map(sum, groups))
    flat = [(file, group) for file, of in enumerate(groups) for group in range(len(of))]
    names = {}
    for file, of in enumerate(groups):
        first = 0
        for group, count in enumerate(of):
            names[file, group] = [(file, first + i) for i in range(count)]
            first += count
    sets: Counter = Counter()
    orders = list(itertools.permutations(flat))
    for order in orders:
        circle = [row for group in order for row in names[group]]
        for start in range(rows):
            chosen = []
            for arc in range(stretches):
                begin, end = arc * rows // stretches, (arc + 1) * rows // stretches
                take = n // stretches + (arc < n % stretches)
                assert take <= end - begin
                chosen += [circle[(start + begin + i) % rows] for i in range(take)]
            sets[tuple(sorted(chosen))] += Fraction(1, rows * len(orders))
    return sets


@pytest.mark.parametrize(('groups', 'n', 'stretches'), [([[1, 3], [2, 2]], 3, 2), ([[2, 2, 1], [3]], 4, 1), ([[2], [1, 3]], 2, 2), ([[4, 1, 2]], 3, 3)])
def test_clusters_against_the_exact_probabilities_of_sets_pairs_and_rows(groups, n, stretches):
    rows = sum(map(sum, groups))
    exact = cluster_sets(groups, n, stretches)
    inclusion: Counter = Counter()
    pairs: Counter = Counter()
    for chosen, p in exact.items():
        assert len(chosen) == n
        for row in chosen:
            inclusion[row] += p
        for pair in itertools.combinations(chosen, 2):
            pairs[pair] += p
    assert set(inclusion.values()) == {Fraction(n, rows)}, 'each row is as likely as any other'
    counts = np.array([count for of in groups for count in of])
    found, found_pairs = Counter(), Counter()
    for seed in range(SEEDS):
        circle = circle_of(counts, seed, NAMES).tolist()
        files, group = [], 0
        for file, of in zip(files_of(*map(sum, groups)), groups, strict=True):
            files.append(SampledFile(file.number, file.info, file.first, file.rows, tuple(zip(of, circle[group:group + len(of)], strict=True))))
            group += len(of)
        source = SampleSource(0, '', ('text',), NAMES, seed, CLUSTER, n, rows, True, stretches, seeded(seed, 'start', *NAMES) % rows)
        chosen = sample(source, files, groups)
        found[chosen] += 1
        found_pairs.update(itertools.combinations(chosen, 2))
    assert set(found) <= set(exact)
    assert abs(chi_square(found, exact, SEEDS)) < 4
    for pair, p in pairs.items():
        deviation = math.sqrt(SEEDS * float(p) * (1 - float(p)))
        assert abs(found_pairs[pair] - SEEDS * float(p)) < 4.5 * max(deviation, 1), pair


def test_the_arcs_of_a_circle_are_whole():
    for rows in (1, 2, 7, 100, 101):
        for stretches in range(1, min(rows, 12) + 1):
            ranks = circle_ranks(0, rows, rows, stretches, rows // 3)
            assert len(set(ranks.tolist())) == rows
            for n in range(1, rows + 1):
                chosen = np.sort((np.argsort(ranks, kind='stable')[:n] - rows // 3) % rows)
                arcs = Counter(int(((place + 1) * stretches - 1) // rows) for place in chosen)
                assert max(arcs.values()) - min((arcs[arc] for arc in range(stretches)), default=0) <= 1


def test_head_is_the_first_rows():
    assert sample(SampleSource(0, '', ('text',), NAMES, 5, HEAD, 4, 8, True), files_of(3, 0, 5)) == ((0, 0), (0, 1), (0, 2), (2, 0))


def test_weights_add_up_to_the_smallest_that_reaches():
    chance = np.random.default_rng(3)
    for spread in (1 << 64, 1 << 20, 5):
        values = chance.integers(0, spread, 5_000, np.uint64, endpoint=False) if spread < 1 << 64 else chance.integers(0, (1 << 64) - 1, 5_000, np.uint64)
        weights = chance.integers(0, 50, 5_000)
        order = np.argsort(values, kind='stable')
        sums = np.cumsum(weights[order])
        pieces = [(values[i:i + 700], weights[i:i + 700]) for i in range(0, 5_000, 700)]
        for target in (1, 17, int(sums[-1]) // 2, int(sums[-1])):
            value, below = smallest_reaching(lambda pieces=pieces: pieces, target)
            at = int(values[order][int(np.searchsorted(sums, target))])
            assert value == at and below == int(weights[values < np.uint64(at)].sum())
        with pytest.raises(IndexError, match='less than'):
            smallest_reaching(lambda pieces=pieces: pieces, int(sums[-1]) + 1)
        ones = [(some, np.ones(len(some), np.int64)) for some, _ in pieces]
        for k in (0, 4_999, 2_500):
            assert smallest_reaching(lambda ones=ones: ones, k + 1)[0] == kth_smallest([values].copy, k)[0]
