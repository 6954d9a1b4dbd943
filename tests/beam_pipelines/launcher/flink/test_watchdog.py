from beam_pipelines.launcher.flink.watchdog import Watchdog, clear_worker_signs, worker_signs
from transforms.run.heartbeat import at_work


def test_anything_that_moves_is_life():
    watchdog = Watchdog(10, _since=0)
    assert watchdog.update('RUNNING', ('a',), 0, now=0) == ''
    assert watchdog.update('RUNNING', ('a',), 1, now=9) == ''
    assert watchdog.update('RUNNING', ('b',), 1, now=18) == ''
    assert watchdog.update('RESTARTING', ('b',), 1, now=27) == ''
    assert watchdog.update('RESTARTING', ('b',), 1, now=36) == ''
    assert watchdog.update('RESTARTING', ('b',), 1, now=37) == 'stalled'


def test_restarts_without_a_worker_are_no_life():
    watchdog = Watchdog(10, _since=0)
    for now, state in enumerate(['RUNNING', 'RESTARTING'] * 5):
        assert watchdog.update(state, (), 0, now=now) == ''
    assert watchdog.update('RUNNING', (), 0, now=10) == 'no worker'


def test_workers_leave_signs_that_are_forgotten_between_tries(tmp_path):
    assert worker_signs(str(tmp_path)) == ()
    with at_work(str(tmp_path)):
        assert len(worker_signs(str(tmp_path))) == 1
    clear_worker_signs(str(tmp_path))
    assert worker_signs(str(tmp_path)) == ()
