"""How much is looked at for a split's schema, and what its types do to later values."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.read_hf import faults, read_rows
from transforms.read_hf import schemas
from transforms.read_hf.data_files import find_dataset
from transforms.read_hf.rows import DEFAULT_LIMITS


@pytest.fixture
def parquets(tmp_path):
    for i in range(5):
        pq.write_table(pa.table({'a': [float(i) if i == 4 else i] * 10}), tmp_path / f'train-{i}.parquet')
    return tmp_path


@pytest.mark.parametrize(('limit', 'files'), [(1, 1), (10, 1), (11, 2), (1000, 5)])
def test_with_a_limit_only_the_files_that_hold_its_rows(parquets, limit, files):
    split = find_dataset(str(parquets)).splits[0]
    assert len(list(schemas._first_files(str(parquets), split.files, DEFAULT_LIMITS, limit))) == files


def test_a_float_in_the_last_file_makes_floats_of_all(parquets):
    values = [v['a'] for _, _, v in read_rows(parquets)]
    assert {type(v) for v in values} == {float} and len(values) == 50


def test_a_file_of_another_type_is_refused_by_itself(parquets):
    pq.write_table(pa.table({'a': ['x'] * 10}), parquets / 'train-2.parquet')
    rows = read_rows(parquets)
    assert faults(rows) == [(None, 'SchemaMismatch')] and len(rows) == 41


@pytest.mark.parametrize(('first', 'later', 'row'), [
    ('{"a": 1}', '{"a": "x"}', 'TypeMismatch'), ('{"a": 1}', '{"a": 2.5}', 'TypeMismatch'), ('{"a": 1.5}', '{"a": 2}', 2.0),
    ('{"a": null}', '{"a": "x"}', 'x'), ('{"a": "x"}', '{"a": 1}', 'TypeMismatch')])
def test_beyond_what_was_looked_at_a_misfit_is_one_failed_record(tmp_path, monkeypatch, first, later, row):
    monkeypatch.setattr(schemas, 'LOOK_WHOLE', 10)
    monkeypatch.setattr(schemas, 'LOOK_HEAD', 40)
    (tmp_path / 'train.jsonl').write_text(f'{first}\n' * 20 + f'{later}\n')
    rows = read_rows(tmp_path)
    assert len(rows) == 21
    assert [error for _, error in faults(rows)] == [row] if row == 'TypeMismatch' else rows[-1][2] == {'a': row}


def test_in_what_was_looked_at_a_mixture_stays_as_it_is(tmp_path):
    (tmp_path / 'train.jsonl').write_text('{"a": 1}\n{"a": "x"}\n{"b": {"c": 1}}\n')
    assert [v for _, _, v in read_rows(tmp_path)] == [{'a': 1, 'b': None}, {'a': 'x', 'b': None}, {'a': None, 'b': {'c': 1}}]
