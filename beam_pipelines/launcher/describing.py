"""Facts of a dataset as text for people and as JSON values."""

from __future__ import annotations

from beam_pipelines.launcher.human import human_bytes
from transforms.hub import meter
from transforms.read_hf.data_files import mixed_formats
from transforms.read_hf.describe import SplitFacts
from transforms.read_hf.plan import ReadPlan

_WIDTH = 100
_SHOWN_CHARS = 70
_BYTES_SHOWN = 16


def render(source: str, plan: ReadPlan, facts: list[SplitFacts]) -> tuple[str, dict]:
    """(text with tables of at most 100 columns, the same as JSON values); sizes in powers of 1,000."""
    lines = [source + (f' at {plan.revision}' if plan.revision else ''), '']
    if mixed := mixed_formats(plan.dataset):
        lines += [f'warning: {mixed}', '']
    table = [('subset', 'split', 'rows', 'bytes', 'files', 'format')]
    for fact in facts:
        mark = {'card': ' (by the card)', 'readable footers': ' and more'}.get(fact.row_source, '')
        rows = f'{fact.rows:,}{mark}' if fact.rows >= 0 else '?'
        table.append((fact.split.subset, fact.split.name, rows, human_bytes(fact.bytes), f'{len(fact.split.files):,}',
                      _format(fact)))
    lines += _aligned(table, right={2, 3, 4})
    seen = None
    for fact in facts:
        if fact.columns != seen:
            lines += ['', f'columns of {fact.split.label}', *_aligned([('column', 'type'), *fact.columns], set())]
            seen = fact.columns
        for number, row in enumerate(fact.examples):
            lines += ['', f'{fact.split.label}, row {number}']
            width = max((len(name) for name in row), default=0)
            lines += [f'  {name.ljust(width)}  {_short(value)}' for name, value in row.items()]
        lines += [f'warning: {fault}' for fault in fact.faults]
    if plan.dataset.left_out and plan.dataset.card.get('configs'):
        lines += ['', 'in no split: ' + ', '.join(f'{count:,} {kind}' for kind, count in plan.dataset.left_out)]
    if fetched := meter.total():
        lines += ['', f'fetched {human_bytes(fetched)} of {human_bytes(plan.bytes)}']
    return '\n'.join(lines), {
        'source': source, 'revision': plan.revision, 'left_out': dict(plan.dataset.left_out), 'splits': [
            {'subset': f.split.subset, 'split': f.split.name, 'rows': f.rows if f.rows >= 0 else None,
             'rows_by': f.row_source or None, 'bytes': f.bytes, 'files': [i.path for i in f.split.files],
             'columns': dict(f.columns), 'examples': [_plain(row) for row in f.examples], 'faults': list(f.faults)}
            for f in facts]}


def _format(fact: SplitFacts) -> str:
    names = sorted({i.path.rpartition('/')[2].partition('.')[2].lower() for i in fact.split.files})
    return ', '.join(names[:3]) + (' ...' if len(names) > 3 else '')


def _aligned(rows: list[tuple[str, ...]], right: set[int]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    out = ['  '.join(cell.rjust(w) if i in right else cell.ljust(w) for i, (cell, w) in
                     enumerate(zip(row, widths, strict=True))).rstrip() for row in rows]
    out.insert(1, '-' * min(_WIDTH, len(max(out, key=len))))
    return out


def _short(value: object) -> str:
    text = repr(_plain(value)) if not isinstance(value, str) else value
    text = ' '.join(text.split())
    return text if len(text) <= _SHOWN_CHARS else f'{text[:_SHOWN_CHARS]} ... ({len(text):,} characters)'


def _plain(value: object) -> object:
    """A value that can be shown: bytes as their size."""
    if isinstance(value, bytes):
        return f'<{len(value):,} bytes, {value[:_BYTES_SHOWN].hex()}...>'
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value
