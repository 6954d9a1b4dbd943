"""Each decision against a plain one in memory: over kinds of keys, blocks, bundles and places of blocks."""

import base64
import collections
import pickle
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from tests import decide
from transforms.keys import find_duplicates, pack
from transforms.keys.find_duplicates import FindDuplicates, Repeats, UnitHashes, hash_texts, is_best
from transforms.keys.kth_value import Kth, KthValue, Largest, Scores, TopFraction
from transforms.keys.rows import RowSet
from transforms.keys.smallest_ranks import SmallestRanks, UnitRanks
from transforms.run.run import Run

TOTAL = 5_300


@pytest.fixture(params=['files', 'inline'])
def run(request, tmp_path):
    return Run('decide', '', str(tmp_path), str(tmp_path / 'work'), inline_blocks=request.param == 'inline')


@pytest.fixture(params=[200, 16 << 20], autouse=True)
def held_bytes(request, monkeypatch):
    """Blocks of a few keys, and of all that a bundle has."""
    monkeypatch.setattr(pack, '_HELD_BYTES', request.param)
    monkeypatch.setattr(find_duplicates, '_AT_ONCE', 100 if request.param == 200 else 1 << 19)
    monkeypatch.setattr(decide, 'UNIT', 1000)
    monkeypatch.setattr(decide, 'CHUNK', 70)


def answer(transform, elements, repeats=0):
    """{key: answer}."""
    path = Path(transform.run.output) / 'kept'
    with beam.Pipeline(runner=FnApiRunner(bundle_repeat=repeats)) as pipeline:
        (pipeline | beam.Create(elements, reshuffle=False) | transform | 'Resolve' >> beam.Map(resolve, transform.run)
         | 'Keep' >> beam.Map(keep, path))
    lines = path.read_bytes().splitlines()
    path.unlink()
    return dict(pickle.loads(base64.b64decode(line)) for line in lines)


def keep(element, path):
    with path.open('ab') as target:
        target.write(base64.b64encode(pickle.dumps(element)) + b'\n')


def resolve(element, run):
    key, value = element
    if isinstance(value, Repeats):
        return key, value.lost(key, run)['row'].tolist()
    return key, value.rows(run).tolist() if hasattr(value, 'rows') else value


def elements_of(decision, kind):
    units = range(-(-TOTAL // decide.UNIT))
    made = [element for unit in units for element in decide.generate(unit, decision, kind, TOTAL)]
    return [made[i] for i in np.random.default_rng(1).permutation(len(made))], tuple(units)


@pytest.mark.parametrize('repeats', [0, 2])
@pytest.mark.parametrize('kind', ['random', 'few', 'equal'])
def test_duplicates(run, kind, repeats):
    elements, units = elements_of('duplicates', kind)
    records = collections.defaultdict(list)
    for element in elements:
        for row, pair in zip(element.rows.tolist(), element.hashes.tolist(), strict=True):
            records[tuple(pair)].append((element.priority, element.unit, row))
    lost = {(unit, row) for same in records.values() for _, unit, row in sorted(same)[1:]}
    expected = {unit: sorted(row for u, row in lost if u == unit) for unit in units}
    assert len(lost) > 100
    for keys in (1, TOTAL, 1 << 30):
        assert answer(FindDuplicates(run, units, keys), elements, repeats) == expected


@pytest.mark.parametrize('kind', ['random', 'few', 'equal'])
def test_smallest_ranks(run, kind):
    elements, units = elements_of('ranks', kind)
    records = collections.defaultdict(list)
    for element in elements:
        records[element.group] += zip(element.ranks.tolist(), [element.unit] * len(element.rows), element.rows.tolist(), strict=True)
    for wanted in ({0: 100, 1: 1}, {0: 0, 1: 2500}, {0: TOTAL * 2, 1: TOTAL}):
        chosen = {key[1:] for group, keys in records.items() for key in sorted(keys)[:wanted[group]]}
        expected = {unit: sorted(row for u, row in chosen if u == unit) for unit in units}
        assert answer(SmallestRanks(run, units, wanted), elements) == expected


@pytest.mark.parametrize('kind', ['random', 'few', 'equal'])
def test_kth_value(run, kind):
    elements, _ = elements_of('kth', kind)
    values = np.sort(np.concatenate([element.scores for element in elements]))
    for index in (Largest(1), Largest(TOTAL), TopFraction(0.3), TopFraction(0.0), TopFraction(1.0)):
        value = values[index(TOTAL)]
        expected = Kth(value, TOTAL, int((values < value).sum()), int((values == value).sum()))
        assert answer(KthValue(run, index, (0, 7)), elements) == {0: expected, 7: Kth(None, 0)}
    assert answer(KthValue(run, Largest(TOTAL + 1)), elements) == {0: Kth(None, TOTAL)}


def test_groups_and_integers(run):
    elements = [Scores(np.array([2**62 + 1, 5, -3]), 1), Scores(np.array([2**62]), 1), Scores(np.array([7], np.int32), 2)]
    assert answer(KthValue(run, Largest(2), (1, 2), 'int64'), elements) == {1: Kth(2**62, 4, 2, 1), 2: Kth(None, 1)}


def test_scores_of_another_kind_are_refused(run):
    with pytest.raises(Exception, match='scores are int64, and KthValue was told float64'):
        answer(KthValue(run, Largest(1)), [Scores(np.array([1]))])
    with pytest.raises(ValueError, match="dtype is 'float32'"):
        KthValue(run, Largest(1), dtype='float32')


def test_a_record_that_comes_twice_is_no_duplicate_of_itself(run):
    element = UnitHashes(0, np.array([3]), hash_texts(['a'], b'secret'))
    with pytest.raises(Exception, match='a record came twice'):
        answer(FindDuplicates(run, (0,)), [element, element])


def test_the_best_priority_stays_then_the_first(run):
    hashes = hash_texts(['a', 'b', 'a'], b'secret')
    elements = [UnitHashes(0, np.array([0, 1, 2]), hashes, 1), UnitHashes(1, np.array([0, 1, 2]), hashes, 0)]
    assert answer(FindDuplicates(run, (0, 1, 2)), elements) == {0: [0, 1, 2], 1: [2], 2: []}


def members(element, run):
    unit, repeats = element
    found = repeats.members(run)
    return unit, [(*map(int, member), bool(best)) for member, best in zip(found.tolist(), is_best(found, unit), strict=True)]


@pytest.mark.parametrize('repeats', [0, 2])
def test_each_of_a_group_is_told_the_best_and_how_many_they_are(run, repeats, tmp_path):
    """Rows count in files; equal high halves are no equal hashes."""
    chance = np.random.default_rng(7)
    records, elements = {}, []
    for unit in range(4):
        for file in range(3):
            rows = chance.permutation(50)
            hashes = np.stack([chance.integers(0, 12, 50), chance.integers(0, 9, 50)], 1).astype(np.uint64) << np.uint64(60)
            priority = unit % 2
            elements.append(UnitHashes(unit, rows, hashes, priority, np.full(50, file)))
            records |= {(priority, unit, file, row): tuple(pair) for row, pair in zip(rows.tolist(), hashes.tolist(), strict=True)}
    groups = collections.defaultdict(list)
    for identity, pair in records.items():
        groups[pair].append(identity)
    expected = {unit: sorted((row, file, *min(same)[1:], len(same), min(same) == (priority, unit, file, row))
                             for same in groups.values() for priority, u, file, row in same if u == unit and len(same) > 1)
                for unit in range(4)}
    path = tmp_path / 'members'
    with beam.Pipeline(runner=FnApiRunner(bundle_repeat=repeats)) as pipeline:
        (pipeline | beam.Create(elements, reshuffle=False) | FindDuplicates(run, tuple(range(4)), TOTAL)
         | 'Members' >> beam.Map(members, run) | 'Keep' >> beam.Map(keep, path))
    answers = dict(pickle.loads(base64.b64decode(line)) for line in path.read_bytes().splitlines())
    assert {unit: sorted(found) for unit, found in answers.items()} == expected


def test_hashes_need_the_secret():
    one, two = hash_texts(['a', 'ö'], b'1'), hash_texts(['a', 'ö'], b'2')
    assert one.shape == (2, 2) and (one != two).all() and (one == hash_texts(['a', 'ö'], b'1')).all()


def test_ranks_of_a_group_that_nobody_wants(run):
    assert answer(SmallestRanks(run, (0,), {1: 5}), [UnitRanks(0, np.array([0]), np.array([1], np.uint64), 2)]) == {0: []}
    with pytest.raises(ValueError, match='-1 records'):
        SmallestRanks(run, (0,), {0: -1})


ONE = np.array([[1, 2]], np.uint64)


@pytest.mark.parametrize(('change', 'message'), [
    ({'unit': 1 << 32}, 'unit is 4294967296'), ({'priority': np.int64(1 << 32)}, 'priority is'), ({'priority': -1}, 'priority is -1'),
    ({'rows': np.array([1 << 63], np.uint64)}, 'row is'), ({'rows': np.array([1.5])}, 'row is float64'),
    ({'rows': np.array([1, 2])}, r'hashes have the shape \(1, 2\)'), ({'hashes': ONE.astype(np.int64) - 5}, 'high is -4')])
def test_numbers_that_do_not_fit(change, message):
    with pytest.raises(ValueError, match=message):
        find_duplicates._to_keys(UnitHashes(**{'unit': 0, 'rows': np.array([0]), 'hashes': ONE, **change}))


def test_a_record_that_comes_twice_in_several_bundles(run):
    elements = [UnitHashes(0, np.array([0]), ONE), UnitHashes(1, np.array([0]), ONE, 1)]
    places = list(find_duplicates.write_places(run, np.array([1, 1], np.uint32), np.array([0, 0])))
    with pytest.raises(ValueError, match='a record came twice'):
        RowSet(tuple(ref for _, ref in places)).rows(run)
    assert answer(FindDuplicates(run, (0, 1)), elements) == {0: [], 1: [0]}


def test_fractions():
    assert [TopFraction(f)(100) for f in (0, 0.29, 0.5, 1)] == [99, 72, 50, 0]  # int(100 * 0.29) is 28
    with pytest.raises(ValueError, match=r'fraction is 1\.5'):
        TopFraction(1.5)
