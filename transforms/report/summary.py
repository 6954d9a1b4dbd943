"""What a run is summed up by: counts, what is wrong with whole units, accounts, and views of the outcomes to look at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

_KINDS = ('read', 'written', 'dropped', 'failed', 'warning')


@dataclass(frozen=True)
class UnitError:
    """Something wrong with a whole unit: an archive that is missing, a row group that cannot be read.

    Attributes:
        file: the file of the records concerned, relative to the source.
        unit: what is wrong: archive, row group, folder.
        stage: where it was noticed.
        error: error class, as counted in `failed_units`.
        message: what exactly.
        count: how many records it costs, 0 when unknown.
    """

    file: str
    unit: str
    stage: str
    error: str
    message: str
    count: int = 0


@dataclass(frozen=True)
class Count:
    """A count for one file: `kind` is 'read', an outcome, or 'warning'; `name` the reason within it."""

    file: str
    kind: str
    name: str
    count: int


@dataclass(frozen=True)
class SampledRecord:
    """One written record that the report shows.

    Attributes:
        file, row: its identity.
        id: the record's own id.
        output: what was written, relative to the output folder.
        details: what was measured, by column of the records table.
    """

    file: str
    row: int
    id: str
    output: str
    details: dict[str, Any]


@dataclass
class OutcomeViews:
    """What the report shows of the outcomes, gathered in one pass with constant memory.

    Attributes:
        examples: by 'outcome reason', the first few as (id, file, row, message).
        histograms: by column, counts by power-of-two or decade bucket.
        sheet: a seeded sample of what was written.
        engines: written records by engine.
    """

    examples: dict[str, list[tuple[str, str, int, str]]] = field(default_factory=dict)
    histograms: dict[str, dict[str, int]] = field(default_factory=dict)
    sheet: list[SampledRecord] = field(default_factory=list)
    engines: dict[str, int] = field(default_factory=dict)


def accounts_by_file(counts: Iterable[Count]) -> dict[str, dict]:
    """`{file: {read, written, dropped: {reason: n}, failed: {error: n}, warnings: {kind: n}}}`, sorted."""
    accounts: dict[str, dict] = {}
    for count in sorted(counts, key=lambda c: (c.file, _KINDS.index(c.kind), c.name)):
        of_file = accounts.setdefault(count.file, empty_account())
        if count.kind in ('read', 'written'):
            of_file[count.kind] += count.count
        else:
            names = of_file['warnings' if count.kind == 'warning' else count.kind]
            names[count.name] = names.get(count.name, 0) + count.count
    return accounts


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
