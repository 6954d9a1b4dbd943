"""Wrong use as users meet it: one clear line, the documented exit code, nothing half-written."""

import os
import shutil
import signal
import subprocess
import time

import pytest

from tests.helpers import ROOT, assert_same_output, command, load, run_process

QUICK = ('--max_size=160', '--progress=off')


def errors_of(done: subprocess.CompletedProcess) -> list[str]:
    return [line for line in done.stderr.splitlines() if line.strip()]


@pytest.mark.parametrize(('flags', 'words'), [
    (('--split=test',), '--split=test is none of all, train, eval'),
    (['--otput=x'], 'unknown flag --otput; did you mean --output?'), (['--input=/no/such'], 'does not exist'),
    (['--max_size=1'], 'max_size is 1'), (['--stage=convert'], 'needs --input'), (['--blank_pages=keep'], '--blank_answer'),
    (['--prompt=see <image>'], 'must not hold <image>'), (['--runner=NoSuchRunner'], 'NoSuchRunner'),
    (['--direct_running_mode=multi_threading'], 'loses records')])
def test_one_line_and_code_2(tmp_path, flags, words):
    done = run_process('olmocr', f'--output={tmp_path}/out', *flags)
    assert done.returncode == 2
    assert len(errors_of(done)) == 1
    assert words in done.stderr
    assert not (tmp_path / 'out').exists()


def test_an_unreadable_parquet(tmp_path, dataset):
    shutil.copytree(dataset, tmp_path / 'd')
    path = tmp_path / 'd' / '00_documents_train.parquet'
    path.write_bytes(path.read_bytes()[:500])
    done = run_process('olmocr', f'--input={tmp_path}/d', f'--output={tmp_path}/out')
    assert (done.returncode, len(errors_of(done))) == (2, 1)
    assert 'cannot be read as Parquet' in done.stderr


def test_somebody_elses_folder(tmp_path, dataset):
    (tmp_path / 'thesis.doc').write_text('years of work')
    for flags in ([], ['--overwrite']):
        done = run_process('olmocr', f'--input={dataset}', f'--output={tmp_path}', *QUICK, *flags)
        assert (done.returncode, len(errors_of(done))) == (2, 1)
        assert 'not empty and not the output of a pipeline of ours' in done.stderr
        assert os.listdir(tmp_path) == ['thesis.doc']


def test_a_file_as_output(tmp_path, dataset):
    (tmp_path / 'out').write_text('x')
    done = run_process('olmocr', f'--input={dataset}', f'--output={tmp_path}/out', *QUICK)
    assert (done.returncode, len(errors_of(done))) == (2, 1)


def test_no_permission(tmp_path, dataset):
    if os.geteuid() == 0:
        output = '/proc/self/out'  # no one may make folders there, not even root
    else:
        (tmp_path / 'locked').mkdir(mode=0o500)
        output = f'{tmp_path}/locked/out'
    done = run_process('olmocr', f'--input={dataset}', f'--output={output}', *QUICK)
    assert (done.returncode, len(errors_of(done))) == (2, 1)
    assert 'cannot be written' in done.stderr


def test_two_runs_on_one_folder(tmp_path, dataset):
    first = subprocess.Popen(command('olmocr', f'--input={dataset}', f'--output={tmp_path}/out', '--progress=off'),
                             cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / 'out' / '.work' / 'state.json').exists():
        assert first.poll() is None, first.communicate()
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGSTOP)
    second = run_process('olmocr', f'--input={dataset}', f'--output={tmp_path}/out')
    os.kill(first.pid, signal.SIGCONT)
    assert (second.returncode, len(errors_of(second))) == (2, 1)
    assert f'in use by another run (process {first.pid})' in second.stderr
    first.communicate()
    assert first.returncode == 0


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB."""
    folder = tmp_path / 'small'
    folder.mkdir()
    made = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', str(folder)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip('a small file system can only be made as root')
    yield folder
    subprocess.run(['umount', '-l', str(folder)], check=True)


def test_a_disk_that_is_too_small_is_seen_before_the_start(small_disk):
    done = run_process('olmocr', f'--output={small_disk}/out', '--max_size=4000')
    assert (done.returncode, len(errors_of(done))) == (2, 1)
    assert '--force' in done.stderr
    assert not (small_disk / 'out').exists()


def test_a_disk_that_fills_stops_the_run_and_it_can_go_on(small_disk, tmp_path):
    flags = ('--force', '--progress=off', '--max_size=2500', '--png_codec=zlib')
    (small_disk / 'ballast').write_bytes(b'x' * 1_800_000)
    done = run_process('olmocr', f'--output={small_disk}/out', *flags)
    assert (done.returncode, len(errors_of(done))) == (1, 1), done.stderr
    assert 'no space left' in done.stderr
    assert not (small_disk / 'out' / '_SUCCESS').exists()
    subprocess.run(['mount', '-o', 'remount,size=60m', str(small_disk)], check=True)
    assert run_process('olmocr', f'--output={small_disk}/out', *flags).returncode == 0
    assert run_process('olmocr', f'--output={tmp_path}/whole', *flags).returncode == 0
    assert_same_output(small_disk / 'out', tmp_path / 'whole')


def test_another_package_of_the_same_name_is_told(tmp_path):
    (tmp_path / 'transforms').mkdir()
    (tmp_path / 'transforms' / '__init__.py').write_text('')
    done = run_process('olmocr', '--plan', cwd=tmp_path, env={'PYTHONPATH': f'{tmp_path}:{ROOT}'})
    assert done.returncode == 2
    assert "the package 'transforms'" in done.stderr


def test_help_needs_no_input_and_lists_pipelines():
    done = run_process('olmocr', '--help')
    assert (done.returncode, done.stderr) == (0, '')
    listed = subprocess.run(command('olmocr')[:2] + ['beam_pipelines'], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == [
        'convert', 'llava_cc3m', 'olmocr', 'render_pdf', 'text_clean', 'text_mix', 'describe_dataset', 'uids']


def test_the_embedded_sample_runs_without_flags(tmp_path):
    done = run_process('olmocr', '--runner=DirectRunner', cwd=tmp_path, env={'PYTHONPATH': str(ROOT)})
    assert done.returncode == 0, done.stderr
    assert done.stderr == ''
    assert '--input hf://datasets/allenai/olmOCR-mix-1025 --limit 100' in done.stdout
    assert load(tmp_path / 'output' / 'olmocr' / 'run.json')['totals']['written'] == 17


def test_deleting_begins_with_what_says_done_and_ends_with_whose_it_is(tmp_path, monkeypatch):
    from beam_pipelines.launcher import folder

    for name in ('_SUCCESS', 'a', 'run.json', 'z'):
        (tmp_path / name).write_text('{}')
    (tmp_path / '.work').mkdir()
    gone = []
    real = folder.os.unlink
    monkeypatch.setattr(folder.os, 'unlink', lambda path: gone.append(os.path.basename(path)) or real(path))
    folder.clear(str(tmp_path))
    assert gone == ['_SUCCESS', 'a', 'z', 'run.json']
