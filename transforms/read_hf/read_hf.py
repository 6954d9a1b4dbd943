"""ReadHF: a dataset of the Hub, or of a folder in the Hub's layouts, to records with provenance."""

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput

import transforms.hub.filesystem  # noqa: F401 - registers hf:// with Beam
from transforms.accounting.outcome import FAILED, Outcome
from transforms.accounting.step import CollectAccounts
from transforms.read_hf.data_files import mixed_formats
from transforms.read_hf.plan import ReadPlan, plan_read
from transforms.read_hf.read_unit import read_unit
from transforms.read_hf.rows import BadRow, LostPart, ReadLimits, Rows, UnitFault
from transforms.read_hf.units import Origin, ReadUnit, UnitChain
from transforms.report.summary import Count, UnitError
from transforms.run.run import Run
from transforms.run.start_up_check import StartUpCheck


@dataclass(slots=True)
class HFRecord:
    """One record and where it comes from.

    Attributes:
        origin: source, revision, subset, split and file, and the numbers of its source and part in a run.
        row: its number in the file, from 0. Of a text or JSON lines file that several workers share (of more than 64 MiB, or
            a part) it is the byte offset of the line; of a shared gzip or an archive it is ordered, but not counted from 0 without gaps.
        values: by column, as plain Python values.
    """

    origin: Origin
    row: int
    values: dict[str, Any]


class ReadOutput(NamedTuple):
    """What ReadHF gives.

    Attributes:
        main: PCollection[HFRecord].
        accounts: of what was read and what could not be, for FinishRun; empty outside of a run.
        outcomes: PCollection[Outcome] of the records that cannot be read.
        counts: PCollection[Count]: how many were read of each file, and how many of them are known to be lost.
        faults: PCollection[UnitError]: files and parts of files that cannot be read.
    """

    main: beam.PCollection
    accounts: tuple[beam.PCollection, ...]
    outcomes: beam.PCollection
    counts: beam.PCollection
    faults: beam.PCollection


def read_chain(chain: UnitChain, rows_of: Callable[[ReadUnit], Rows]) -> Iterator[HFRecord | Outcome | Count | UnitError]:
    """Records of a chain of units in order, what is wrong between them, and at the end how many were read of each file.

    Args:
        chain: the units, and how many records are wanted.
        rows_of: opens one, such as `read_unit`.
    """
    read: Counter = Counter()
    for unit in chain.units:
        left = chain.limit - sum(read.values()) if chain.limit else -1
        if left == 0:
            break
        yield from _read(unit, left, read, rows_of)
    for (part, file), count in sorted(read.items()):
        yield Count(part, 'read', '', count, file)


def _read(unit: ReadUnit, left: int, read: Counter, rows_of: Callable[[ReadUnit], Rows]) -> Iterator[object]:
    origin, count = unit.origin, 0
    rows = rows_of(unit)
    try:
        for item in rows:
            if type(item) is LostPart:
                yield UnitError(origin.part, origin.file, item.where, 'read', item.error, item.message, item.count)
                # Rows that are known to be lost are read and failed, so that the accounts tell of them.
                lost = min(item.count, left - count) if left >= 0 else item.count
                count += lost
                if lost:
                    yield Count(origin.part, 'failed', item.error, lost, origin.file)
                if count == left:
                    break
                continue
            row, values = item
            count += 1
            if type(values) is BadRow:
                yield Outcome(origin.part, origin.file, row, '', FAILED, values.error, values.message, stage='read')
            else:
                yield HFRecord(origin, row, values)
            if count == left:
                break
    except UnitFault as fault:
        yield UnitError(origin.part, origin.file, unit.label, 'read', fault.error, str(fault))
    finally:
        rows.close()
    if count:
        read[origin.part, origin.file] += count


_TAGS = {Outcome: 'outcomes', Count: 'counts', UnitError: 'faults'}


class _ReadUnitsFn(beam.DoFn):
    def __init__(self, limits: ReadLimits) -> None:
        self._limits = limits

    def process(self, chain: UnitChain) -> Iterator[
            HFRecord | TaggedOutput[Literal['outcomes'], Outcome] | TaggedOutput[Literal['counts'], Count]
            | TaggedOutput[Literal['faults'], UnitError]]:
        for item in read_chain(chain, partial(read_unit, limits=self._limits)):
            yield item if type(item) is HFRecord else TaggedOutput(_TAGS[type(item)], item)


@dataclass(eq=False)
class ReadHF(beam.PTransform):
    """PBegin to ReadOutput: every record of the chosen splits, and an account of those that cannot be read.

    Layouts: Parquet, JSON and JSON lines, CSV, TSV, text (each plain or gz, zst, bz2, xz), Avro, Arrow, WebDataset,
    zip and tar.gz of data files, folders of images or sounds (as references). Data files are found as `datasets` finds
    them. A Parquet is shared by row groups, plain lines by byte ranges, gzip by members. The source is resolved when
    this object is made: a Hub revision is pinned to its commit then. Memory: 32 MiB of read-ahead, and a batch of 512
    rows or a block of lines for each unit under way. Records are not in order; (file, row) orders them.

    Args:
        source: a folder or file, or hf://datasets/NAMESPACE/NAME[@REVISION][/PATH]; or what `plan_read` made of one, and
            then the choices below are the plan's.
        subset: name, 'all', or '' for the only or default one.
        split: name or 'all'.
        columns: to read; () for all.
        pattern: glob of data files, instead of the dataset's own splits.
        limit: read only the first records of each split; 0 for all.
        hub_parquet: read the Parquet conversion that the Hub made (for repositories with a loading script).
        limits: what one record may cost.
        run: the run that the records are read for: its workers check that they see its folders, take over its settings
            of the Hub and show signs of life, and `accounts` goes to FinishRun. Its sources and parts are those of the plan
            (of several plans: `number_plans`). None outside of a run. `ReadHFParts` gives the same part by part, so that a
            killed run goes on at the next part.

    Raises:
        ValueError: no such dataset, subset, split or column; the message says what there is.
        HubFault: the Hub cannot be reached or refuses.
        RunAborted: while running, the Hub fails for longer than `patience_seconds`, or a file has changed.
    """

    source: str | os.PathLike | ReadPlan
    _: KW_ONLY
    subset: str = ''
    split: str = 'all'
    columns: tuple[str, ...] = ()
    pattern: str = ''
    limit: int = 0
    hub_parquet: bool = False
    limits: ReadLimits = field(default_factory=ReadLimits)
    run: Run | None = None

    def __post_init__(self) -> None:
        if self.limit < 0:
            raise ValueError(f'limit={self.limit} must be at least 0, which means all')
        columns = (self.columns,) if isinstance(self.columns, str) else tuple(self.columns)
        self.plan = self.source if isinstance(self.source, ReadPlan) else plan_read(
            os.fspath(self.source), self.subset, self.split, columns, self.pattern, self.limit, self.hub_parquet, self.limits)
        if not isinstance(self.source, ReadPlan) and (mixed := mixed_formats(self.plan.dataset)):
            warnings.warn(f'{self.source}: {mixed}', stacklevel=3)

    def expand(self, pbegin: beam.pvalue.PBegin):  # noqa: ANN201 - Beam reads tuples wrongly
        chains = pbegin | 'Units' >> beam.Create(self.plan.chains) | 'SpreadUnits' >> beam.Reshuffle()
        if self.run:
            chains = chains | 'CheckReading' >> StartUpCheck(self.run)
        read = chains | 'ReadUnits' >> beam.ParDo(_ReadUnitsFn(self.limits)).with_outputs(*_TAGS.values(), main='main')
        said = ()
        if self.run:
            said = tuple(read[name] | f'Collect{name.title()}' >> CollectAccounts(self.run) for name in _TAGS.values())
        return ReadOutput(read.main, said, read.outcomes, read.counts, read.faults)
