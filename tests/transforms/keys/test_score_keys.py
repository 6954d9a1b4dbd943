"""ScoreKeys against plain columns: constants and runs change nothing but their size."""

import numpy as np
import pytest

from transforms.keys import score_keys
from transforms.keys.score_keys import KeyStore, LabelStore, ScoreKeys, join_keys, order_of
from transforms.run.run import Run

COLUMNS = ('down', 'group', 'tie', 'unit', 'row')


def made(seed, kind):
    """Keys, and the same as plain columns."""
    chance = np.random.default_rng(seed)
    pieces, plain = [], []
    for unit, start in ((3, 10), (3, 60), (4, 0), (3, 200)):
        count = int(chance.integers(30, 51))
        rows = {'runs': np.arange(start, start + count), 'loose': chance.permutation(count) + start,
                'mixed': np.arange(start, start + count) if unit == 3 else chance.permutation(count)}[kind]
        group = np.array([7], np.uint64) if seed % 2 else chance.integers(0, 3, count).astype(np.uint64)
        tie = np.array([0], np.uint64) if seed % 3 else chance.integers(0, 9, count).astype(np.uint64)
        down = chance.integers(0, 9, count).astype(np.uint64)
        pieces.append(ScoreKeys.of(down, group, tie, unit, rows))
        plain.append([down, *(np.broadcast_to(column, count) for column in (group, tie)), np.full(count, unit), rows])
    return join_keys(pieces), dict(zip(COLUMNS, (np.concatenate(columns) for columns in zip(*plain, strict=True)), strict=True))


def same(keys, plain, which=slice(None)):
    assert {name: keys[name].tolist() for name in COLUMNS} == {name: column[which].tolist() for name, column in plain.items()}


@pytest.mark.parametrize('kind', ['runs', 'loose', 'mixed'])
@pytest.mark.parametrize('seed', [0, 1, 2, 3])
def test_columns(kind, seed):
    keys, plain = made(seed, kind)
    assert (keys.runs is not None) == (kind == 'runs')
    same(keys, plain)
    same(ScoreKeys.from_bytes(keys.to_bytes()), plain)
    for start in range(0, len(keys) + 1, 7):
        for stop in range(0, len(keys) + 1, 11):
            same(keys[start:stop], plain, slice(start, stop))
            same(ScoreKeys.from_bytes(keys[start:stop].to_bytes()), plain, slice(start, stop))
    mask = plain['down'] > 4
    same(keys[mask], plain, mask)
    expected = sorted(range(len(keys)), key=lambda i: tuple(plain[name][i] for name in ('group', 'down', 'tie', 'unit', 'row')))
    assert order_of(keys).tolist() == expected


def test_runs_that_go_on_are_one():
    keys = join_keys([ScoreKeys.of(np.zeros(20, np.uint64), np.zeros(1, np.uint64), np.zeros(1, np.uint64), 5, np.arange(start, start + 20))
                      for start in (0, 20, 40, 100)])
    assert keys.runs.tolist() == [(5, 0, 60), (5, 100, 20)]
    assert keys.nbytes < 10 * len(keys)


@pytest.mark.parametrize('kind', ['runs', 'loose', 'mixed'])
@pytest.mark.parametrize('inline', [False, True])
def test_stores(tmp_path, monkeypatch, kind, inline):
    monkeypatch.setattr(score_keys, '_PIECE', 13)
    monkeypatch.setattr(score_keys, '_LABELS', 11)
    run = Run('keys', '', str(tmp_path), str(tmp_path / 'work'), inline_blocks=inline)
    keys, plain = made(1, kind)
    partitions = np.repeat([0, 2, 5], [50, 60, len(keys) - 110])
    store, found = KeyStore(run), {}
    for partition, ref in store.write(keys, partitions):
        found.setdefault(partition, []).append(store.read(ref))
    for partition, pieces in found.items():
        same(join_keys(pieces), plain, partitions == partition)
    labels = np.arange(len(keys)) % 300 - 5
    read = [(unit, row, label) for unit, ref in LabelStore(run).write(keys, labels) for row, label in LabelStore(run).read(ref).tolist()]
    assert sorted(read) == sorted(zip(plain['unit'].tolist(), plain['row'].tolist(), labels.tolist(), strict=True))
