"""Whether a run is done: its accounts, what fails them, and the content of run.json."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from transforms.accounting.finish_part import PartSummary
from transforms.report.summary import FRAME_ROWS, UnitError, add_accounts
from transforms.run.run import Run

_SHOWN_UNITS = 5
_SHOWN_VALUES = 12
_SHOWN_PROBLEMS = 20


def failure_reasons(run: Run, total: dict, units: int = 0, unit_errors: Sequence[UnitError] = (),
                    values: Mapping[str, Counter] | None = None) -> list[str]:
    """Why these accounts fail the run; empty when they do not.

    The rules: no more failures than `max_failures` and `max_failure_rate` allow; no more units that could not be read to
    their end than `max_failed_units` allows, whether it is known how many records they cost or not; and a run that reads
    records writes some. Whether parts balance they say themselves.

    Args:
        run: for its limits.
        total: the account of the whole run.
        units: failed units.
        unit_errors: the first few of them.
        values: by reason to drop, the values that there are where a filter on a column has that name.
    """
    problems = []
    failed = sum(total['failed'].values())
    if 0 <= run.max_failures < failed:
        problems.append(f'{failed} records failed, --max_failures allows {run.max_failures}')
    if total['read'] and failed / total['read'] > run.max_failure_rate:
        problems.append(f'{failed} of {total["read"]} records failed, '
                        f'--max_failure_rate allows a share of {run.max_failure_rate:g}')
    elif total['read'] and not total['written']:
        problems.append(f'nothing was written: of {total["read"]} records {_most_frequent(total, values or {})}')
    elif not total['read'] and total['warnings']:
        problems.append(f"nothing was read: {', '.join(f'{count} {name}' for name, count in sorted(total['warnings'].items()))}")
    if 0 <= run.max_failed_units < units:
        problems.append(f'not read to the end: {_shown(unit_errors, units)}. Failed units: {units}, --max_failed_units '
                        f'allows {run.max_failed_units}; the same command with --max_failed_units={units} '
                        'finishes without them')
    return problems


def _most_frequent(total: dict, values: Mapping[str, Counter]) -> str:
    """What became of the records, most frequent first; behind a filter the values that it might have let pass."""
    counts = sorted(((count, outcome, name) for outcome in ('dropped', 'failed') for name, count in total[outcome].items()),
                    reverse=True)
    return ', '.join(f'{count} {outcome} as {name}{_there_are(values.get(name))}' for count, outcome, name in counts[:3])


def _there_are(values: Counter | None) -> str:
    if not values:
        return ''
    shown = [f'{name} {count:,}' for name, count in values.most_common(_SHOWN_VALUES)]
    return f" (there are {', '.join(shown)}{' ...' if len(values) > _SHOWN_VALUES else ''})"


def _shown(errors: Sequence[UnitError], units: int) -> str:
    """The first few units, each with what is lost of it."""
    lines = [f"{error.file or error.unit}{': ' + error.unit if error.file else ''}, {error.error}, "
             f"{f'{error.count} records' if error.count else 'an unknown number of records'} lost"
             for error in errors[:_SHOWN_UNITS]]
    return '; '.join(lines) + (f'; and {units - len(lines)} more' if units > len(lines) else '')


def _frame(run: Run, number: int, parts: Sequence[PartSummary], read: int) -> dict[str, int]:
    """For a source of which a sample was read: the rows that there are, and those that were not chosen; outside of what balances."""
    rows = sum(part.views.counts.get(FRAME_ROWS, 0) for part in parts if run.parts[part.part].source == number)
    return {'frame_rows': rows, 'not_drawn': rows - read} if rows else {}


def _values(parts: Sequence[PartSummary]) -> dict[str, Counter]:
    """How often each value was read, of the columns whose distribution over all that was read is shown."""
    found: dict[str, Counter] = {}
    for part in parts:
        for name, counts in part.views.histograms.items():
            if name.endswith(' read'):
                found.setdefault(name.removesuffix(' read'), Counter()).update(counts)
    return found


def run_json(run: Run, parts: Iterable[PartSummary]) -> dict:
    """The content of run.json, with the verdict: `state`, `exit_code` and `problems`."""
    parts = list(parts)
    accounts = {source.number: add_accounts(p.account for p in parts if run.parts[p.part].source == source.number)
                for source in run.sources}
    units = sum((part.units for part in parts), Counter())
    total = add_accounts(accounts.values())
    said = [problem for part in parts for problem in part.problems]
    problems = said[:_SHOWN_PROBLEMS] + ([f'and {len(said) - _SHOWN_PROBLEMS} more problems'] if said[_SHOWN_PROBLEMS:] else [])
    decided = failure_reasons(run, total, sum(units.values()), [error for part in parts for error in part.unit_errors], _values(parts))
    missing = len(run.parts) - len(parts)
    if missing:
        problems.append(f'{missing} of {len(run.parts)} parts have no account')
    # What accounts and options decide comes out the same again; what finishing met with, as a full disk, may pass.
    would_repeat = bool(decided) and not problems
    problems += decided
    sources = []
    for source in run.sources:
        account = accounts[source.number]
        account.pop('warnings')
        sources.append({'source': source.address, 'revision': source.revision or None, 'subset': source.subset,
                        'split': source.split, **({'name': source.name} if source.name else {}), **account, **_frame(run, source.number, parts, account['read'])})
    warnings = total.pop('warnings')
    now = datetime.datetime.now(datetime.timezone.utc)
    seconds = (now - datetime.datetime.fromisoformat(run.started)).total_seconds() if run.started else 0.0
    failed = sum(total['failed'].values())
    retried = {'retried': {'records': run.retried, 'mended': max(0, run.retried - failed)}} if run.retried >= 0 else {}
    return {'pipeline': run.pipeline, 'run_id': run.run_id, 'options': run.options, 'seed': run.seed,
            'versions': run.versions, 'inputs': run.inputs, 'sources': sources, 'totals': total,
            'failed_units': dict(sorted(units.items())), 'warnings': warnings, 'problems': problems,
            'state': 'failed' if problems else 'done', 'exit_code': 1 if problems else 0,
            'would_repeat': would_repeat, **retried,
            'started': run.started, 'seconds': round(run.earlier_seconds + seconds, 3)}
