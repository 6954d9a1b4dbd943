"""A run that is killed at any moment goes on and ends with the same bytes."""

import gzip
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_pipelines.samples import sample_folder
from benchmarks.make_large import make
from tests.helpers import (
    ROOT,
    assert_same_output,
    command,
    kill_at_random_moments,
    load,
    run_process,
    started,
    written_images,
    written_shards,
)

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1200)]
FLAGS = ('--max_size=1024', '--progress=off')


@pytest.fixture(scope='module')
def large(tmp_path_factory):
    """1,500 pages in three tarballs: ten times a moment's work."""
    root = tmp_path_factory.mktemp('large') / 'in'
    make(sample_folder('olmocr'), root, 1500, 3, 1, 1)
    return root


@pytest.fixture(scope='module')
def undisturbed(large, tmp_path_factory):
    output = tmp_path_factory.mktemp('whole') / 'out'
    subprocess.run(command('olmocr', f'--input={large}', f'--output={output}', *FLAGS), cwd=ROOT, check=True,
                   capture_output=True)
    return output


def start(large, output, *flags) -> subprocess.Popen:
    return started('olmocr', f'--input={large}', f'--output={output}', *FLAGS, *flags)


@pytest.mark.parametrize('mode', ['in_memory', 'multi_processing'])
def test_kill_9_of_the_process_group_at_ten_random_moments(large, undisturbed, tmp_path, mode):
    flags = (f'--direct_running_mode={mode}', '--direct_num_workers=2') if mode == 'multi_processing' else ()
    output, total = tmp_path / 'out', len(written_images(undisturbed))
    killed = kill_at_random_moments(lambda: start(large, output, *flags), lambda: written_images(output), total, 10, 20261121)
    seen = written_images(output)
    last = start(large, output, *flags)
    printed = last.communicate()
    assert last.returncode == 0, printed
    now = written_images(output)
    assert {path: now[path] for path in seen} == seen
    assert killed >= 3
    assert_same_output(undisturbed, output)


@pytest.mark.parametrize('whole_group', [True, False])
def test_ctrl_c_is_one_line_and_resumable(large, undisturbed, tmp_path, whole_group):
    running = start(large, tmp_path / 'out')
    while len(written_images(tmp_path / 'out')) < 20:
        assert running.poll() is None, running.communicate()
        time.sleep(0.02)
    (os.killpg if whole_group else os.kill)(running.pid, signal.SIGINT)
    _, stderr = running.communicate(timeout=10)
    assert running.returncode == 130
    assert [line for line in stderr.splitlines() if line][0].startswith('interrupted: ')
    assert len([line for line in stderr.splitlines() if line]) == 1
    again = start(large, tmp_path / 'out')
    assert 'resuming' in again.communicate()[0]
    assert_same_output(undisturbed, tmp_path / 'out')


@pytest.mark.parametrize(('workers', 'kind'), [
    (2, 'jsonl'), (1, 'parquet'), pytest.param(1, 'jsonl', marks=pytest.mark.soak), pytest.param(2, 'parquet', marks=pytest.mark.soak)])
def test_convert_killed_at_ten_random_moments_goes_on_at_the_next_part(tmp_path, kind, workers):
    source, output = tmp_path / 'in', tmp_path / 'out'
    source.mkdir()
    with open(source / 'train.jsonl', 'w', encoding='utf-8') as file:
        for i in range(400_000):
            file.write(f'{{"id": {i}, "text": "{"lorem ipsum dolor " * (i % 17)}", "meta": {{"n": {i}}}}}\n')
    flags = ('convert', f'--input={source}', f'--format={kind}', '--shard_size=1MB', '--progress=off', f'--num_workers={workers}')

    def begin() -> subprocess.Popen:
        return started(*flags, f'--output={output}')

    subprocess.run(command(*flags, f'--output={tmp_path}/whole'), cwd=ROOT, check=True, capture_output=True)
    total = len(written_shards(tmp_path / 'whole'))
    # Each run but the first is killed while it resumes.
    killed = kill_at_random_moments(begin, lambda: written_shards(output), total, 10, 20261126, again=workers)
    seen = written_shards(output)
    last = begin()
    printed = last.communicate()
    assert last.returncode == 0, printed
    now = written_shards(output)
    assert sum(now[path] != seen[path] for path in seen) <= workers
    assert (total >= 60, killed >= 4) == (True, True), (total, killed)
    assert_same_output(tmp_path / 'whole', output)


@pytest.mark.parametrize('workers', [pytest.param(1, marks=pytest.mark.soak), 2])
def test_text_killed_at_ten_random_moments_goes_on_at_the_next_part(tmp_path, workers):
    """In either pass: while documents are cleaned, and while those that stay are written."""
    source, output = tmp_path / 'in', tmp_path / 'out'
    source.mkdir()
    # A plain file, and one that is inflated first.
    with open(source / 'train-0.jsonl', 'w', encoding='utf-8') as plain, gzip.open(source / 'train-1.jsonl.gz', 'wt', encoding='utf-8', compresslevel=1) as packed:
        for i in range(100_000):
            (plain if i < 60_000 else packed).write(f'{{"id": {i}, "r": "{random.Random(i).randbytes(120).hex() if i >= 60_000 else ""}", '
                                                    f'"text": "<p>{f"lorem ipsum {i % 60_001} dolor sit amet " * 12}</p>"}}\n')
    flags = ('text_clean', f'--input={source}', '--shard_size=1MB', '--progress=off', f'--num_workers={workers}')

    def begin() -> subprocess.Popen:
        return started(*flags, f'--output={output}')

    def both_passes() -> dict[str, int]:
        kept = output / '.work' / 'kept'
        cleaned = {path.name: path.stat().st_mtime_ns for path in kept.glob('documents-*.arrow')} if kept.exists() else {}
        return {**cleaned, **written_shards(output)}

    subprocess.run(command(*flags, f'--output={tmp_path}/whole'), cwd=ROOT, check=True, capture_output=True)
    total = 2 * len(written_shards(tmp_path / 'whole'))
    killed = kill_at_random_moments(begin, both_passes, total, 10, 20261130, again=workers)
    last = begin()
    printed = last.communicate()
    assert last.returncode == 0, printed
    assert (total >= 60, killed >= 4) == (True, True), (total, killed)
    assert_same_output(tmp_path / 'whole', output)
    assert load(output / 'run.json')['totals']['dropped'] == {'duplicate': 39_999}


def write_source(folder: Path, number: int) -> None:
    """A Parquet of many row groups, or a gz; of every other source a third of the rows have no text."""
    folder.mkdir(parents=True)
    texts = [None if i % 3 == 0 and number % 2 else f'{random.Random(10_000 * number + i).randbytes(300).hex()} {i}' for i in range(3_000)]
    if number < 8:
        pq.write_table(pa.table({'text': texts, 'n': range(3_000)}), folder / 'train.parquet', row_group_size=100)
    else:
        with gzip.open(folder / 'train.jsonl.gz', 'wt', compresslevel=1) as packed:
            packed.writelines(json.dumps({'text': text}) + '\n' for text in texts)


@pytest.mark.parametrize('workers', [1, pytest.param(2, marks=pytest.mark.soak)])
def test_a_sample_killed_at_ten_random_moments_fetches_no_finished_source_again(hub, tmp_path, workers):
    """While candidates are read, in either round, and while the sample is written."""
    names = [f'me/s{number}' for number in range(12)]
    for number, name in enumerate(names):
        write_source(tmp_path / 'sets' / str(number), number)
        hub.add(name, tmp_path / 'sets' / str(number))
    (tmp_path / 'mix.yaml').write_text('datasets:\n' + ''.join(f'  - {{name: {name}, weight: 1}}\n' for name in names))
    flags = ('text_mix', '--stage=1', f'--config={tmp_path}/mix.yaml', '--target-samples=18000', '--seed=4', '--progress=off', f'--num_workers={workers}')
    output = tmp_path / 'out'

    def begin() -> subprocess.Popen:
        return started(*flags, f'--raw-folder={output}')

    def done() -> dict[str, int]:
        kept = output / '.work' / 'kept'
        return {path.name: path.stat().st_mtime_ns for path in kept.glob('*') if '.tmp' not in path.name} if kept.exists() else {}

    subprocess.run(command(*flags, f'--raw-folder={tmp_path}/whole'), cwd=ROOT, check=True, capture_output=True)
    hub.fault = lambda asked: time.sleep(0.02)  # so that reading takes a while
    killed = kill_at_random_moments(begin, done, 24, 10, 20261130 + workers, again=workers)
    read, before = done(), len(hub.asked)
    last = begin()
    printed = last.communicate()
    assert last.returncode == 0, printed
    assert killed >= 4, killed
    assert_same_output(tmp_path / 'whole', output)
    assert load(output / 'run.json')['totals']['written'] == 18_000
    finished = [number for number in range(0, 12, 2) if any(name.startswith(f'candidates-{number:05d}') for name in read)]
    assert finished, 'nothing was finished when it was killed last'
    again = [asked.path for asked in hub.asked[before:] if any(f'me/s{number}/resolve/' in asked.path or f'sets%2F{number}%2F' in asked.path for number in finished)]
    assert not again, 'files of finished sources were asked for again'


def killed_at(running: subprocess.Popen, path) -> bool:
    """Kills a run as soon as a file or folder is there; False when it ended first."""
    while running.poll() is None:
        if path.exists():
            os.killpg(running.pid, signal.SIGKILL)
            running.communicate()
            return True
    return False


# What appears while parts are finished, then while they are joined, in this order.
MOMENTS = ('.work/parts', 'records/part-00000-of-00001.parquet', '.work/parts/chat.json-00000', '.work/parts/chat.json-00000.ids',
           'errors.jsonl', 'chat.json', 'chat_eval.json', 'report.html', 'manifest.json', 'run.json')


@pytest.mark.parametrize('flags', [(), ('--direct_running_mode=multi_processing', '--direct_num_workers=2')], ids=['one', 'workers'])
def test_kill_9_while_parts_are_finished_and_joined(large, undisturbed, tmp_path, flags):
    output, killed = tmp_path / 'out', []
    for moment in MOMENTS:
        target = output / moment
        if output.exists():  # what an earlier try left is made anew; its sight must not count
            subprocess.run(['rm', '-rf', str(target)], check=True)
        if killed_at(start(large, output, *flags), target):
            killed.append(moment)
        assert not (output / '_SUCCESS').exists() or (output / 'run.json').exists()
        if (output / '_SUCCESS').exists():
            break
    assert len(killed) >= 6, killed
    last = start(large, output, *flags)
    printed = last.communicate()
    assert last.returncode == 0, printed
    assert_same_output(undisturbed, output)


def test_a_disk_that_is_full_when_the_run_is_finished(tmp_path):
    source = sample_folder('olmocr')
    assert run_process('olmocr', f'--input={source}', f'--output={tmp_path}/whole', *FLAGS).returncode == 0
    disk = tmp_path / 'disk'
    disk.mkdir()
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', str(disk)], capture_output=True, check=False).returncode:
        pytest.skip('no right to mount a disk of its own')
    try:
        output = disk / 'out'
        assert killed_at(start(source, output), output / '.work' / 'parts')
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        (disk / 'filler').write_bytes(b'x' * (free - 40_000))
        full = run_process('olmocr', f'--input={source}', f'--output={output}', *FLAGS, '--force')
        assert full.returncode == 1, full.stdout
        assert 'no space left' in full.stderr
        assert not (output / '_SUCCESS').exists()
        assert not (output / 'manifest.json').exists()
        (disk / 'filler').unlink()
        assert run_process('olmocr', f'--input={source}', f'--output={output}', *FLAGS).returncode == 0
        assert_same_output(tmp_path / 'whole', output)
    finally:
        subprocess.run(['umount', str(disk)], check=False)
