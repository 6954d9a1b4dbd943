"""A run that is killed at any moment goes on and ends with the same bytes."""

import os
import random
import signal
import subprocess
import time

import pytest

from beam_pipelines.plans.olmocr import SAMPLE
from benchmarks.make_large import make
from tests.helpers import ROOT, assert_same_output, command

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1200)]
FLAGS = ('--max_size=1024', '--progress=off')


@pytest.fixture(scope='module')
def large(tmp_path_factory):
    """1,500 pages in three tarballs: ten times a moment's work."""
    root = tmp_path_factory.mktemp('large') / 'in'
    make(SAMPLE, root, 1500, 3, 1, 1)
    return root


@pytest.fixture(scope='module')
def undisturbed(large, tmp_path_factory):
    output = tmp_path_factory.mktemp('whole') / 'out'
    start = time.monotonic()
    subprocess.run(command('olmocr', f'--input={large}', f'--output={output}', *FLAGS), cwd=ROOT, check=True,
                   capture_output=True)
    return output, time.monotonic() - start


def start(large, output, *flags) -> subprocess.Popen:
    return subprocess.Popen(command('olmocr', f'--input={large}', f'--output={output}', *FLAGS, *flags), cwd=ROOT,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def images(output) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in output.rglob('images/**/*.png')}


@pytest.mark.parametrize('mode', ['in_memory', 'multi_processing'])
def test_kill_9_of_the_process_group_at_ten_random_moments(large, undisturbed, tmp_path, mode):
    whole, seconds = undisturbed
    flags = (f'--direct_running_mode={mode}', '--direct_num_workers=2') if mode == 'multi_processing' else ()
    moments, killed, seen = random.Random(20261121), 0, {}
    for _ in range(10):
        running = start(large, tmp_path / 'out', *flags)
        time.sleep(moments.uniform(1.0, max(4.0, seconds * 0.3)))
        if running.poll() is not None:
            break  # done before its turn to be killed came
        killed += 1
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        now = images(tmp_path / 'out')
        assert {path: now[path] for path in seen} == seen, 'a finished page was drawn again'
        seen = now
    last = start(large, tmp_path / 'out', *flags)
    printed = last.communicate()
    assert last.returncode == 0, printed
    now = images(tmp_path / 'out')
    assert {path: now[path] for path in seen} == seen
    assert killed >= 3
    assert_same_output(whole, tmp_path / 'out')


@pytest.mark.parametrize('whole_group', [True, False])
def test_ctrl_c_is_one_line_and_resumable(large, undisturbed, tmp_path, whole_group):
    running = start(large, tmp_path / 'out')
    while len(images(tmp_path / 'out')) < 20:
        assert running.poll() is None, running.communicate()
        time.sleep(0.02)
    (os.killpg if whole_group else os.kill)(running.pid, signal.SIGINT)
    _, stderr = running.communicate(timeout=10)
    assert running.returncode == 130
    assert [line for line in stderr.splitlines() if line][0].startswith('interrupted: ')
    assert len([line for line in stderr.splitlines() if line]) == 1
    again = start(large, tmp_path / 'out')
    assert 'resuming' in again.communicate()[0]
    assert_same_output(undisturbed[0], tmp_path / 'out')
