import pytest

from beam_pipelines.launcher import note
from beam_pipelines.launcher.flink.remote_job import RemoteJob
from beam_pipelines.launcher.flink.rest import FlinkCluster, Unreachable
from beam_pipelines.launcher.remote import refuse_if_running
from beam_pipelines.launcher.spec import UsageError
from tests.flink_rest import FakeCluster, serving


@pytest.fixture
def fake():
    cluster = FakeCluster()
    with serving(cluster):
        yield cluster


def test_a_job_is_found_by_its_name_and_followed(fake, tmp_path):
    remote = RemoteJob(FlinkCluster(fake.url), 'olmocr-1', str(tmp_path))
    assert remote.poll() is None
    assert not remote.is_running
    fake.jobs = {'old': {'name': 'olmocr-1', 'state': 'FAILED', 'start': 1},
                 'new': {'name': 'olmocr-1', 'state': 'RUNNING', 'start': 2}}
    before = remote.poll()
    fake.jobs['new']['records'] = 5
    assert before.id == 'new'
    assert remote.poll().marks != before.marks
    assert remote.is_running
    fake.jobs['new'].update(exceptions=['second', 'first'], state='FAILED')
    assert (remote.poll().is_over, remote.is_running, remote.failures()) == (True, False, ['second', 'first'])


def test_a_job_that_the_cluster_forgot_is_lost(fake, tmp_path):
    remote = RemoteJob(FlinkCluster(fake.url), 'a', str(tmp_path))
    for _ in range(9):
        remote.poll()
    assert not remote.is_lost  # it may not have been submitted yet
    fake.jobs = {'1': {'name': 'a', 'state': 'RUNNING'}}
    remote.poll()
    fake.jobs = {}
    for _ in range(5):
        assert not remote.is_lost
        remote.poll()
    assert remote.is_lost


def test_cancelling_waits_for_the_end(fake, tmp_path):
    fake.jobs = {'1': {'name': 'a', 'state': 'RUNNING'}}
    assert RemoteJob(FlinkCluster(fake.url), 'a', str(tmp_path)).cancel(5)
    assert fake.cancelled == ['1']
    assert RemoteJob(FlinkCluster('http://127.0.0.1:9'), 'a', str(tmp_path)).cancel(1) is False


def test_cancelling_a_job_that_was_never_seen(fake, tmp_path):
    remote = RemoteJob(FlinkCluster(fake.url), 'a', str(tmp_path))
    assert not remote.asked_once()
    assert remote.cancel(10)
    assert not remote.was_seen
    fake.jobs = {'1': {'name': 'a', 'state': 'RUNNING'}}
    assert remote.asked_once()
    assert remote.was_seen
    assert remote.cancel(10)


def test_a_running_job_keeps_others_out(fake, tmp_path):
    work = str(tmp_path)
    remote = RemoteJob(FlinkCluster(fake.url), 'a', work)
    assert refuse_if_running(note.read(work), '/out') == ''
    remote.remember()
    fake.jobs = {'1': {'name': 'a', 'state': 'RUNNING'}}
    with pytest.raises(UsageError, match=r'--output /out is in use by the Flink job a \(running\).*cancel it'):
        refuse_if_running(note.read(work), '/out')
    fake.jobs['1']['state'] = 'FAILED'
    assert refuse_if_running(note.read(work), '/out') == ''
    fake.jobs = {}
    assert refuse_if_running(note.read(work), '/out') == ''
    remote.forget()
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_that_is_gone_frees_the_output(tmp_path):
    RemoteJob(FlinkCluster('http://127.0.0.1:9'), 'a', str(tmp_path)).remember()
    assert 'taken over' in refuse_if_running(note.read(str(tmp_path)), '/out')


def test_what_is_no_flink_is_unreachable(fake):
    with pytest.raises(Unreachable):
        FlinkCluster(fake.url).job('no such job')
