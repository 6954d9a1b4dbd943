import datetime
import os

import pytest

from tests.helpers import load
from transforms.accounting.finish import FinishRun, failure_reasons
from transforms.accounting.fragments import KeyedPayload, write_fragment
from transforms.accounting.guard import guarded
from transforms.accounting.outcome import DROPPED, FAILED, WRITTEN, Outcome
from transforms.accounting.run_summary import RunSummary
from transforms.accounting.write_records import WriteRecords, bucket, read_records
from transforms.files.storage import RunAborted
from transforms.report.summary import Count, UnitError, accounts_by_file
from transforms.run.run_info import RunInfo
from transforms.run.workspace import Workspace


def info(folder, **changes) -> RunInfo:
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    return RunInfo('p', 'id', str(folder), str(folder / '.work'), 'in', started=now, **changes)


def counts(read=4, written=3, failed=1) -> tuple[Count, ...]:
    return (Count('a', 'read', '', read), Count('a', 'written', '', written), Count('a', 'failed', 'E', failed))


@pytest.mark.parametrize(('changes', 'limits', 'word'), [
    ({}, {}, ''), ({'read': 5}, {}, 'off'), ({}, {'max_failures': 0}, 'max_failures'), ({}, {'max_failures': 1}, ''),
    ({}, {'max_failure_rate': 0.2}, 'max_failure_rate'), ({}, {'max_failure_rate': 0.25}, ''),
    ({'read': 1, 'written': 0}, {'max_failure_rate': 1.0}, 'nothing was written')])
def test_failure_reasons(tmp_path, changes, limits, word):
    problems = failure_reasons(info(tmp_path, **limits), accounts_by_file(counts(**changes)))
    assert len(problems) == bool(word)
    assert all(word in problem for problem in problems)


def summary_with(folder, records: list[Outcome], **kwargs) -> RunSummary:
    items = [KeyedPayload(r.file, r.row, r.to_json()) for r in records]
    return RunSummary(fragments=(write_fragment(str(folder / '.work' / 'f'), 'record', items),), **kwargs)


RECORDS = [Outcome('a', 3, 'r3', FAILED, 'E', 'broke'), Outcome('a', 0, 'r0', WRITTEN, output='images/0.png', bytes=5,
                                                                sha256='ff', details={'width': 7}),
           Outcome('a', 1, 'r1', DROPPED, 'blank'), Outcome('a', 2, 'r2', FAILED, 'E', 'told above', listed=False)]


def test_records_and_logs_are_in_identity_order(tmp_path):
    errors = (UnitError('a', 'tar', 'read', 'Lost', 'gone', 1),)
    summary = WriteRecords(str(tmp_path), 'in', columns=(('width', 'int32'),), log_name='log.txt').write(
        summary_with(tmp_path, RECORDS, unit_errors=errors))
    assert [(r['row'], r['outcome'], r['width'], r['source']) for r in read_records(str(tmp_path))] == [
        (0, WRITTEN, 7, 'in'), (1, DROPPED, None, 'in'), (2, FAILED, None, 'in'), (3, FAILED, None, 'in')]
    lines = (tmp_path / 'errors.jsonl').read_text().splitlines()
    assert ['Lost' in lines[0], 'broke' in lines[1], len(lines)] == [True, True, 2]
    assert (tmp_path / 'log.txt').read_text() == 'a: tar: Lost: gone (1 records)\na:3: r3: E: broke\n'
    assert {o.path for o in summary.outputs} == {'records/records-00000.parquet', 'errors.jsonl', 'log.txt'}


def test_a_good_run_ends_with_success_and_without_work(tmp_path):
    run = FinishRun(info(tmp_path), ('a', 'b')).finish(summary_with(tmp_path, RECORDS, counts=counts(
        4, 1, 2) + (Count('a', 'dropped', 'blank', 1),)))
    assert (run['state'], run['exit_code']) == ('done', 0)
    assert sorted(os.listdir(tmp_path)) == ['_SUCCESS', 'manifest.json', 'report.html', 'run.json']
    assert load(tmp_path / 'manifest.json') == [{'path': 'images/0.png', 'bytes': 5, 'sha256': 'ff'}]
    assert [s['file'] for s in run['sources']] == ['a', 'b']


def test_a_bad_run_keeps_its_work_and_says_why(tmp_path):
    run = FinishRun(info(tmp_path)).finish(summary_with(tmp_path, RECORDS, counts=counts(9)))
    assert (run['state'], run['exit_code']) == ('failed', 1)
    assert sorted(os.listdir(tmp_path)) == ['.work', 'report.html', 'run.json']
    assert 'off from' in load(tmp_path / 'run.json')['problems'][0]


def test_finishing_again_after_a_restart_changes_nothing(tmp_path):
    summary = summary_with(tmp_path, RECORDS, counts=(Count('a', 'read', '', 0),))
    step = FinishRun(info(tmp_path))
    first = step.finish(summary)
    before = (tmp_path / 'manifest.json').read_bytes()
    assert step.finish(summary)['started'] == first['started']
    assert (tmp_path / 'manifest.json').read_bytes() == before


def test_what_a_step_raises_becomes_a_problem_and_stops_later_steps():
    def full(summary: RunSummary) -> RunSummary:
        raise RunAborted('no space left')

    def never(summary: RunSummary) -> RunSummary:
        raise AssertionError('a later step ran')

    assert guarded(guarded(RunSummary(), full), never).problems == ('no space left',)


@pytest.mark.parametrize(('value', 'label'), [(0, '0'), (1, '1 to 1'), (1000, '512 to 1,023'), (0.02, '0.01 to 0.1'),
                                              (90, '90'), ('vi', 'vi'), ('', '(none)'), (True, 'True')])
def test_buckets(value, label):
    assert bucket(value) == label


def test_a_late_try_of_a_finished_run_does_not_spoil_its_verdict(tmp_path):
    """As when a job was given up and submitted again, and its first finisher wakes up after the second."""
    run = info(tmp_path)
    summary = summary_with(tmp_path, RECORDS[1:2], counts=counts(1, 1, 0)[:2])
    assert FinishRun(run).finish(summary)['exit_code'] == 0
    late = FinishRun(run)
    first, late._verdict_of_this_run = late._verdict_of_this_run, lambda: {}  # it looked before the other was done
    saved = late._save_manifest

    def save_manifest(summary):
        late._verdict_of_this_run = first
        saved(summary)

    late._save_manifest = save_manifest
    assert late.finish(summary)['exit_code'] == 0  # its fragments are gone, but the run is done
    assert load(tmp_path / 'run.json')['exit_code'] == 0


def test_a_run_that_was_taken_over_saves_nothing(tmp_path):
    run = info(tmp_path)
    summary = summary_with(tmp_path, RECORDS[1:2], counts=counts(1, 1, 0)[:2])
    Workspace('another', str(tmp_path), str(tmp_path / '.work')).claim()
    assert FinishRun(run).finish(summary)['exit_code'] == 1
    assert os.listdir(tmp_path) == ['.work']


def test_a_work_folder_that_cannot_be_removed_is_no_failure(tmp_path, monkeypatch):
    run = info(tmp_path)
    summary = summary_with(tmp_path, RECORDS[1:2], counts=counts(1, 1, 0)[:2])

    def refuse(path):
        raise PermissionError(path)

    monkeypatch.setattr('transforms.files.storage.delete_file', refuse)
    assert FinishRun(run).finish(summary)['exit_code'] == 0
    assert (tmp_path / '_SUCCESS').exists()
