"""The engine against a Dataflow that answers as the test tells it."""

import os
import signal
import subprocess
import time

import pytest

from tests.cloud.conftest import BUCKET, flags_of, runs_jobs
from tests.helpers import ROOT, command, run_process

SMALL = ('--max_size=160',)


@pytest.fixture(scope='module')
def source(store, dataset):
    return store.put(dataset, 'engine-in')


@pytest.fixture
def output(request):
    return f'gs://{BUCKET}/engine/{request.node.name}'


def run(store, dataflow, source, output, *flags):
    return run_process('olmocr', *flags_of(dataflow), f'--input={source}', f'--output={output}', *SMALL, *flags, env=store.environment)


def started(store, dataflow, source, output):
    """A launcher under way."""
    return subprocess.Popen(command('olmocr', *flags_of(dataflow), f'--input={source}', f'--output={output}', *SMALL), cwd=ROOT,
                            env={**os.environ, **store.environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def start(store, dataflow, source, output):
    """A launcher under way whose job was taken."""
    before = len(dataflow.jobs)
    process = started(store, dataflow, source, output)
    wait_for(lambda: len(dataflow.jobs) > before and any('messages' in path for path in dataflow.asked), process)
    return process


def wait_for(happens, process=None):
    end = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < end and (process is None or process.poll() is None), process and process.communicate()
        time.sleep(0.1)


def test_a_quota_that_is_used_up(store, dataflow, source, output):
    dataflow.refuse = 429, 'Quota exceeded for quota metric CPUS of project my-project.'
    done = run(store, dataflow, source, output)
    assert done.returncode == 1
    assert 'error: Dataflow has not taken the job: Quota exceeded for quota metric CPUS of project my-project.: raise the quota' in done.stderr
    assert 'Traceback' not in done.stderr
    dataflow.refuse = None
    runs_at_once(dataflow)
    again = run(store, dataflow, source, output)
    assert 'the job failed as it was told to' in again.stderr  # it was submitted, which is what matters here


def runs_at_once(dataflow):
    """Each job fails at once, with a line of its workers."""
    def fail(job):
        dataflow.say(job['id'], 'JOB_MESSAGE_ERROR', 'Traceback (most recent call last):\n  File "x.py", line 1\n'
                     'transforms.files.abort.RunAborted: the job failed as it was told to [while running \'A\']')
        dataflow.say(job['id'], 'JOB_MESSAGE_ERROR', 'A work item was attempted 4 times without success.')
        job['currentState'] = 'JOB_STATE_FAILED'

    dataflow.on_create = fail


def test_a_job_that_fails_and_is_submitted_again(store, dataflow, source, output, tmp_path):
    runs_at_once(dataflow)
    done = run(store, dataflow, source, output)
    assert done.returncode == 1
    assert 'is failed: the job failed as it was told to. The same command goes on from there' in done.stderr
    assert 'Traceback' not in done.stderr.splitlines()[-1]
    runs_jobs(dataflow, 'python', tmp_path, store)
    again = run(store, dataflow, source, output)
    assert again.returncode == 0, again.stderr
    assert 'of this output is over (failed): another one goes on from there' in again.stderr
    assert 'resuming: what is finished is kept' in again.stdout
    assert '_SUCCESS' in store.names(output) and len(dataflow.jobs) == 2
    # Finished: it is shown, and nothing is submitted.
    shown = run(store, dataflow, source, output)
    assert (shown.returncode, len(dataflow.jobs)) == (0, 2)
    assert 'is complete already, nothing to do' in shown.stdout
    other = run(store, dataflow, source, output, '--seed=5')
    assert other.returncode == 2 and '--seed was' in other.stderr


def test_a_job_that_is_cancelled_elsewhere(store, dataflow, source, output):
    process = start(store, dataflow, source, output)
    dataflow.only['currentState'] = 'JOB_STATE_CANCELLED'
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert 'was cancelled; the same command goes on from there' in said


def test_an_api_that_is_away_for_a_while(store, dataflow, source, output):
    process = start(store, dataflow, source, output)
    dataflow.away_until = time.monotonic() + 12
    time.sleep(13)
    assert process.poll() is None
    dataflow.only['currentState'] = 'JOB_STATE_CANCELLED'
    _, said = process.communicate(timeout=60)
    assert 'was cancelled' in said


def test_ctrl_c_cancels_the_job(store, dataflow, source, output):
    process = start(store, dataflow, source, output)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert dataflow.only['currentState'] == 'JOB_STATE_CANCELLED'
    assert 'is cancelled; the same command goes on from there' in said


def test_sigterm_leaves_the_job(store, dataflow, source, output):
    process = start(store, dataflow, source, output)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143
    assert dataflow.only['currentState'] == 'JOB_STATE_PENDING'
    assert 'goes on and finishes by itself; the same command finds it again' in said


def test_the_same_command_finds_its_job_after_a_kill(store, dataflow, source, output):
    process = start(store, dataflow, source, output)
    process.kill()
    process.communicate()
    found = started(store, dataflow, source, output)
    time.sleep(8)
    assert found.poll() is None
    # Other options, and another runner, keep out while it runs.
    other = run(store, dataflow, source, output, '--seed=5')
    assert other.returncode == 2 and '--seed was' in other.stderr
    local = run_process('olmocr', f'--input={source}', f'--output={output}', *SMALL, env=store.environment)
    assert local.returncode == 2
    assert 'is in use by the Dataflow job olmocr-' in local.stderr
    dataflow.only['currentState'] = 'JOB_STATE_CANCELLED'
    said, _ = found.communicate(timeout=60)
    assert 'of this output is pending: following it' in said
    assert len(dataflow.jobs) == 1
