"""Several sources in one run: what two of them call the same stays apart, in the order of the plan."""

import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.flink import EMBEDDED, needs_flink
from tests.helpers import ROOT, assert_same_output, load
from tests.mixture import main
from transforms.read_hf.plan import number_plans, plan_read

NAME = 'data/train-00000-of-00001.parquet'


@pytest.fixture(scope='module')
def sources(tmp_path_factory):
    """Two datasets of 3,000 and 2,000 rows in files of one name, of which the second has a damaged row group."""
    roots = []
    for number, rows in enumerate((3000, 2000)):
        root = tmp_path_factory.mktemp(f'set{number}')
        (root / 'data').mkdir()
        table = pa.table({'id': [f'{number}-{i}' for i in range(rows)], 'text': ['words ' * (i % 50) for i in range(rows)]})
        pq.write_table(table, root / NAME, row_group_size=500)
        roots.append(str(root))
    path = f'{roots[1]}/{NAME}'
    chunk = pq.ParquetFile(path).metadata.row_group(2).column(0)
    with open(path, 'r+b') as file:
        file.seek(chunk.dictionary_page_offset or chunk.data_page_offset)
        file.write(b'\xff' * 24)
    return roots


def run_apart(output, sources, *flags) -> None:
    done = subprocess.run([sys.executable, '-m', 'tests.mixture', str(output), *sources, *flags], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope='module')
def finished(sources, tmp_path_factory):
    output = tmp_path_factory.mktemp('mixed') / 'out'
    main([str(output), *sources, sources[0]])  # the first is named twice
    return output


def test_accounts_of_equal_names_stay_apart(sources, finished):
    run = load(finished / 'run.json')
    assert [(s['source'], s['read'], s['written'], s['failed']) for s in run['sources']] == [
        (sources[0], 3000, 3000, {}), (sources[1], 2000, 1500, {'DamagedRowGroup': 500}), (sources[0], 3000, 3000, {})]
    assert run['exit_code'] == 0
    assert run['failed_units'] == {'DamagedRowGroup': 1}
    table = pq.read_table(finished / 'records')
    assert table['source_number'].to_pylist() == [0] * 3000 + [1] * 1500 + [2] * 3000
    assert set(table['file'].to_pylist()) == {NAME}
    assert [pair[0] for pair in load(finished / 'all.json')] == [0] * 3000 + [1] * 1500 + [2] * 3000


def test_ten_runs_have_the_same_bytes(sources, finished, tmp_path):
    for number in range(10):
        main([str(tmp_path / str(number)), *sources, sources[0], f'--direct_runner_bundle_repeat={number % 3}'])
        assert_same_output(finished, tmp_path / str(number))


@pytest.mark.parametrize('flags', [('--direct_running_mode=multi_processing', '--direct_num_workers=2'),
                                   ('--runner=PortableRunner', '--job_endpoint=embed', '--environment_type=LOOPBACK')])
def test_workers_do_not_change_the_bytes(sources, finished, tmp_path, flags):
    run_apart(tmp_path / 'out', [*sources, sources[0]], *flags)
    assert_same_output(finished, tmp_path / 'out')


@needs_flink
def test_flink_does_not_change_the_bytes(sources, finished, tmp_path):
    run_apart(tmp_path / 'out', [*sources, sources[0]], *EMBEDDED)
    assert_same_output(finished, tmp_path / 'out')


def test_plans_are_numbered_through(sources):
    plans = number_plans([plan_read(source) for source in sources])
    assert [s.number for plan in plans for s in plan.sources] == [0, 1]
    assert [(p.number, p.source) for plan in plans for p in plan.parts] == [(0, 0), (1, 1)]
    assert {(u.origin.number, u.origin.part) for plan in plans for c in plan.chains for u in c.units} == {(0, 0), (1, 1)}
