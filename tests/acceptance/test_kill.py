"""A run that is killed at any moment goes on and ends with the same bytes."""

import os
import signal
import subprocess
import time

import pytest

from beam_pipelines.samples import sample_folder
from benchmarks.make_large import make
from tests.helpers import ROOT, assert_same_output, command, kill_at_random_moments, written_images

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
    return subprocess.Popen(command('olmocr', f'--input={large}', f'--output={output}', *FLAGS, *flags), cwd=ROOT,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


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
