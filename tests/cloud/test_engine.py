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


def test_nothing_deletes_the_folder_of_a_job_that_runs(store, dataflow, source, output):
    process = start(store, dataflow, source, output)
    process.kill()
    process.communicate()
    before = store.names(output)
    for flags in (['--overwrite'], ['--overwrite', '--limit=1'], ['--retry_failed']):
        done = run(store, dataflow, source, output, *flags)
        assert done.returncode == 2
        assert 'is in use by the Dataflow job olmocr-' in done.stderr and 'gcloud dataflow jobs cancel' in done.stderr
    assert 'following it' not in done.stdout
    assert (store.names(output), len(dataflow.jobs)) == (before, 1)
    looked = run(store, dataflow, source, output, '--overwrite', '--dry_run')
    assert looked.returncode == 0, looked.stderr
    assert store.names(output) == before
    dataflow.only['currentState'] = 'JOB_STATE_CANCELLED'
    dataflow.refuse = 400, 'no'
    assert 'has not taken the job: no' in run(store, dataflow, source, output, '--overwrite').stderr


def test_a_job_of_another_output_with_the_same_name(store, dataflow, source, output):
    named = ('--job_name=nightly',)
    first = run_in_background(store, dataflow, source, f'{output}/a', *named)
    for _ in range(2):
        done = run(store, dataflow, source, f'{output}/b', *named)
        assert done.returncode == 1
        assert 'There is already an active job with the name nightly: a job of another output has this name' in done.stderr
        assert 'following it' not in done.stdout
    again = run_in_background(store, dataflow, source, f'{output}/a', *named, kill=first)
    assert dataflow.only['labels']['training-data-run']
    again.send_signal(signal.SIGINT)
    said, _ = again.communicate(timeout=60)
    assert 'the Dataflow job nightly' in said and 'following it' in said
    assert dataflow.only['currentState'] == 'JOB_STATE_CANCELLED'


def run_in_background(store, dataflow, source, output, *flags, kill=None):
    """A launcher whose job was taken; with `kill` that one ends before, and its job is followed."""
    if kill:
        kill.kill()
        kill.communicate()
    dataflow.asked.clear()
    process = subprocess.Popen(command('olmocr', *flags_of(dataflow), f'--input={source}', f'--output={output}', *SMALL, *flags), cwd=ROOT,
                               env={**os.environ, **store.environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: dataflow.jobs and any('messages' in path for path in dataflow.asked), process)
    return process


def test_two_launchers_at_once_submit_one_job(store, dataflow, source, output):
    dataflow.create_seconds = 15
    processes = [started(store, dataflow, source, output)]
    wait_for(lambda: dataflow.jobs, processes[0])  # taken, and not answered yet: no id in the note
    dataflow.asked.clear()
    processes.append(started(store, dataflow, source, output))
    wait_for(lambda: any(path.endswith('/jobs') for path in dataflow.asked), processes[1])  # it looks for the job of the note
    time.sleep(5)
    assert [process.poll() for process in processes] == [None, None]
    dataflow.only['currentState'] = 'JOB_STATE_CANCELLED'
    said = [process.communicate(timeout=60) for process in processes]
    assert 'submitted the Dataflow job' in said[0][0] and 'following it' in said[1][0]


def test_a_launcher_that_is_killed_while_it_submits(store, dataflow, source, output):
    dataflow.create_seconds = 5
    process = started(store, dataflow, source, output)
    wait_for(lambda: dataflow.jobs, process)
    process.kill()
    process.communicate()
    dataflow.asked.clear()
    again = started(store, dataflow, source, output)
    wait_for(lambda: any('messages' in path for path in dataflow.asked), again)
    assert len(dataflow.jobs) == 1
    dataflow.only['currentState'] = 'JOB_STATE_CANCELLED'
    assert 'following it' in again.communicate(timeout=60)[0]


def test_ctrl_c_while_a_job_is_submitted_cancels_it(store, dataflow, source, output):
    dataflow.create_seconds = 20
    process = started(store, dataflow, source, output)
    wait_for(lambda: dataflow.jobs, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, dataflow.only['currentState']) == (130, 'JOB_STATE_CANCELLED')
    assert 'is cancelled; the same command goes on from there' in said


@pytest.mark.parametrize('text', ['', '{"eng', '[]', '{"engine": "dataflow"}', '{"engine": "spark"}', '{"job": "x"}',
                                  '{"engine": "dataflow", "project": "p", "region": "r", "job": "j", "run": "r", "id": 5}'])
def test_a_damaged_note_is_said_and_nothing_is_submitted(store, dataflow, source, output, text):
    store.bucket.blob(f"{output.removeprefix(f'gs://{BUCKET}/')}/.work/remote_job.json").upload_from_string(text)
    done = run(store, dataflow, source, output)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert 'remote_job.json, where a launcher wrote down its job, cannot be read (it ' in done.stderr
    assert not dataflow.jobs


def test_answers_that_are_none(store, dataflow, source, output):
    dataflow.garbage = b'<html><body>Please log in</body></html>'
    done = run(store, dataflow, source, output)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert 'the Dataflow API cannot be reached (what it answers is no answer' in done.stderr
    dataflow.garbage = b''
    process = start(store, dataflow, source, output)
    dataflow.garbage = b'{"id": '
    time.sleep(8)
    assert process.poll() is None
    dataflow.garbage = b''
    dataflow.only['currentState'] = 'JOB_STATE_CANCELLED'
    assert 'was cancelled' in process.communicate(timeout=60)[1]


def test_no_answer_to_a_job_that_was_taken(store, dataflow, source, output):
    dataflow.garbage, dataflow.garbage_for = b'<html>', 'POST '
    done = run(store, dataflow, source, output)
    assert done.returncode == 1
    assert 'Dataflow answers what is no answer' in done.stderr and 'Traceback' not in done.stderr
    dataflow.garbage = b''
    process = started(store, dataflow, source, output)
    wait_for(lambda: any('messages' in path for path in dataflow.asked), process)
    dataflow.only['currentState'] = 'JOB_STATE_CANCELLED'
    assert 'following it' in process.communicate(timeout=60)[0]


def test_what_is_refused_for_a_while(store, dataflow, source, output):
    process = start(store, dataflow, source, output)
    dataflow.forbidden = 'The caller does not have permission'
    time.sleep(8)
    dataflow.forbidden_for = 'messages'
    time.sleep(8)
    assert process.poll() is None
    dataflow.only['currentState'] = 'JOB_STATE_CANCELLED'
    said = process.communicate(timeout=60)[1]
    assert said.count('Dataflow does not tell how the job fares (The caller does not have permission): asking again') == 1
    assert said.count("the job's warnings and errors cannot be read (The caller does not have permission); its state can") == 1
    assert 'was cancelled' in said


def test_a_log_without_end(store, dataflow, source, output):
    dataflow.is_endless = True
    process = start(store, dataflow, source, output)
    for i in range(3000):
        dataflow.say(dataflow.only['id'], 'JOB_MESSAGE_WARNING', f'\x1b[31mwarning {i}')
    dataflow.say(dataflow.only['id'], 'JOB_MESSAGE_ERROR', 'Traceback (most recent call last):')
    dataflow.say(dataflow.only['id'], 'JOB_MESSAGE_ERROR', '  File "x.py", line 1, in f')
    dataflow.say(dataflow.only['id'], 'JOB_MESSAGE_ERROR', "ValueError: this it was [while running 'A']")
    dataflow.say(dataflow.only['id'], 'JOB_MESSAGE_ERROR', 'A work item was attempted 4 times without success.')
    time.sleep(8)
    dataflow.only['currentState'] = 'JOB_STATE_FAILED'
    said = process.communicate(timeout=90)[1]
    assert said.count('warning: \\x1b[31mwarning') == 40 and '\x1b' not in said
    assert 'there are more warnings and errors in its log' in said
    assert "is failed: the pipeline failed: ValueError: this it was [while running 'A']" in said
