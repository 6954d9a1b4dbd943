"""The uids tool as people use it."""

import numpy as np
import pytest

from beam_pipelines import uids
from tests.helpers import run_process
from transforms.image_text.uids import UID


def save(path, numbers):
    array = np.zeros(len(numbers), UID)
    array['f1'] = numbers
    np.save(path, array)
    return str(path)


def load(path):
    return np.load(path)['f1'].tolist()


@pytest.fixture
def files(tmp_path):
    return save(tmp_path / 'a.npy', [1, 2, 2, 5]), save(tmp_path / 'b.npy', [2, 3, 5])


@pytest.mark.parametrize(('operation', 'flags', 'expected'), [
    ('union', (), [1, 2, 3, 5]), ('intersect', (), [2, 5]), ('subtract', (), [1]), ('union', ('--keep_multiplicity',), [1, 2, 2, 2, 3, 5, 5]),
    ('intersect', ('--keep-multiplicity',), [2, 2, 5])])
def test_operations(tmp_path, files, capsys, operation, flags, expected):
    done = uids.run([operation, *files, '-o', str(tmp_path / 'out'), *flags])
    assert (done.state, done.exit_code, done.accounts['uids']) == ('done', 0, len(expected))
    assert load(tmp_path / 'out.npy') == expected
    assert capsys.readouterr().out.splitlines()[-1].split() == [str(len(expected)), f'{tmp_path}/out.npy']


def test_count_and_head(tmp_path, files, capsys):
    assert uids.run(['count', *files]).exit_code == 0
    assert capsys.readouterr().out.splitlines() == [f'{files[0]}: 4 uids, 1 of them copies', f'{files[1]}: 3 uids']
    assert uids.run(['head', files[1], '-n', '2']).exit_code == 0
    assert capsys.readouterr().out.splitlines() == [f'{number:032x}' for number in (2, 3)]
    assert uids.run(['head', *files, '--rows=9']).exit_code == 0
    assert len(capsys.readouterr().out.splitlines()) == 2 + 4 + 3


def test_a_file_that_is_not_sorted_is_sorted_and_that_is_said(tmp_path, files, capsys):
    loose = save(tmp_path / 'loose.npy', [9, 1, 9])
    assert uids.run(['union', files[0], loose, '-o', str(tmp_path / 'out.npy')]).exit_code == 0
    assert load(tmp_path / 'out.npy') == [1, 2, 5, 9]
    assert f'{loose} is not in ascending order: sorted in' in capsys.readouterr().err


def test_a_result_of_nothing_is_a_file_of_no_uids(tmp_path, files):
    assert uids.run(['subtract', files[0], files[0], '-o', str(tmp_path / 'out.npy')]).exit_code == 0
    assert load(tmp_path / 'out.npy') == []
    assert uids.run(['count', str(tmp_path / 'out.npy')]).accounts == {f'{tmp_path}/out.npy': {'uids': 0, 'distinct': 0}}


@pytest.mark.parametrize(('words', 'message'), [
    (['unoin', 'A', 'B', '-o', 'O'], "'unoin' is none of union, intersect, subtract, count, head; did you mean union?"),
    (['union', 'A', 'B'], 'union needs --output'), (['subtract', 'A', '-o', 'O'], 'subtract needs two files or more'),
    (['union', 'A', '/no/such.npy', '-o', 'O'], '/no/such.npy does not exist'), (['union', 'A', 'B', '-o', 'A'], 'is one of the files that are read'),
    (['union', 'A', 'B', '-o', 'b.npy'], 'is one of the files that are read'), (['union', 'A', '-o', 'T'], 'T.npy exists; --overwrite replaces it'),
    (['union', 'A', 'T.npy', '-o', 'O'], 'is a zip archive'), (['union', 'A', '--ouput=O'], 'unknown flag --ouput; did you mean --output?'),
    (['union'], 'required'), ([], 'required'), (['head', 'A', '-n', '-1'], 'must be at least 0'), (['union', 'A', 'B', '-o', '/proc/no/such'], '/proc/no')])
def test_wrong_use(tmp_path, files, capsys, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'T.npy').write_bytes(b'PK\x03\x04' + b'x' * 60)
    names = {'A': files[0], 'B': files[1]}
    done = uids.run([names.get(word, word) for word in words])
    error = capsys.readouterr().err.splitlines()
    assert (done.exit_code, len(error)) == (2, 1)
    assert message in error[0]
    assert not (tmp_path / 'O.npy').exists()


def test_overwrite(tmp_path, files):
    out = save(tmp_path / 'out.npy', [7])
    assert uids.run(['union', files[1], '-o', out, '--overwrite']).exit_code == 0
    assert load(out) == [2, 3, 5]


def test_as_a_command(tmp_path, files):
    done = run_process('uids', 'intersect', *files, '-o', f'{tmp_path}/out')
    assert (done.returncode, done.stderr) == (0, '')
    assert load(tmp_path / 'out.npy') == [2, 5]
