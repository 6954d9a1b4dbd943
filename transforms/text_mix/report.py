"""What the report of a text run shows: warnings, what each step changed, documents before and after, duplicates by pair of sources."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from transforms.report.page import Histogram, Report, Section
from transforms.report.summary import Views
from transforms.text.cleaning.chain import STEPS
from transforms.text_mix.settings import TextSettings
from transforms.text_mix.write_documents import GROUP, PAIR

_LOST = 0.5  # of a source
_GROUP_SHARE = 0.01  # of all documents
_SHOWN = 12


def warnings_of(views: Views, run: Mapping[str, Any]) -> list[str]:
    """What somebody should look at before using the output."""
    found = []
    for source in run['sources']:
        lost = source['read'] - source['written']
        if lost > _LOST * source['read']:
            why = max({**source['dropped'], **source['failed']}.items(), key=lambda item: item[1], default=('', 0))
            found.append(f"{source['source']} {source['subset']} {source['split']}".rstrip() +
                         f" lost {lost:,} of {source['read']:,} documents, most as {why[0]} ({why[1]:,})")
    for top in views.tops.get(GROUP, ()):
        if top.value > _GROUP_SHARE * run['totals']['read'] and top.value > 10:
            found.append(f'one text comes {top.value:,} times, {100 * top.value / run["totals"]["read"]:.1f} % of all documents: {top.label}')
    return found


def _warnings(output: str, views: Views, run: Mapping[str, Any]) -> dict | None:
    found = warnings_of(views, run)
    return {'warnings': found} if found else None


def _steps(output: str, views: Views, run: Mapping[str, Any]) -> dict | None:
    read = run['totals']['read']
    rows = [(name, views.counts[f'{name} documents'], 100 * views.counts[f'{name} documents'] / read if read else 0, views.counts[f'{name} characters'])
            for name in STEPS if f'{name} documents' in views.counts]
    return {'rows': rows} if rows else None


def _pairs(output: str, views: Views, run: Mapping[str, Any]) -> dict | None:
    pairs = [(*name.removeprefix(PAIR).split('\t'), count) for name, count in views.counts.items() if name.startswith(PAIR)]
    groups = [(top.value, top.label) for top in views.tops.get(GROUP, ())]
    return {'pairs': sorted(pairs, key=lambda pair: (-pair[2], pair))[:40], 'groups': groups} if pairs else None


def marked_pieces(before: str, after: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Both texts in pieces, each with whether it is in one of them alone; compared word by word."""
    one, two = _words(before), _words(after)
    left: list[tuple[str, bool]] = []
    right: list[tuple[str, bool]] = []
    for kind, i, j, k, m in difflib.SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
        if i < j:
            left.append((''.join(one[i:j]), kind != 'equal'))
        if k < m:
            right.append((''.join(two[k:m]), kind != 'equal'))
    return left, right


def _words(text: str) -> list[str]:
    words, start = [], 0
    for place, char in enumerate(text):
        if not char.isalnum():
            words += [text[start:place]] if start < place else []
            words.append(char)
            start = place + 1
    return words + ([text[start:]] if start < len(text) else [])


def _comparisons(output: str, views: Views, run: Mapping[str, Any]) -> dict | None:
    shown = [(one.id, one.file, one.row, *marked_pieces(one.before[:700], one.after[:700])) for one in views.comparisons[:_SHOWN]]
    return {'shown': shown} if shown else None


def text_report(settings: TextSettings) -> Report:
    """The report of a run with these settings."""
    histograms = [Histogram('raw_characters', 'characters of what was read', read=True), Histogram('characters', 'characters of what was written')]
    if 'language' in dict(settings.columns):
        of = f', of one document in {settings.language_every:,}' if settings.language_every > 1 else ''
        histograms += [Histogram('language', f'languages of what was read{of}', read=True), Histogram('language', f'languages of what was written{of}')]
    sections = (Section('transforms.text_mix', 'warnings.html', _warnings, first=True), Section('transforms.text_mix', 'steps.html', _steps),
                Section('transforms.text_mix', 'duplicates.html', _pairs), Section('transforms.text_mix', 'comparisons.html', _comparisons))
    return Report(tuple(histograms), sections)
