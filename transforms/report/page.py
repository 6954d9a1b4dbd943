"""report.html: what a run did, to look at. One file, no network, no script."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Mapping, Sequence

from transforms.files import storage
from transforms.report.style import STYLE
from transforms.report.summary import OutcomeViews, SampledRecord, UnitError

_THUMB_PIXELS = 420
_TITLES = {'bytes': 'Image file size, bytes', 'width': 'Image width, pixels', 'height': 'Image height, pixels',
           'ink_share': 'Ink share of the page', 'text_chars': 'Text length, characters', 'language': 'Language',
           'rotation': 'Rotation label, degrees clockwise'}


def _text(value: object) -> str:
    return html.escape(str(value))


def _number(value: int) -> str:
    return f'{value:,}'


def render_report(output: str, run: dict, unit_errors: Sequence[UnitError], views: OutcomeViews,
                  texts: Mapping[tuple[str, int], str]) -> str:
    """The page for a run.

    Args:
        output: output folder, of whose images small copies are made.
        run: the content of run.json.
        unit_errors: what is wrong with whole units.
        views: of the outcomes.
        texts: texts of the sampled records by (file, row).
    """
    sections = [_head(run), _problems(run), _tiles(run), _sources(run), _reasons(run, views), _units(run, unit_errors),
                _sheet(output, views.sheet, texts), _distributions(views), _options(run)]
    title = f"{run['pipeline']} - {run['state']}"
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<style>{STYLE}</style></head>\n<body><main>\n' + '\n'.join(filter(None, sections))
            + '\n</main></body></html>\n')


def _head(run: dict) -> str:
    minutes, seconds = divmod(run['seconds'], 60)
    took = f'{int(minutes)} min {seconds:.0f} s' if minutes else f'{seconds:.1f} s'
    source = run['sources'][0]['source'] if run['sources'] else ''
    return (f'<header><h1>{_text(run["pipeline"])} <span class="state {_text(run["state"])}">{_text(run["state"])}'
            f'</span></h1><p>{_text(source)}</p><p class="dim">started {_text(run["started"][:19])} UTC, '
            f'took {took}</p></header>')


def _problems(run: dict) -> str:
    if not run['problems']:
        return ''
    items = ''.join(f'<li>{_text(problem)}</li>' for problem in run['problems'])
    return f'<section class="problems"><h2>Why this run failed</h2><ul>{items}</ul></section>'


def _tiles(run: dict) -> str:
    total = run['totals']
    counts = (('read', total['read']), ('written', total['written']), ('dropped', sum(total['dropped'].values())),
              ('failed', sum(total['failed'].values())))
    tiles = ''.join(
        f'<div class="tile {name}"><b>{_number(count)}</b><span>{name}</span>'
        f'<i>{count / total["read"]:.1%}</i></div>' if total['read'] else
        f'<div class="tile {name}"><b>{count}</b><span>{name}</span></div>' for name, count in counts)
    return f'<section class="tiles">{tiles}</section>'


def _table(head: Iterable[str], rows: Iterable[Iterable[object]], numbers_from: int = 1) -> str:
    heads = ''.join(f'<th{_numeric(i, numbers_from)}>{_text(name)}</th>' for i, name in enumerate(head))
    body = ''.join('<tr>' + ''.join(
        f'<td{_numeric(i, numbers_from)}>{_number(cell) if type(cell) is int else _text(cell)}</td>'
        for i, cell in enumerate(row)) + '</tr>' for row in rows)
    return f'<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'


def _numeric(i: int, numbers_from: int) -> str:
    return ' class="n"' if i >= numbers_from else ''


def _sources(run: dict) -> str:
    rows = [(s.get('file') or s['source'], s['read'], s['written'], sum(s['dropped'].values()),
             sum(s['failed'].values())) for s in run['sources']]
    total = run['totals']
    rows.append(('all', total['read'], total['written'], sum(total['dropped'].values()),
                 sum(total['failed'].values())))
    return '<section><h2>Sources</h2>' + _table(('source', 'read', 'written', 'dropped', 'failed'), rows) + '</section>'


def _reasons(run: dict, views: OutcomeViews) -> str:
    blocks = []
    for outcome in ('dropped', 'failed'):
        for reason, count in sorted(run['totals'][outcome].items(), key=lambda item: (-item[1], item[0])):
            examples = ''.join(f'<li><code>{_text(i)}</code> <span class="dim">{_text(file)}:{row}</span>'
                               + (f'<br><span class="why">{_text(message)}</span>' if message else '') + '</li>'
                               for i, file, row, message in views.examples.get(f'{outcome} {reason}', ()))
            blocks.append(f'<details open class="{outcome}"><summary><b>{_text(reason)}</b> '
                          f'<span class="pill">{outcome} {_number(count)}</span></summary><ul>{examples}</ul></details>')
    if not blocks:
        return ''
    return f'<section><h2>Why records were left out</h2><div class="reasons">{"".join(blocks)}</div></section>'


def _units(run: dict, unit_errors: Sequence[UnitError]) -> str:
    parts = []
    if unit_errors:
        rows = [(e.unit, e.error, e.message, e.count) for e in unit_errors]
        parts.append('<h2>Files and archives with a fault</h2>'
                     + _table(('unit', 'error', 'message', 'records'), rows, 3))
    if run['warnings']:
        parts.append('<h2>Warnings</h2>' + _table(('kind', 'count'), sorted(run['warnings'].items())))
    return f'<section>{"".join(parts)}</section>' if parts else ''


def _order(label: str) -> tuple[int, float, str]:
    head = label.split(' ')[0].replace(',', '')
    try:
        return 0, float(head), ''
    except ValueError:
        return 1, 0.0, label


def _distributions(views: OutcomeViews) -> str:
    histograms = {**views.histograms, **({'engine': views.engines} if views.engines else {})}
    charts = []
    for name, counts in histograms.items():
        top = max(counts.values())
        shown = sorted(counts.items(), key=lambda item: _order(item[0]))
        bars = ''.join(f'<tr><th>{_text(label)}</th><td><div style="width:{max(0.5, 100 * n / top):.1f}%"></div></td>'
                       f'<td class="n">{_number(n)}</td></tr>' for label, n in shown)
        charts.append(f'<figure><figcaption>{_text(_TITLES.get(name, name.title()))}</figcaption>'
                      f'<table class="bars">{bars}</table></figure>')
    if not charts:
        return ''
    return f'<section><h2>Distributions of what was written</h2><div class="charts">{"".join(charts)}</div></section>'


def _sheet(output: str, sheet: list[SampledRecord], texts: Mapping) -> str:
    cards = [card for record in sheet if (card := _card(output, record, texts.get((record.file, record.row), '')))]
    if not cards:
        return ''
    return (f'<section><h2>A sample of {len(cards)} records</h2><div class="sheet">{"".join(cards)}</div></section>')


def _card(output: str, record: SampledRecord, text: str) -> str:
    thumb = _thumbnail(storage.join(output, record.output))
    if not thumb:
        return ''
    facts = [f"{record.details.get('width')} x {record.details.get('height')}", record.details.get('language'),
             f"turned {record.details['rotation']}" if record.details.get('rotation') else '']
    caption = ', '.join(str(fact) for fact in facts if fact)
    body = f'<pre dir="auto">{_text(text)}</pre>' if text else ''
    return (f'<article><a href="{_text(record.output)}"><img alt="{_text(record.id)}" src="{thumb}"></a>'
            f'<div><h3>{_text(record.id)}</h3><p class="dim">{_text(caption)}</p>{body}</div></article>')


def _thumbnail(path: str) -> str:
    from PIL import Image

    if not path.endswith(('.png', '.jpg', '.webp')):
        return ''
    try:
        with storage.open_read(path) as file, Image.open(file) as image:
            image.thumbnail((_THUMB_PIXELS, _THUMB_PIXELS))
            out = io.BytesIO()
            image.convert('L' if image.mode == 'L' else 'RGB').save(out, 'JPEG', quality=72)
    except OSError:
        return ''
    return 'data:image/jpeg;base64,' + base64.b64encode(out.getvalue()).decode()


def _options(run: dict) -> str:
    options = _table(('option', 'value'), ((k, v) for k, v in sorted(run['options'].items())), 9)
    versions = _table(('package', 'version'), sorted(run['versions'].items()), 9)
    return (f'<section class="two"><div><h2>Options</h2>{options}</div><div><h2>Versions</h2>{versions}</div>'
            '</section>')
