"""FinishRun: the last step of every pipeline. Checks the accounts, and only then calls the output done.

It never raises: on a cluster that would cause restarts and end without a message. State and exit code go into
run.json, and the launcher exits with them.
"""

import datetime
import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam
import orjson

from transforms.accounting.fragments import merge_fragments
from transforms.accounting.guard import describe
from transforms.accounting.outcome import WRITTEN, Outcome
from transforms.accounting.run_summary import OutputFile, RunSummary
from transforms.files import storage
from transforms.hub import meter
from transforms.hub.path import HubPath
from transforms.hub.publish import publish
from transforms.report.page import render_report
from transforms.report.summary import OutcomeViews, UnitError, accounts_by_file, add_accounts, balance
from transforms.run.run_info import RunInfo

_LOG = logging.getLogger(__name__)
_SHOWN_UNITS = 5
_INDENTED = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE


def failure_reasons(info: RunInfo, accounts: dict[str, dict], unit_errors: Sequence[UnitError] = ()) -> list[str]:
    """Why these accounts fail the run; empty when they do not.

    The rules: every source balances; no more failures than `max_failures` and `max_failure_rate` allow; no more units
    that could not be read to their end than `max_failed_units` allows, whether it is known how many records they cost or
    not; and a run that reads records writes some.
    """
    problems = [f'{file or info.source}: read is {balance(account):+d} off from written + dropped + failed'
                for file, account in accounts.items() if balance(account)]
    total = add_accounts(accounts.values())
    failed = sum(total['failed'].values())
    if 0 <= info.max_failures < failed:
        problems.append(f'{failed} records failed, --max_failures allows {info.max_failures}')
    if total['read'] and failed / total['read'] > info.max_failure_rate:
        problems.append(f'{failed} of {total["read"]} records failed, '
                        f'--max_failure_rate allows a share of {info.max_failure_rate:g}')
    elif total['read'] and not total['written']:
        problems.append(f'nothing was written: of {total["read"]} records {_most_frequent(total)}')
    if 0 <= info.max_failed_units < len(unit_errors):
        problems.append(f'not read to the end: {_shown(unit_errors)}. Failed units: {len(unit_errors)}, --max_failed_units '
                        f'allows {info.max_failed_units}; the same command with --max_failed_units={len(unit_errors)} '
                        'finishes without them')
    return problems


def _most_frequent(total: dict) -> str:
    """What became of the records, most frequent first."""
    counts = sorted(((count, outcome, name) for outcome in ('dropped', 'failed') for name, count in total[outcome].items()),
                    reverse=True)
    return ', '.join(f'{count} {outcome} as {name}' for count, outcome, name in counts[:3])


def _shown(errors: Sequence[UnitError]) -> str:
    """The first few units, each with what is lost of it."""
    lines = [f"{error.file or error.unit}{': ' + error.unit if error.file else ''}, {error.error}, "
             f"{f'{error.count} records' if error.count else 'an unknown number of records'} lost"
             for error in errors[:_SHOWN_UNITS]]
    return '; '.join(lines) + (f'; and {len(errors) - _SHOWN_UNITS} more' if len(errors) > _SHOWN_UNITS else '')


def summarize(info: RunInfo, summary: RunSummary, files: tuple[str, ...], by_file: bool) -> dict:
    """The content of run.json, with the verdict: `state`, `exit_code` and `problems`."""
    accounts = accounts_by_file(summary.counts)
    for file in files:
        accounts.setdefault(file, add_accounts([]))
    problems = [*summary.problems, *failure_reasons(info, accounts, summary.unit_errors)]
    units: dict[str, int] = {}
    for error in summary.unit_errors:
        units[error.error] = units.get(error.error, 0) + 1
    total = add_accounts(accounts.values())
    warnings = total.pop('warnings')
    sources = []
    for file, account in sorted(accounts.items()):
        account.pop('warnings')
        sources.append({'source': info.source, 'revision': info.revision or None,
                        **({'file': file} if by_file else {}), **account})
    now = datetime.datetime.now(datetime.timezone.utc)
    seconds = (now - datetime.datetime.fromisoformat(info.started)).total_seconds() if info.started else 0.0
    return {'pipeline': info.pipeline, 'run_id': info.run_id, 'options': info.options, 'seed': info.seed,
            'versions': info.versions, 'inputs': info.inputs, 'sources': sources, 'totals': total,
            'failed_units': dict(sorted(units.items())), 'warnings': warnings, 'problems': problems,
            'state': 'failed' if problems else 'done', 'exit_code': 1 if problems else 0,
            'started': info.started, 'seconds': round(seconds, 3)}


def manifest_lines(summary: RunSummary, outputs: list[OutputFile]) -> Iterator[bytes]:
    """manifest.json piece by piece: what finishing wrote, then every record's file in identity order."""
    seen: set[bytes] = set()
    start = b'[\n'
    for output in sorted(outputs, key=lambda o: o.path):
        yield start + orjson.dumps({'path': output.path, 'bytes': output.bytes, 'sha256': output.sha256})
        start = b',\n'
    for item in merge_fragments(summary.of_kind('record')):
        record = Outcome.from_json(item.payload)
        if record.outcome != WRITTEN:
            continue
        # Two records of the original layout may share an image; 8 bytes of hash are enough for 270,000.
        mark = hashlib.sha256(record.output.encode()).digest()[:8]
        if mark not in seen:
            seen.add(mark)
            yield start + orjson.dumps({'path': record.output, 'bytes': record.bytes, 'sha256': record.sha256})
            start = b',\n'
    yield b'\n]\n' if start != b'[\n' else b'[]\n'


@dataclass(eq=False)
class FinishRun(beam.PTransform):
    """PCollection[RunSummary] to PCollection[dict]: the run.json of the run, after saving it and all that goes with it.

    When the accounts hold: report.html, manifest.json, run.json, then the empty `_SUCCESS`, then one commit where the
    output's place is the Hub, then the work folder is removed. When they do not: report.html and run.json with state 'failed' and the reasons; the outputs made
    so far and the work folder stay, so that the run can be resumed.

    Args:
        info: what run this is.
        files: files that must appear among the sources even when no record of theirs was read.
        by_file: one source for each file; else one for the whole input.
    """

    info: RunInfo
    files: tuple[str, ...] = ()
    by_file: bool = True

    def expand(self, summaries: beam.PCollection[RunSummary]) -> beam.PCollection[dict]:
        return summaries | 'SaveVerdict' >> beam.Map(self.finish)

    def finish(self, summary: RunSummary) -> dict:
        """Decides whether the run failed, saves that, and returns it; again for a run that is done, as after a restart."""
        run = {'state': 'failed', 'exit_code': 1, 'run_id': self.info.run_id, 'problems': []}
        try:
            if self.info.workspace().is_taken_over():
                return run  # the folder is another run's now
            if before := self._verdict_of_this_run():
                self._publish()
                self._clean_up()
                return before
            run = summarize(self.info, summary, self.files, self.by_file)
            if fetched := meter.saved_total(self.info.work):
                run['hub'] = {'fetched_bytes': fetched, 'input_bytes': sum(size for _, size, _ in self.info.inputs)}
            if run['state'] == 'done':
                self._save_manifest(summary)
            self._save(run, summary)
        except Exception as error:  # see the module's docstring
            run.update(state='failed', exit_code=1, problems=[*run['problems'], describe(error)])
            return self._failed(run)
        return run

    def _failed(self, run: dict) -> dict:
        """Saves that the run failed, unless another try of this very run has just finished it."""
        try:
            if done := self._verdict_of_this_run():
                return done
        except (OSError, ValueError) as error:
            run['problems'].append(describe(error))
        self._save_verdict_alone(run)
        return run

    def _verdict_of_this_run(self) -> dict:
        """What an earlier try of this very step saved before its worker died, {} when there is none."""
        if not storage.exists(self._path('_SUCCESS')):
            return {}
        run = orjson.loads(storage.read_bytes(self._path('run.json')))
        return run if run['run_id'] == self.info.run_id else {}

    def _path(self, name: str) -> str:
        return storage.join(self.info.output, name)

    def _save_manifest(self, summary: RunSummary) -> None:
        with storage.atomic_writer(self._path('manifest.json')) as manifest:
            for line in manifest_lines(summary, list(summary.outputs)):
                manifest.write(line)

    def _save(self, run: dict, summary: RunSummary) -> None:
        storage.write_bytes(self._path('report.html'), self._report(run, summary).encode())
        storage.write_bytes(self._path('run.json'), orjson.dumps(run, option=_INDENTED))
        if run['state'] == 'done':
            storage.write_bytes(self._path('_SUCCESS'), b'')
            self._publish()
            self._clean_up()

    def _report(self, run: dict, summary: RunSummary) -> str:
        return render_report(self.info.output, run, summary.unit_errors, summary.views.get('records') or OutcomeViews(),
                             summary.views.get('texts', {}))

    def _publish(self) -> None:
        """Makes one commit of the output where the Hub is its place; it is done only when that is."""
        if not self.info.publish or not storage.exists(storage.join(self.info.work, 'state.json')):
            return
        try:
            publish(self.info.output, HubPath.parse(self.info.publish), f'{self.info.pipeline} of {self.info.source}')
        except BaseException:
            storage.delete_file(self._path('_SUCCESS'))
            raise

    def _clean_up(self) -> None:
        """Removes the work folder; the run is done whether that succeeds or not."""
        try:
            # The state first: a work folder that is half removed must not look like an unfinished run.
            storage.delete_file(storage.join(self.info.work, 'state.json'))
            storage.delete_tree(self.info.work)
        except Exception as error:
            _LOG.warning('%s could not be removed: %s', self.info.work, error)

    def _save_verdict_alone(self, run: dict) -> None:
        try:
            storage.write_bytes(self._path('run.json'), orjson.dumps(run, option=_INDENTED))
        except Exception:  # not even this fits on the disk: the launcher says so when it finds no verdict
            run['problems'].append('run.json could not be written')


