"""CountOutcomes and BuildRunSummary: every count, error and file reference of a run, gathered into one element.

The counts flow through the pipeline as data. Beam's metrics would count a retried bundle twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import apache_beam as beam
from apache_beam.transforms.combiners import ToListCombineFn

from transforms.accounting.fragments import FragmentRef
from transforms.accounting.outcome import Outcome
from transforms.report.summary import Count, UnitError

_SEED = 'seed'


@dataclass(frozen=True)
class OutputFile:
    """A file that finishing wrote: path relative to the output folder, size, sha256."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class RunSummary:
    """Everything finishing needs, as one small element.

    Attributes:
        fragments: sorted files of records, conversations and the like.
        counts: counts by file, kind and name.
        unit_errors: what was wrong with whole units.
        outputs: files written by finishing so far.
        problems: why the result must not be called done.
        views: what the report shows, by name, gathered by the steps of finishing.
    """

    fragments: tuple[FragmentRef, ...] = ()
    counts: tuple[Count, ...] = ()
    unit_errors: tuple[UnitError, ...] = ()
    outputs: tuple[OutputFile, ...] = ()
    problems: tuple[str, ...] = ()
    views: dict[str, object] = field(default_factory=dict)

    def of_kind(self, kind: str) -> list[FragmentRef]:
        """The fragments whose payloads are of one kind, such as 'record' or 'train'."""
        return [ref for ref in self.fragments if ref.kind == kind]


def _outcome_key(outcome: Outcome, by_file: bool) -> tuple[tuple[str, str, str], int]:
    return (outcome.file if by_file else '', outcome.outcome, outcome.reason), 1


def _count_key(count: Count) -> tuple[tuple[str, str, str], int]:
    return (count.file, count.kind, count.name), count.count


def _to_count(counted: tuple[tuple[str, str, str], int]) -> Count:
    return Count(*counted[0], counted[1])


@dataclass(eq=False)
class CountOutcomes(beam.PTransform):
    """PCollection[Outcome] to PCollection[Count]: how many of each file had which outcome for which reason.

    The shuffle holds one key for each file, outcome and reason.

    Args:
        by_file: count by file; else under the file name '' for the input as a whole.
    """

    by_file: bool = True

    def expand(self, outcomes: beam.PCollection[Outcome]) -> beam.PCollection[Count]:
        return (outcomes | 'KeyByOutcome' >> beam.Map(_outcome_key, self.by_file)
                | 'SumByOutcome' >> beam.CombinePerKey(sum)
                | 'ToCount' >> beam.Map(_to_count))


class SumCounts(beam.PTransform):
    """PCollection[Count] to PCollection[Count] with one for each file, kind and name."""

    def expand(self, counts: beam.PCollection[Count]) -> beam.PCollection[Count]:
        return (counts | 'KeyByName' >> beam.Map(_count_key)
                | 'SumByName' >> beam.CombinePerKey(sum)
                | 'ToCount' >> beam.Map(_to_count))


def to_run_summary(items: Iterable[object]) -> RunSummary:
    """Sorts what was gathered into a summary, in an order that does not depend on arrival."""
    items = list(items)
    fragments = sorted((i for i in items if isinstance(i, FragmentRef)), key=lambda r: (r.kind, r.file, r.row))
    counts = sorted((i for i in items if isinstance(i, Count)), key=lambda c: (c.file, c.kind, c.name))
    errors = sorted((i for i in items if isinstance(i, UnitError)), key=lambda e: (e.file, e.unit, e.error))
    return RunSummary(tuple(fragments), tuple(counts), tuple(errors))


def _under_one_key(item: object) -> tuple[str, object]:
    return '', item


def _sorted(key: str, items: Iterable[object]) -> RunSummary:
    return to_run_summary(items)


class BuildRunSummary(beam.PTransform):
    """A tuple of PCollections (FragmentRef, Count or UnitError) to a PCollection of exactly one RunSummary.

    It is also the barrier of a run: the summary exists only when every record has its outcome. A seed makes sure
    that there is one also of nothing; CombineGlobally would do that with a side input, which a streaming engine
    holds back on its heap.
    """

    def expand(self, parts: tuple) -> beam.PCollection[RunSummary]:
        seed = parts[0].pipeline | 'Seed' >> beam.Create([_SEED], reshuffle=False)
        return ((*parts, seed) | 'Gather' >> beam.Flatten()
                | 'UnderOneKey' >> beam.Map(_under_one_key)
                | 'ToOneList' >> beam.CombinePerKey(ToListCombineFn())
                | 'Sort' >> beam.MapTuple(_sorted))
