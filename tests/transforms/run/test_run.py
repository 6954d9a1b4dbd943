import pickle
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import orjson
import pytest
from apache_beam.testing.util import assert_that, equal_to

from tests.helpers import ROOT
from transforms.files.storage import RunAborted
from transforms.run import heartbeat, start_up_check
from transforms.run import run as runs
from transforms.run.heartbeat import at_work
from transforms.run.run import Run
from transforms.run.source import Source
from transforms.run.start_up_check import StartUpCheck


@pytest.fixture
def ours(tmp_path):
    found = Run('p', 'run-1', str(tmp_path / 'out'), str(tmp_path / 'out' / '.work'), (Source(root=str(tmp_path)),),
                byte_packages=('pymupdf',))
    found.claim()
    return found


def test_elements_pass_and_leave_a_sign_of_life(pipeline, ours, tmp_path):
    passed = pipeline | beam.Create(['a', 'b']) | StartUpCheck(ours)
    assert_that(passed, equal_to(['a', 'b']))
    pipeline.run().wait_until_finish()
    assert list((tmp_path / 'out' / '.work' / 'alive').iterdir())


def test_what_follows_in_the_stage_happens_within_the_check(ours, tmp_path):
    busy = []
    element = next(generator := start_up_check._StartUpCheckFn(ours).process('x'))
    busy.append(heartbeat._BEATS[ours.work]._busy)
    generator.close()  # as when the step after it raises
    assert (element, busy, heartbeat._BEATS[ours.work]._busy) == ('x', [1], 0)


def test_the_sign_of_life_moves_while_work_is_under_way(tmp_path, monkeypatch):
    monkeypatch.setattr(heartbeat, '_BEAT_SECONDS', 0.02)
    with at_work(str(tmp_path)):
        path = next((tmp_path / 'alive').iterdir())
        before, end = path.stat().st_mtime_ns, time.monotonic() + 10
        while path.stat().st_mtime_ns == before:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_finishing_removes_the_folder_and_it_stays_away(tmp_path, monkeypatch):
    import shutil

    monkeypatch.setattr(heartbeat, '_BEAT_SECONDS', 0.02)
    with at_work(str(tmp_path / 'work')):
        shutil.rmtree(tmp_path / 'work')
        time.sleep(0.2)
    assert not (tmp_path / 'work').exists()


@pytest.mark.parametrize(('change', 'words'), [
    ({'output': '/elsewhere', 'work': '/elsewhere/.work'}, 'does not see --output /elsewhere'),
    ({'sources': (Source(root='/no/such/input'),)}, 'does not see --input /no/such/input'),
    ({'run_id': 'run-0'}, 'another run has taken over')])
def test_a_worker_that_must_not_work(ours, change, words):
    with pytest.raises(RunAborted, match=words):
        replace(ours, **change).check()


def ours_versions(run):
    return orjson.loads((Path(run.work) / runs.CLAIM).read_bytes())['versions']


def test_a_worker_with_other_versions(ours, monkeypatch):
    monkeypatch.setattr(runs, '_worker_versions', lambda packages: {**ours_versions(ours), 'pymupdf': '1.0'})
    with pytest.raises(RunAborted, match='has pymupdf 1.0, the launcher'):
        ours.check()


def test_the_last_step_of_a_finished_run_may_run_again(ours, tmp_path):
    import shutil

    shutil.rmtree(ours.work)
    with pytest.raises(RunAborted):
        ours.check()
    (tmp_path / 'out').mkdir(exist_ok=True)
    (tmp_path / 'out' / 'run.json').write_bytes(orjson.dumps({'run_id': 'run-1'}))
    (tmp_path / 'out' / '_SUCCESS').write_bytes(b'')
    ours.check()


def test_without_a_run_nothing_is_checked():
    Run('p', '', '/nowhere', '/nowhere/.work').check()


def test_a_worker_that_has_only_the_check_finds_the_hub(hub, tmp_path):
    """Beam finds hf:// by a class that somebody must have imported: here a fresh process that is sent one step."""
    (tmp_path / 'set').mkdir()
    (tmp_path / 'set' / 'a.txt').write_text('a')
    hub.add('me/set', tmp_path / 'set')
    run = Run('p', 'run-1', str(tmp_path / 'out'), str(tmp_path / 'out' / '.work'),
              (Source(root=f'hf://datasets/me/set@{"a" * 40}'),))
    run.claim()
    step = pickle.dumps(start_up_check._StartUpCheckFn(run))
    code = 'import pickle, sys; print(list(pickle.loads(sys.stdin.buffer.read()).process(1)))'
    done = subprocess.run([sys.executable, '-c', code], input=step, capture_output=True, check=False, cwd=ROOT)
    assert (done.stdout, done.returncode) == (b'[1]\n', 0), done.stderr.decode()
