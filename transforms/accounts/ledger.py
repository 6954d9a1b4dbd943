"""CountOutcomes and BuildLedger: every count, error and file reference of a run, gathered into one element.

The counts flow through the pipeline as data. Beam's metrics would count a retried bundle twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import apache_beam as beam
from apache_beam.transforms.combiners import ToListCombineFn

from transforms.accounts.fragments import FragmentRef
from transforms.accounts.records import Record, Tally, UnitError

_SEED = 'seed'
_KINDS = ('read', 'written', 'dropped', 'failed', 'warning')


@dataclass(frozen=True)
class OutputFile:
    """A file that finishing wrote: path relative to the output folder, size, sha256."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Ledger:
    """Everything finishing needs, as one small element.

    Attributes:
        fragments: sorted files of records, conversations and the like.
        tallies: counts by file, kind and name.
        unit_errors: what was wrong with whole units.
        outputs: files written by finishing so far.
        problems: why the result must not be called done.
        views: what the report shows, by name, gathered by the steps of finishing.
    """

    fragments: tuple[FragmentRef, ...] = ()
    tallies: tuple[Tally, ...] = ()
    unit_errors: tuple[UnitError, ...] = ()
    outputs: tuple[OutputFile, ...] = ()
    problems: tuple[str, ...] = ()
    views: dict[str, object] = field(default_factory=dict)

    def of_kind(self, kind: str) -> list[FragmentRef]:
        """The fragments of one kind."""
        return [ref for ref in self.fragments if ref.kind == kind]


def accounts_by_file(tallies: Iterable[Tally]) -> dict[str, dict]:
    """`{file: {read, written, dropped: {reason: n}, failed: {error: n}, warnings: {kind: n}}}`, sorted."""
    accounts: dict[str, dict] = {}
    for tally in sorted(tallies, key=lambda t: (t.file, _KINDS.index(t.kind), t.name)):
        of_file = accounts.setdefault(tally.file, empty_account())
        if tally.kind in ('read', 'written'):
            of_file[tally.kind] += tally.count
        else:
            names = of_file['warnings' if tally.kind == 'warning' else tally.kind]
            names[tally.name] = names.get(tally.name, 0) + tally.count
    return accounts


def empty_account() -> dict:
    """An account with nothing in it."""
    return {'read': 0, 'written': 0, 'dropped': {}, 'failed': {}, 'warnings': {}}


def add_accounts(accounts: Iterable[dict]) -> dict:
    """The sum of several accounts."""
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


def _outcome_key(record: Record, by_file: bool) -> tuple[tuple[str, str, str], int]:
    return (record.file if by_file else '', record.outcome, record.reason), 1


def _tally_key(tally: Tally) -> tuple[tuple[str, str, str], int]:
    return (tally.file, tally.kind, tally.name), tally.count


def _to_tally(counted: tuple[tuple[str, str, str], int]) -> Tally:
    return Tally(*counted[0], counted[1])


@dataclass(eq=False)
class CountOutcomes(beam.PTransform):
    """PCollection[Record] to PCollection[Tally]: how many of each file had which outcome for which reason.

    The shuffle holds one key for each file, outcome and reason.

    Args:
        by_file: count by file; else under the file name '' for the input as a whole.
    """

    by_file: bool = True

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, records: beam.PCollection[Record]) -> beam.PCollection[Tally]:
        return (records | 'KeyByOutcome' >> beam.Map(_outcome_key, self.by_file)
                | 'SumByOutcome' >> beam.CombinePerKey(sum)
                | 'ToTally' >> beam.Map(_to_tally))


class SumTallies(beam.PTransform):
    """PCollection[Tally] to PCollection[Tally] with one for each file, kind and name."""

    def expand(self, tallies: beam.PCollection[Tally]) -> beam.PCollection[Tally]:
        return (tallies | 'KeyByName' >> beam.Map(_tally_key)
                | 'SumByName' >> beam.CombinePerKey(sum)
                | 'ToTally' >> beam.Map(_to_tally))


def to_ledger(items: Iterable[object]) -> Ledger:
    """Sorts what was gathered into a ledger, in an order that does not depend on arrival."""
    items = list(items)
    fragments = sorted((i for i in items if isinstance(i, FragmentRef)), key=lambda r: (r.kind, r.file, r.row))
    tallies = sorted((i for i in items if isinstance(i, Tally)), key=lambda t: (t.file, t.kind, t.name))
    errors = sorted((i for i in items if isinstance(i, UnitError)), key=lambda e: (e.file, e.unit, e.error))
    return Ledger(tuple(fragments), tuple(tallies), tuple(errors))


def _under_one_key(item: object) -> tuple[str, object]:
    return '', item


def _sorted(key: str, items: Iterable[object]) -> Ledger:
    return to_ledger(items)


class BuildLedger(beam.PTransform):
    """A tuple of PCollections (FragmentRef, Tally or UnitError) to a PCollection of exactly one Ledger.

    It is also the barrier of a run: the ledger exists only when every record has its outcome. A seed makes sure
    that there is one also of nothing; CombineGlobally would do that with a side input, which a streaming engine
    holds back on its heap.
    """

    def expand(self, parts: tuple) -> beam.PCollection[Ledger]:
        seed = parts[0].pipeline | 'Seed' >> beam.Create([_SEED], reshuffle=False)
        return ((*parts, seed) | 'Gather' >> beam.Flatten()
                | 'UnderOneKey' >> beam.Map(_under_one_key)
                | 'ToOneList' >> beam.CombinePerKey(ToListCombineFn())
                | 'Sort' >> beam.MapTuple(_sorted))
