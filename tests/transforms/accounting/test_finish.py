import datetime
import os
import shutil
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers import load, run_in
from transforms import CollectAccounts, FinishRun
from transforms.accounting import finish, finish_part
from transforms.accounting.finish_part import FinishPart, PartSummary
from transforms.accounting.outcome import DROPPED, FAILED, WRITTEN, Outcome, OutputFile, Payload
from transforms.accounting.product import JoinedFile, json_list
from transforms.accounting.step import StepOutput, _CollectFn
from transforms.accounting.table import RecordTable, read_records
from transforms.accounting.verdict import failure_reasons
from transforms.files import atomic_file, durable, storage
from transforms.files.storage import RunAborted
from transforms.report.page import Histogram, Report, Section
from transforms.report.summary import Count, UnitError, account_of
from transforms.run.source import Part, Source

TABLE = RecordTable((('width', 'int32'),))


def started() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


def written(row: int, part: int = 0, file: str = 'a', **changes) -> Outcome:
    made = Outcome(part, file, row, f'r{row}', WRITTEN, output=f'images/{part}-{file}-{row}.png', bytes=5, sha256='ff',
                   details={'width': 7})
    return replace(made, **changes)


OUTCOMES = [Outcome(0, 'a', 3, 'r3', FAILED, 'E', 'broke', stage='read'), written(0), Outcome(0, 'a', 1, 'r1', DROPPED, 'blank'),
            Outcome(0, 'a', 2, 'r2', FAILED, 'E', 'told above', listed=False)]


def collect(run, items) -> list[tuple[int, object]]:
    """What CollectAccounts makes of items."""
    fn = _CollectFn(run.fragments, TABLE)
    fn.start_bundle()
    out = [pair for item in items for pair in fn.process(item)]
    return out + [value.value for value in fn.finish_bundle()]


def finish_with(run, items, table=TABLE, **changes) -> dict:
    """Finishes a run without a pipeline."""
    step = FinishRun(run, table, **changes)
    joined = tuple(p for p in step.products if isinstance(p, JoinedFile))
    part = FinishPart(run, table, joined, step._logs, step._manifest, step.report)
    said = collect(run, items)
    return step.finish('', [part(p.number, [item for number, item in said if number == p.number]) for p in run.parts])


@pytest.mark.parametrize(('failed', 'limits', 'word'), [
    (1, {}, ''), (1, {'max_failures': 0}, 'max_failures'), (1, {'max_failures': 1}, ''),
    (1, {'max_failure_rate': 0.2}, 'max_failure_rate'), (1, {'max_failure_rate': 0.25}, ''),
    (4, {'max_failure_rate': 1.0}, 'nothing was written')])
def test_failure_reasons(tmp_path, failed, limits, word):
    total = account_of([Count(0, 'read', '', 4), Count(0, 'written', '', 4 - failed), Count(0, 'failed', 'E', failed)])
    problems = failure_reasons(run_in(tmp_path, **limits), total)
    assert len(problems) == bool(word)
    assert all(word in problem for problem in problems)


def test_records_and_logs_are_in_identity_order(tmp_path):
    run = run_in(tmp_path, sources=(Source(0, 'in', 'abc', 'sub', 'train'),))
    error = UnitError(0, 'a', 'tar', 'read', 'Lost', 'gone', 1)
    done = finish_with(replace(run, max_failed_units=1), [*OUTCOMES, error, Count(0, 'read', '', 4)], log='log.txt')
    assert done['state'] == 'done', done['problems']
    rows = list(read_records(str(tmp_path)))
    assert [(r['row'], r['outcome'], r['width'], r['source'], r['revision'], r['subset'], r['split']) for r in rows] == [
        (0, WRITTEN, 7, 'in', 'abc', 'sub', 'train'), (1, DROPPED, None, 'in', 'abc', 'sub', 'train'),
        (2, FAILED, None, 'in', 'abc', 'sub', 'train'), (3, FAILED, None, 'in', 'abc', 'sub', 'train')]
    lines = (tmp_path / 'errors.jsonl').read_text().splitlines()
    assert ['Lost' in lines[0], 'broke' in lines[1], len(lines)] == [True, True, 2]
    assert (tmp_path / 'log.txt').read_text() == 'a: tar: Lost: gone (1 records)\na:3: r3: E: broke\n'
    assert [m['path'] for m in load(tmp_path / 'manifest.json')] == [
        'errors.jsonl', 'log.txt', 'records/part-00000-of-00001.parquet', 'images/0-a-0.png']


def test_a_good_run_ends_with_success_and_without_work(tmp_path):
    run = run_in(tmp_path, sources=(Source(0, 'x'), Source(1, 'y')), parts=(Part(0, 0), Part(1, 0), Part(2, 1)))
    done = finish_with(run, [*OUTCOMES, Count(0, 'read', '', 4), written(7, 2), Count(2, 'read', '', 1)])
    assert (done['state'], done['exit_code'], done['problems']) == ('done', 0, [])
    assert sorted(os.listdir(tmp_path)) == ['_SUCCESS', 'errors.jsonl', 'manifest.json', 'records', 'report.html', 'run.json']
    assert [(s['source'], s['read'], s['written'], s['failed']) for s in done['sources']] == [('x', 4, 1, {'E': 2}), ('y', 1, 1, {})]
    assert sorted(os.listdir(tmp_path / 'records')) == [f'part-0000{i}-of-00003.parquet' for i in range(3)]
    assert pq.read_metadata(tmp_path / 'records' / 'part-00001-of-00003.parquet').num_rows == 0


def test_a_bad_run_keeps_its_work_and_says_why(tmp_path):
    done = finish_with(run_in(tmp_path), [*OUTCOMES, Count(0, 'read', '', 9)])
    assert (done['state'], done['exit_code']) == ('failed', 1)
    assert {'.work', 'report.html', 'run.json'} <= set(os.listdir(tmp_path))
    assert not {'_SUCCESS', 'manifest.json'} & set(os.listdir(tmp_path))
    assert 'read is +5 off' in load(tmp_path / 'run.json')['problems'][0]


def test_two_outcomes_of_one_record_are_found(tmp_path):
    done = finish_with(run_in(tmp_path), [written(0), written(1), Outcome(0, 'a', 1, 'x', DROPPED, 'blank'),
                                          Count(0, 'read', '', 3)])
    assert 'a:1 has two outcomes' in done['problems'][0]


def test_finishing_again_after_a_restart_changes_nothing(tmp_path):
    run = run_in(tmp_path)
    first = finish_with(run, [])
    before = (tmp_path / 'manifest.json').read_bytes()
    assert FinishRun(run, TABLE).finish('', [PartSummary(0, problems=['its fragments are gone'])])['started'] == first['started']
    assert (tmp_path / 'manifest.json').read_bytes() == before


def test_what_finishing_a_part_raises_becomes_a_problem(tmp_path, monkeypatch):
    def full(*_, **__):
        raise RunAborted('no space left')

    monkeypatch.setattr(finish_part, 'RowGroupWriter', full)
    done = finish_with(run_in(tmp_path), [written(0), Count(0, 'read', '', 1)])
    assert done['problems'][0] == 'no space left'
    assert not (tmp_path / 'records' / 'part-00000-of-00001.parquet').exists()


def test_a_part_that_nobody_finished_fails_the_run(tmp_path):
    run = run_in(tmp_path, parts=(Part(0, 0), Part(1, 0)))
    assert '1 of 2 parts have no account' in FinishRun(run, TABLE).finish('', [PartSummary(0, problems=['x'])])['problems']


def test_a_late_try_of_a_finished_run_does_not_spoil_its_verdict(tmp_path, monkeypatch):
    """As when a job was given up and submitted again, and its first finisher wakes up after the second."""
    run = run_in(tmp_path)
    step = FinishRun(run, TABLE)

    def meanwhile(*_):
        monkeypatch.undo()
        assert finish_with(run, [written(0), Count(0, 'read', '', 1)])['exit_code'] == 0
        raise FileNotFoundError('its fragments are gone')

    monkeypatch.setattr(finish.meter, 'saved_total', meanwhile)
    assert step.finish('', [])['exit_code'] == 0
    assert load(tmp_path / 'run.json')['exit_code'] == 0


def test_a_run_that_was_taken_over_saves_nothing(tmp_path):
    run = run_in(tmp_path)
    said = collect(run, [written(0), Count(0, 'read', '', 1)])
    replace(run, run_id='another').claim()
    step = FinishRun(run, TABLE)
    part = FinishPart(run, TABLE, (), step._logs, step._manifest, step.report)(0, [item for _, item in said])
    assert step.finish('', [part])['exit_code'] == 1
    assert os.listdir(tmp_path) == ['.work']


def test_a_work_folder_that_cannot_be_removed_is_no_failure(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(path)

    monkeypatch.setattr('transforms.files.storage.delete_file', refuse)
    assert finish_with(run_in(tmp_path), [written(0), Count(0, 'read', '', 1)])['exit_code'] == 0
    assert (tmp_path / '_SUCCESS').exists()


def test_files_of_many_records_are_listed_once_each(tmp_path):
    shard = OutputFile('data/shard-0.tar', 100, 'aa', 0)
    records = [written(i, output='data/shard-0.tar', bytes=0, sha256='') for i in range(3)]
    assert finish_with(run_in(tmp_path), [*records, shard, Count(0, 'read', '', 3)])['exit_code'] == 0
    assert load(tmp_path / 'manifest.json')[-1] == {'path': 'data/shard-0.tar', 'bytes': 100, 'sha256': 'aa'}
    assert len(load(tmp_path / 'manifest.json')) == 3


def test_products_are_joined_in_the_order_of_parts(tmp_path):
    run = run_in(tmp_path, parts=(Part(0, 0), Part(1, 0), Part(2, 0)))
    payloads = [Payload(part, 'f', row, 'k', b'%d' % row) for part, row in ((2, 9), (0, 3), (0, 1))]
    finish_with(run, payloads, products=(json_list('list.json', 'k'), json_list('none.json', 'none')))
    assert (tmp_path / 'list.json').read_bytes() == b'[\n1,\n3,\n9\n]\n'
    assert (tmp_path / 'none.json').read_bytes() == b'[]\n'


def test_a_report_shows_what_strangers_wrote_as_text(tmp_path):
    evil = '<script>alert(1)</script>'
    items = [written(0, id=evil), Outcome(0, evil, 1, evil, DROPPED, 'blank', evil), UnitError(0, evil, evil, 'read', 'E', evil),
             Count(0, 'read', '', 2)]
    run = run_in(tmp_path, max_failed_units=1, sources=(Source(0, evil),), options={'input': evil})
    assert finish_with(run, items, report=Report((Histogram('width', 'Width'), Histogram('id', evil))))['state'] == 'done'
    page = (tmp_path / 'report.html').read_text()
    assert '<script>' not in page
    assert page.count('&lt;script&gt;') >= 8


def calls_of(run, items, monkeypatch) -> list[str]:
    """The names of what finishing writes, and 'flush', in their order."""
    calls: list[str] = []
    real = os.replace

    def replaced(source, target):
        calls.append(os.path.relpath(target, run.output))
        real(source, target)

    monkeypatch.setattr(atomic_file.os, 'replace', replaced)
    for module in (finish, finish_part):
        monkeypatch.setattr(module, 'flush', lambda folder: calls.append('flush'))
    assert finish_with(run, items)['exit_code'] == 0
    return [call for call in calls if not call.startswith('.work')]


def test_outputs_are_flushed_before_anything_vouches_for_them(tmp_path, monkeypatch):
    calls = calls_of(run_in(tmp_path), [written(0), Count(0, 'read', '', 1)], monkeypatch)
    assert calls == ['records/part-00000-of-00001.parquet', 'errors.jsonl', 'report.html', 'flush', 'manifest.json', 'run.json',
                     'flush', '_SUCCESS', 'flush']


def test_workers_elsewhere_flush_what_they_wrote(tmp_path, monkeypatch):
    calls = calls_of(run_in(tmp_path, workers_elsewhere=True), [written(0), Count(0, 'read', '', 1)], monkeypatch)
    assert calls[:2] == ['records/part-00000-of-00001.parquet', 'flush']


@pytest.mark.parametrize('with_syncfs', [True, False])
def test_a_flush_really_asks_the_disk(tmp_path, monkeypatch, with_syncfs):
    (tmp_path / 'a').write_bytes(b'x')
    asked = []
    if with_syncfs:
        monkeypatch.setattr(durable, '_syncfs', lambda: lambda descriptor: asked.append(descriptor) or 0)
    else:
        monkeypatch.setattr(durable, '_syncfs', lambda: None)
        monkeypatch.setattr(durable.os, 'fsync', asked.append)
    durable.flush(str(tmp_path))
    assert len(asked) == (1 if with_syncfs else 2)


def test_a_flush_that_fails_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(durable, '_syncfs', lambda: lambda descriptor: -1)
    with pytest.raises(RunAborted):
        durable.flush(str(tmp_path))


@pytest.mark.skipif(not hasattr(os, 'sync'), reason='no sync on this system')
def test_flushing_works_here(tmp_path):
    (tmp_path / 'a').write_bytes(b'x')
    durable.flush(str(tmp_path))
    durable._flush_files(str(tmp_path))
    assert (tmp_path / 'a').read_bytes() == b'x'
    with pytest.raises(RunAborted):
        durable.flush(str(tmp_path / 'none'))


def test_finishing_in_a_pipeline_accounts_for_parts_without_records(tmp_path, pipeline):
    run = run_in(tmp_path, parts=(Part(0, 0), Part(1, 0)), started=started())
    said = pipeline | beam.Create([written(0), Count(0, 'read', '', 1)]) | CollectAccounts(run, TABLE)
    (StepOutput(said, (said,)),) | FinishRun(run, TABLE)
    pipeline.run().wait_until_finish()
    assert load(tmp_path / 'run.json')['totals']['written'] == 1
    assert sorted(p.name for p in (tmp_path / 'records').iterdir()) == ['part-00000-of-00002.parquet', 'part-00001-of-00002.parquet']


def test_the_bytes_of_records_do_not_depend_on_how_they_were_collected(tmp_path, monkeypatch):
    monkeypatch.setattr(finish_part, 'GROUP_ROWS', 64)
    hashes = set()
    for number, size in enumerate((1000, 7, 64, 65)):
        run = run_in(tmp_path / str(number))
        said = [pair for start in range(0, 300, size) for pair in collect(run, [written(i) for i in range(start, min(300, start + size))])]
        step = FinishRun(run, TABLE)
        done = FinishPart(run, TABLE, (), step._logs, step._manifest, step.report)(0, [item for _, item in said])
        hashes.add(done.files[0].sha256)
    assert len(hashes) == 1
    assert pq.read_metadata(tmp_path / '0' / 'records' / 'part-00000-of-00001.parquet').num_row_groups == 5


def test_names_that_no_file_can_hold_are_escaped(tmp_path):
    bad = 'link to \udcff'
    items = [Outcome(0, 'a', 0, bad, FAILED, 'PdfMissing', bad, stage='read'), written(1), UnitError(0, 'a', bad, 'read', 'E', bad),
             Count(0, 'read', '', 2)]
    assert finish_with(run_in(tmp_path, max_failed_units=1), items)['state'] == 'done'
    assert [r['message'] for r in read_records(str(tmp_path))] == ['link to \\udcff', '']
    assert (tmp_path / 'errors.jsonl').read_text().count('link to') == 4


def test_a_file_that_records_of_several_parts_share_is_listed_once(tmp_path):
    run = run_in(tmp_path, parts=(Part(0, 0), Part(1, 0)))
    items = [written(0, 0, output='images/same.png'), written(1, 0, output='images/same.png'),
             written(2, 1, output='images/same.png'), Count(0, 'read', '', 2), Count(1, 'read', '', 1)]
    shared = RecordTable(TABLE.columns, shared_outputs=True)
    assert finish_with(run, items, table=shared)['state'] == 'done'
    assert [m['path'] for m in load(tmp_path / 'manifest.json')].count('images/same.png') == 1


def test_a_verdict_has_all_its_fields_whatever_goes_wrong(tmp_path, monkeypatch):
    def refuse(self):
        raise OSError('the disk is gone')

    monkeypatch.setattr('transforms.run.run.Run.is_taken_over', refuse)
    run = FinishRun(run_in(tmp_path), TABLE).finish('', [])
    assert (run['problems'][0], run['totals']['read']) == ('OSError: the disk is gone', 0)


def test_a_report_that_cannot_be_made_fails_no_run(tmp_path):
    def broken(output, views):
        raise ValueError('no such picture')

    report = Report(sections=(Section('transforms.image', 'contact_sheet.html', broken),))
    assert finish_with(run_in(tmp_path), [], report=report)['state'] == 'done'
    assert (tmp_path / 'report.html').exists()


def test_a_column_that_every_table_has_is_refused():
    with pytest.raises(ValueError, match='columns has split'):
        RecordTable((('split', 'string'),))


def test_things_that_are_no_accounts_are_refused(tmp_path):
    with pytest.raises(TypeError, match='str is nothing that accounts take'):
        collect(run_in(tmp_path), ['text'])


def test_many_outcomes_are_held_within_a_budget(tmp_path):
    run = run_in(tmp_path)
    said = collect(run, [written(i) for i in range(20_000)])
    assert 4 < len(said) < 12
    assert sum(ref.rows for _, ref in said) == 20_000
    shutil.rmtree(tmp_path)


def test_success_is_what_counts_when_the_state_was_left(tmp_path):
    from beam_pipelines.launcher.folder import inspect

    assert finish_with(run_in(tmp_path), [])['exit_code'] == 0
    Path(tmp_path / '.work').mkdir(exist_ok=True)
    storage.write_bytes(str(tmp_path / '.work' / 'state.json'), b'{"pipeline": "p", "options": {}, "inputs": [], "versions": {}}')
    identity = {'options': {}, 'inputs': [], 'versions': {}}
    assert inspect(str(tmp_path), 'p', identity).state == 'done'
    assert inspect(str(tmp_path), 'p', identity, publishes=True).state == 'unfinished'


@given(st.lists(st.text(st.characters(exclude_categories=['Cs']), min_size=1, max_size=8), min_size=1, max_size=6, unique=True))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_path_is_listed_as_it_is(tmp_path_factory, paths):
    folder = tmp_path_factory.mktemp('run')
    items = [written(i, output=path) for i, path in enumerate(paths)]
    assert finish_with(run_in(folder), [*items, Count(0, 'read', '', len(paths))])['state'] == 'done'
    listed = load(folder / 'manifest.json')
    assert [m['path'] for m in listed if m['sha256'] == 'ff'] == paths
    assert (folder / 'manifest.json').read_bytes() == b'[\n' + b',\n'.join(map(orjson.dumps, listed)) + b'\n]\n'
