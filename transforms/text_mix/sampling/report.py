"""What the report of a sample shows: plan against reality for each entry, and an example of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transforms.report.page import Histogram, Report, Section
from transforms.report.summary import Views
from transforms.text_mix.sampling.design import MEANS
from transforms.text_mix.sampling.planning import SamplePlan
from transforms.text_mix.sampling.write_sample import EXAMPLE


@dataclass(frozen=True)
class _Entries:
    """The table of entries."""

    plan: SamplePlan

    def __call__(self, output: str, views: Views, run: Mapping[str, Any]) -> dict[str, Any]:
        rows, designs = [], []
        weights = sum(entry.entry.weight for entry in self.plan.entries)
        for number, (entry, source) in enumerate(zip(self.plan.entries, run['sources'], strict=True)):
            there = source.get('frame_rows')
            rows.append({'folder': entry.folder, 'weight': 100 * entry.entry.weight / weights, 'quota': entry.quota, 'rows': there, 'read': source['read'],
                         'written': source['written'], 'without': sum(source['dropped'].values()) + sum(source['failed'].values()),
                         'design': entry.source.design if entry.source else 'skipped', 'expected': entry.expected_bytes,
                         'bytes': entry.frame.bytes if entry.frame else 0, 'why': entry.why,
                         'example': next((top.label for top in views.tops.get(f'{EXAMPLE} {number}', ())), '')})
            if entry.source and entry.source.design not in designs:
                designs.append(entry.source.design)
        return {'rows': rows, 'means': [MEANS[design] for design in designs], 'unit': 'tokens' if self.plan.in_tokens else 'documents',
                'hub': run.get('hub')}


def sample_report(plan: SamplePlan) -> Report:
    """The report of a run with this plan."""
    entries = Section('transforms.text_mix', 'entries.html', _Entries(plan), first=True)
    return Report((Histogram('characters', 'characters of what was written'),), (entries,))
