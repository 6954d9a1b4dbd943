from beam_pipelines.launcher.flink.watch import Watch, clear_worker_marks, worker_marks
from transforms.accounts.workspace import at_work


def test_anything_that_moves_is_life():
    watch = Watch(10, _since=0)
    assert watch.sees('RUNNING', ('a',), 0, now=0) == ''
    assert watch.sees('RUNNING', ('a',), 1, now=9) == ''
    assert watch.sees('RUNNING', ('b',), 1, now=18) == ''
    assert watch.sees('RESTARTING', ('b',), 1, now=27) == ''
    assert watch.sees('RESTARTING', ('b',), 1, now=36) == ''
    assert watch.sees('RESTARTING', ('b',), 1, now=37) == 'stalled'


def test_restarts_without_a_worker_are_no_life():
    watch = Watch(10, _since=0)
    for now, state in enumerate(['RUNNING', 'RESTARTING'] * 5):
        assert watch.sees(state, (), 0, now=now) == ''
    assert watch.sees('RUNNING', (), 0, now=10) == 'no worker'


def test_workers_leave_marks_that_are_forgotten_between_tries(tmp_path):
    assert worker_marks(str(tmp_path)) == ()
    with at_work(str(tmp_path)):
        assert len(worker_marks(str(tmp_path))) == 1
    clear_worker_marks(str(tmp_path))
    assert worker_marks(str(tmp_path)) == ()
