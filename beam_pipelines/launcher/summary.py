"""What a run tells people at its end: a table of what happened."""

from __future__ import annotations

from beam_pipelines.launcher.human import counted, human_bytes, human_time
from transforms.report.page import source_name
from transforms.report.summary import balance


def _counts(names: dict[str, int]) -> str:
    return ', '.join(f'{name} {count:,}' for name, count in sorted(names.items(), key=lambda i: (-i[1], i[0])))


def summary_table(run: dict) -> str:
    """The accounts of a run as text: a line for each source, then reasons, faults and warnings."""
    rows = [('source', 'read', 'written', 'dropped', 'failed')]
    total = run['totals']
    several = len({source['source'] for source in run['sources']}) > 1
    named = [(source_name(source, several), source) for source in run['sources']]
    for name, account in [*named, ('all', total)] if len(named) > 1 else named:
        rows.append((name, f"{account['read']:,}", f"{account['written']:,}",
                     f"{sum(account['dropped'].values()):,}", f"{sum(account['failed'].values()):,}"))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    lines = ['  '.join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
             for row in rows]
    lines.insert(1, '-' * len(lines[0]))
    for name in ('dropped', 'failed'):
        if total[name]:
            lines.append(f'{name}: {_counts(total[name])}')
    if total['read'] and not total['written']:
        lines.append('nothing was written: report.html and records/ show examples of each reason')
    if run['failed_units']:
        lines.append(f"failed units: {_counts(run['failed_units'])}")
    if run['warnings']:
        lines.append(f"warnings: {_counts(run['warnings'])}")
    if retried := run.get('retried'):
        lines.append(f"retried: {counted(retried['records'], 'failed record')}, {retried['mended']:,} mended")
    if fetched := run.get('hub'):
        share = 100 * fetched['fetched_bytes'] / max(1, fetched['input_bytes'])
        lines.append(f"fetched from the Hub: {human_bytes(fetched['fetched_bytes'])} of "
                     f"{human_bytes(fetched['input_bytes'])} ({share:.3g} %)")
        if fetched.get('waits'):
            lines.append(f"waited for the Hub {fetched['waits']:,} times, {human_time(fetched['waited_seconds'])} in all")
    if balance(total):
        lines.append(f'the accounts do not balance: {balance(total):+d}')
    return '\n'.join(lines)
