"""The comparing script sees what differs between two outputs, and nothing else."""

import shutil

import orjson
import pytest

from beam_pipelines import olmocr
from benchmarks.compare_outputs import differences


@pytest.fixture(scope='module')
def output(tmp_path_factory):
    folder = tmp_path_factory.mktemp('sample') / 'out'
    assert olmocr.run([f'--output={folder}', '--max_size=300', '--limit=2']).exit_code == 0
    return folder


@pytest.fixture
def other(output, tmp_path):
    shutil.copytree(output, tmp_path / 'other')
    return tmp_path / 'other'


def test_equal_runs_are_equal(output, tmp_path):
    assert olmocr.run([f'--output={tmp_path}/out', '--max_size=300', '--limit=2']).exit_code == 0
    assert list(differences(output, tmp_path / 'out')) == []


def test_a_changed_a_missing_and_a_new_file(output, other):
    images = sorted(other.rglob('*.png'))
    images[0].write_bytes(images[0].read_bytes() + b'\0')
    images[1].unlink()
    (other / 'new.txt').write_text('x')
    found = list(differences(output, other))
    assert len(found) == 3 and sum('has other bytes' in line for line in found) == 1


def test_other_accounts(output, other):
    run = orjson.loads((other / 'run.json').read_bytes())
    run['sources'][0]['written'] += 1
    run['warnings'] = {'orphan_member': 1}
    (other / 'run.json').write_bytes(orjson.dumps(run))
    assert [line.partition(':')[0] for line in differences(output, other)] == ['run.json', 'run.json']


def test_another_row_of_the_records_table(output, other):
    import pyarrow as pa
    import pyarrow.parquet as pq
    path = next((other / 'records').glob('*.parquet'))
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[0]['message'] = 'other'
    pq.write_table(pa.Table.from_pylist(rows, table.schema), path)
    assert [line.partition(':')[0] for line in differences(output, other)] == ['records']
