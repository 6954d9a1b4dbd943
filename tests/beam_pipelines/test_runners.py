"""The same bytes and accounts from every runner that works on one machine."""

import gzip
import json
import random
import subprocess
import sys

import apache_beam
import pytest

from beam_pipelines import olmocr, render_pdf
from beam_pipelines.launcher.catalog import find_pipelines
from beam_pipelines.samples import sample_folder
from tests.conftest import make_0225
from tests.flink import EMBEDDED, JAR, needs_flink
from tests.helpers import ROOT, assert_same_output, load, run_process

SMALL = ('--max_size=160', '--progress=off')
MULTI = pytest.param(('--runner=DirectRunner', '--direct_running_mode=multi_processing', '--direct_num_workers=2'), id='multi')
RUNNERS = [
    pytest.param(('--runner=PortableRunner', '--job_endpoint=embed', '--environment_type=LOOPBACK'), id='portable'),
    pytest.param(EMBEDDED, id='flink', marks=needs_flink),
    # Flink 2 runs every job through the streaming translator; this is the same one, in Flink 1.
    pytest.param((*EMBEDDED, '--streaming'), id='flink-streaming', marks=needs_flink)]


@pytest.fixture(scope='module')
def direct(dataset, tmp_path_factory):
    output = tmp_path_factory.mktemp('direct') / 'out'
    assert olmocr.run([f'--input={dataset}', f'--output={output}', *SMALL]).exit_code == 0
    return output


@pytest.mark.parametrize('flags', RUNNERS)
def test_olmocr(dataset, direct, tmp_path, flags):
    done = run_process('olmocr', f'--input={dataset}', f'--output={tmp_path}/out', *SMALL, *flags)
    assert done.returncode == 0, done.stderr
    assert_same_output(direct, tmp_path / 'out')
    assert load(tmp_path / 'out' / 'run.json')['sources'] == load(direct / 'run.json')['sources']


@pytest.mark.parametrize('flags', RUNNERS[1:])
def test_mix_0225_whose_rows_wait_for_an_index(page_pdf, tmp_path, flags):
    source = make_0225(tmp_path / 'in', page_pdf)
    assert olmocr.run([f'--input={source}', f'--output={tmp_path}/direct', *SMALL]).exit_code == 0
    done = run_process('olmocr', f'--input={source}', f'--output={tmp_path}/out', *SMALL, *flags)
    assert done.returncode == 0, done.stderr
    assert_same_output(tmp_path / 'direct', tmp_path / 'out')


@pytest.mark.parametrize('flags', RUNNERS[1:2])
def test_render_pdf_with_a_file_that_fails(page_pdf, tmp_path, flags):
    (tmp_path / 'in').mkdir()
    for i in range(5):
        (tmp_path / 'in' / f'{i}.pdf').write_bytes(page_pdf if i else b'<html>')
    for name, runner in (('direct', ()), ('out', flags)):
        done = run_process('render_pdf', f'--input={tmp_path}/in', f'--output={tmp_path}/{name}', *SMALL, *runner)
        assert done.returncode == 0, done.stderr
    assert_same_output(tmp_path / 'direct', tmp_path / 'out')
    assert render_pdf.SPEC.name == load(tmp_path / 'out' / 'run.json')['pipeline']


@pytest.mark.parametrize('flags', RUNNERS[:2])
def test_llava_cc3m(tmp_path, flags):
    for name, runner in (('direct', ()), ('out', flags)):
        done = run_process('llava_cc3m', f'--output={tmp_path}/{name}', '--progress=off', *runner)
        assert done.returncode == 0, done.stderr
    assert_same_output(tmp_path / 'direct', tmp_path / 'out')


@pytest.mark.parametrize('kind', ['jsonl', 'parquet'])
@pytest.mark.parametrize('flags', [MULTI, *RUNNERS])
def test_convert(tmp_path, flags, kind):
    (tmp_path / 'in').mkdir()
    for split, count in (('train', 60_000), ('test', 5)):  # some shards of the smallest size
        rows = (json.dumps({'id': i, 'text': f'{split} {i} ' * 5, 'meta': {'n': i}}) for i in range(count))
        (tmp_path / 'in' / f'{split}.jsonl').write_text('\n'.join(rows))
    (tmp_path / 'in' / 'train-2.jsonl').write_text('{"id": 1}\n{"id": 2, "text"\n{"id": 3}')
    for name, runner in (('direct', ()), ('out', flags)):
        done = run_process('convert', f'--input={tmp_path}/in', f'--output={tmp_path}/{name}', f'--format={kind}', '--shard_size=1MB',
                           '--progress=off', *runner)
        assert done.returncode == 0, done.stderr
    assert_same_output(tmp_path / 'direct', tmp_path / 'out')
    run = load(tmp_path / 'out' / 'run.json')
    assert (run['totals']['read'], run['totals']['written']) == (60_008, 60_007)
    assert len(list((tmp_path / 'out' / 'data').iterdir())) > 5


@pytest.mark.parametrize('flags', [MULTI, *RUNNERS[:2]])
def test_text_clean(tmp_path, flags):
    """With a file that is inflated first, and duplicates over all parts."""
    (tmp_path / 'in').mkdir()
    with gzip.open(tmp_path / 'in' / 'train-0.jsonl.gz', 'wt') as packed, open(tmp_path / 'in' / 'train-1.jsonl', 'w') as plain:
        for i in range(12_000):
            line = {'id': i, 'r': random.Random(i).randbytes(300).hex() if i < 8_000 else '', 'text': f'<p>{f"some words of document {i % 9_000} " * 9}</p>'}
            (packed if i < 8_000 else plain).write(json.dumps(line) + '\n')
    for name, runner in (('direct', ()), ('out', flags)):
        done = run_process('text_clean', f'--input={tmp_path}/in', f'--output={tmp_path}/{name}', '--shard_size=1MB', '--progress=off', *runner)
        assert done.returncode == 0, done.stderr
    assert_same_output(tmp_path / 'direct', tmp_path / 'out')
    assert load(tmp_path / 'out' / 'run.json')['totals']['dropped'] == {'duplicate': 3_000}
    assert len(list((tmp_path / 'out' / 'data').iterdir())) > 3


@pytest.mark.parametrize('flags', [MULTI, *RUNNERS])
def test_text_mix_samples(tmp_path, flags):
    """Stage 1, with rows without text that others take the place of."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / 'a').mkdir()
    (tmp_path / 'b').mkdir()
    for shard in range(3):
        texts = [None if i % 3 else f'text {shard} {i}' for i in range(4_000)]
        pq.write_table(pa.table({'text': texts, 'n': range(4_000)}), tmp_path / 'a' / f'train-{shard}.parquet', row_group_size=100)
        with gzip.open(tmp_path / 'b' / f'train-{shard}.jsonl.gz', 'wt') as packed:
            packed.writelines(json.dumps({'text': text, 'n': n}) + '\n' for n, text in enumerate(texts))
    (tmp_path / 'mix.yaml').write_text('datasets:\n  - {name: ./a, weight: 1}\n  - {name: ./b, weight: 2}\n')
    flags_of_both = ('--stage=1', f'--config={tmp_path}/mix.yaml', '--target-samples=3000', '--seed=9', '--progress=off')
    for name, runner in (('direct', ()), ('out', flags)):
        done = run_process('text_mix', *flags_of_both, f'--raw-folder={tmp_path}/{name}', *runner)
        assert done.returncode == 0, done.stderr
    assert_same_output(tmp_path / 'direct', tmp_path / 'out')
    assert load(tmp_path / 'out' / 'run.json')['totals']['written'] == 3_000


@pytest.mark.parametrize('flags', [MULTI, *RUNNERS[:2]])
def test_read_hf_from_the_hub(hub, tmp_path, flags):
    for split, count in (('train', 400), ('test', 5)):
        rows = [{'id': i, 'text': f'{split} {i}'} for i in range(count)]
        (tmp_path / 'set').mkdir(exist_ok=True)
        (tmp_path / 'set' / f'{split}.jsonl').write_text(''.join(json.dumps(r) + '\n' for r in rows))
    hub.add('me/set', tmp_path / 'set')
    for name, runner in (('direct', ('--runner=DirectRunner',)), ('out', (*flags, f'--run={tmp_path}/run'))):
        subprocess.run([sys.executable, '-m', 'tests.dump_hf', 'hf://datasets/me/set', str(tmp_path / name), *runner],
                       check=True, capture_output=True, cwd=ROOT)
    assert (tmp_path / 'direct').read_bytes() == (tmp_path / 'out').read_bytes()
    assert (tmp_path / 'out').read_bytes().count(b'\n') == 404
    # Inside of a run its workers take over its settings, and show that they live.
    assert list((tmp_path / 'run' / 'cache' / 'blocks').rglob('0000000'))
    assert list((tmp_path / 'run' / 'alive').iterdir())


@pytest.mark.parametrize('flags', [MULTI, RUNNERS[0]])
@pytest.mark.parametrize('pipeline', [spec.name for spec in find_pipelines()])
def test_every_pipeline_finds_the_hub_on_its_workers(pipeline, hub, dataset, page_pdf, tmp_path, flags):
    """Beam finds hf:// by a class that somebody must have imported, on the worker too."""
    source = {'olmocr': dataset}.get(pipeline) or sample_folder(pipeline)
    if source is None:
        source = tmp_path / 'in'
        source.mkdir()
        (source / 'a.pdf').write_bytes(page_pdf)
    hub.add('me/set', source)
    sizes = ('--max_size=160',) if pipeline in ('olmocr', 'render_pdf') else ()
    for name, place, runner in (('direct', source, ()), ('out', 'hf://datasets/me/set', flags)):
        done = run_process(pipeline, f'--input={place}', f'--output={tmp_path}/{name}', '--progress=off', *sizes, *runner)
        assert done.returncode == 0, done.stderr
    for kind in ('*.png', '*.jpg', 'chat*.json', '*.jsonl.gz'):
        one, two = ({p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob(kind)}
                    for name in ('direct', 'out'))
        assert one == two
    assert load(tmp_path / 'out' / 'run.json')['totals'] == load(tmp_path / 'direct' / 'run.json')['totals']


@needs_flink
def test_the_engine_is_named_and_the_beams_warned_of(dataset, tmp_path):
    done = run_process('olmocr', f'--input={dataset}', f'--output={tmp_path}/out', *SMALL, '--runner=FlinkRunner',
                       '--limit=1')
    assert done.returncode == 0, done.stderr
    assert f'engine embedded Flink; job server: Flink {JAR.flink}, Beam {JAR.beam}' in done.stdout
    warned = [line for line in done.stderr.splitlines() if line.startswith('warning: the job server holds Beam')]
    assert (len(warned), done.stderr.count('\n')) == ((0, 0) if JAR.beam == apache_beam.__version__ else (1, 1))


@needs_flink
def test_a_run_that_cannot_go_on_says_why(dataset, tmp_path):
    done = run_process('olmocr', f'--input={dataset}', f'--output={tmp_path}/out', *SMALL, *EMBEDDED,
                       '--max_failures=0')
    assert done.returncode == 1
    assert 'failed' in done.stderr.splitlines()[-2]
    assert not (tmp_path / 'out' / '_SUCCESS').exists()


def test_no_java_is_one_line(dataset, tmp_path):
    done = run_process('olmocr', f'--input={dataset}', f'--output={tmp_path}/out', '--runner=FlinkRunner',
                       '--job_server_java_launcher=/no/java')
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert 'there is no Java' in done.stderr
