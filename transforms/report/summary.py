"""What a run is summed up by: counts, what is wrong with whole units, accounts, and views of the outcomes to look at."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

EXAMPLES = 3
SAMPLE_SIZE = 20
LABELS, OTHER = 200, '(other)'
FRAME_ROWS = 'frame rows'  # a view's count: rows that a source has, of which only a sample was read


@dataclass(frozen=True)
class UnitError:
    """Something wrong with a whole unit: an archive that is missing, a row group that cannot be read.

    Attributes:
        part: of the accounts, in which its records would be.
        file: the file of the records concerned, relative to the source.
        unit: what is wrong: archive, row group, folder.
        stage: where it was noticed.
        error: error class, as counted in `failed_units`.
        message: what exactly.
        count: how many records it costs, 0 when unknown.
    """

    part: int
    file: str
    unit: str
    stage: str
    error: str
    message: str
    count: int = 0


@dataclass(frozen=True)
class Count:
    """A count of one part: `kind` is 'read', an outcome, 'warning', or 'view' for the report alone.

    `name` is the reason within it, or what is counted; `file`, where known, is for people.
    """

    part: int
    kind: str
    name: str
    count: int
    file: str = ''


@dataclass(frozen=True)
class SampledRecord:
    """One written record that the report shows.

    Attributes:
        part, file, row: its identity; a part belongs to one source.
        rank: a seeded hash of the identity; the smallest are shown.
        id: the record's own id.
        output: what was written, relative to the output folder.
        details: what was measured, by column of the records table.
        text: an excerpt of the products that hold the record, '' for none.
    """

    part: int
    file: str
    row: int
    rank: int
    id: str
    output: str
    details: dict[str, Any]
    text: str = ''


@dataclass(frozen=True)
class Comparison:
    """A record before and after what a step did to it, of those with the smallest ranks of a part."""

    part: int
    rank: int
    file: str
    row: int
    id: str
    before: str
    after: str


@dataclass(frozen=True)
class TopValue:
    """One of the largest values of a kind, such as the size of a group, and what has it."""

    part: int
    name: str
    value: int
    label: str


@dataclass
class Views:
    """What the report shows of the outcomes, of constant size however many they are.

    Attributes:
        examples: by 'outcome reason', the first few as (id, file, row, message).
        histograms: by column, counts by label; of all that was read under the column's name and ' read'.
        sample: the records of the smallest ranks, in order of file and row.
        counts: what a pipeline counts for its own sections.
        comparisons: those of the smallest ranks, in order of file and row.
        tops: by kind the largest values.
    """

    examples: dict[str, list[tuple[str, str, int, str]]] = field(default_factory=dict)
    histograms: dict[str, Counter] = field(default_factory=dict)
    sample: list[SampledRecord] = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)
    comparisons: list[Comparison] = field(default_factory=list)
    tops: dict[str, list[TopValue]] = field(default_factory=dict)

    def add(self, other: Views) -> None:
        """Adds the views of a later part."""
        for reason, examples in other.examples.items():
            mine = self.examples.setdefault(reason, [])
            mine += examples[:EXAMPLES - len(mine)]
        for column, counts in other.histograms.items():
            self.histograms[column] = _few(self.histograms.get(column, Counter()) + counts)
        self.sample = _smallest([*self.sample, *other.sample])
        self.counts = _few(self.counts + other.counts)
        self.comparisons = _smallest([*self.comparisons, *other.comparisons])
        for name, values in other.tops.items():
            both = [*self.tops.get(name, ()), *values]
            self.tops[name] = sorted(both, key=lambda top: (-top.value, top.part, top.label))[:EXAMPLES]


def _smallest(records: list) -> list:
    smallest = heapq.nsmallest(SAMPLE_SIZE, records, key=lambda record: record.rank)
    return sorted(smallest, key=lambda record: (record.part, record.file, record.row))


def _few(counts: Counter) -> Counter:
    """The most frequent labels; the rest, of texts that anybody may write, are one."""
    if len(counts) <= LABELS:
        return counts
    frequent = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:LABELS - 1]
    return Counter(dict(frequent)) + Counter({OTHER: counts.total() - sum(n for _, n in frequent)})


def account_of(counts: Iterable[Count]) -> dict:
    """`{read, written, dropped: {reason: n}, failed: {error: n}, warnings: {kind: n}}` of some counts."""
    account = empty_account()
    for count in counts:
        if count.kind in ('read', 'written'):
            account[count.kind] += count.count
        elif count.kind != 'view':
            names = account['warnings' if count.kind == 'warning' else count.kind]
            names[count.name] = names.get(count.name, 0) + count.count
    return add_accounts([account])


def empty_account() -> dict:
    """`{read: 0, written: 0, dropped: {}, failed: {}, warnings: {}}`."""
    return {'read': 0, 'written': 0, 'dropped': {}, 'failed': {}, 'warnings': {}}


def add_accounts(accounts: Iterable[dict]) -> dict:
    """The sum of several accounts, name by name; names are sorted."""
    total = empty_account()
    for account in accounts:
        total['read'] += account['read']
        total['written'] += account['written']
        for kind in ('dropped', 'failed', 'warnings'):
            for name, count in account[kind].items():
                total[kind][name] = total[kind].get(name, 0) + count
    for kind in ('dropped', 'failed', 'warnings'):
        total[kind] = dict(sorted(total[kind].items()))
    return total


def balance(account: dict) -> int:
    """Read minus written, dropped and failed: 0 when nothing was lost or invented."""
    return account['read'] - account['written'] - sum(account['dropped'].values()) - sum(account['failed'].values())
