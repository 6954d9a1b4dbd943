"""What the report of a sample shows: plan against reality for each entry, and an example of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transforms.report.page import Histogram, Report, Section
from transforms.report.summary import Views
from transforms.text_mix.sampling.choose import GIVEN
from transforms.text_mix.sampling.design import meaning
from transforms.text_mix.sampling.planning import SamplePlan
from transforms.text_mix.sampling.write_sample import EXAMPLE


@dataclass(frozen=True)
class _Entries:
    """The table of entries."""

    plan: SamplePlan

    def __call__(self, output: str, views: Views, run: Mapping[str, Any]) -> dict[str, Any]:
        rows, meanings = [], {}
        weights = sum(entry.entry.weight for entry in self.plan.entries)
        for number, (entry, source) in enumerate(zip(self.plan.entries, run['sources'], strict=True)):
            there = source.get('frame_rows')
            rows.append({'folder': entry.folder, 'weight': 100 * entry.entry.weight / weights, 'quota': entry.quota, 'rows': there, 'read': source['read'],
                         'written': source['written'], 'given': views.counts.get(f'{GIVEN} {number}', 0), 'other': sum(source['dropped'].values()) + sum(source['failed'].values()),
                         'design': entry.source.design if entry.source else 'skipped', 'expected': entry.expected_bytes,
                         'bytes': entry.frame.bytes if entry.frame else 0, 'why': entry.why,
                         'example': next((top.label for top in views.tops.get(f'{EXAMPLE} {number}', ())), '')})
            if entry.tasks:
                meanings[meaning(entry.source)] = None
        return {'rows': rows, 'means': list(meanings), 'in_tokens': self.plan.in_tokens, 'hub': run.get('hub')}


def sample_report(plan: SamplePlan) -> Report:
    """The report of a run with this plan."""
    entries = Section('transforms.text_mix', 'entries.html', _Entries(plan), first=True)
    return Report((Histogram('characters', 'characters of what was written'),), (entries,))
