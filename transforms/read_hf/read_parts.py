"""ReadHFParts: the same records as ReadHF, a part of a run at a time, so that a killed run goes on at the next part."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import apache_beam as beam

from transforms.read_hf.inflate import inflate, read_block
from transforms.read_hf.plan import ReadPlan
from transforms.read_hf.read_hf import read_chain
from transforms.read_hf.read_unit import read_unit
from transforms.read_hf.rows import DEFAULT_LIMITS, ReadLimits, Rows
from transforms.read_hf.units import ReadUnit, UnitChain
from transforms.run.hints import InOneStage
from transforms.run.part_stream import PartStream
from transforms.run.progress import add_done
from transforms.run.run import Run
from transforms.run.start_up_check import StartUpCheck


class _InflateFn(beam.DoFn):
    def __init__(self, run: Run) -> None:
        self._run = run

    def process(self, file: tuple[tuple[ReadUnit, ...], list[UnitChain]]) -> Iterator[UnitChain]:
        units, chains = file
        inflate(units, self._run.inflated)
        yield from chains


class _OpenPartFn(beam.DoFn):
    def __init__(self, limits: ReadLimits, run: Run) -> None:
        self._limits, self._run = limits, run

    def process(self, chain: UnitChain) -> Iterator[PartStream]:
        rows_of = partial(self._rows_of, done=partial(add_done, self._run.work))
        yield PartStream(chain.units[0].origin.part, chain.bytes, read_chain(chain, rows_of))

    def _rows_of(self, unit: ReadUnit, done: Callable[[int], None]) -> Rows:
        return read_unit(unit, self._limits, done) if unit.block < 0 else read_block(unit, self._run.inflated, self._limits, done)


@dataclass(eq=False)
class ReadHFParts(beam.PTransform):
    """PBegin to PCollection[PartStream]: for each part of a run one stream of its HFRecords, for `ForEachPart`.

    Within a stream records are in order of file and row, and what cannot be read stands between them. Nothing is read before a
    stream is iterated: a part that an earlier try has finished is never opened. Files that the plans inflate are written to the work
    folder in blocks first, each by one worker, which all then share. Workers check that they see the run's folders,
    take over its settings of the Hub and show signs of life, as of `ReadHF` with a run; so is the memory.

    Args:
        plans: what `plan_read` made, whose parts are the run's; several as `number_plans` gives them.
        run: the run.
        limits: what one record may cost.

    Raises:
        RunAborted: while running, the Hub fails for longer than `patience_seconds`, or a file has changed.
    """

    plans: ReadPlan | tuple[ReadPlan, ...]
    run: Run
    limits: ReadLimits = DEFAULT_LIMITS

    def expand(self, pbegin: beam.pvalue.PBegin) -> beam.PCollection[PartStream]:
        plans = self.plans if isinstance(self.plans, tuple) else (self.plans,)
        chains = [chain for plan in plans for chain in plan.chains_by_part]
        ready = pbegin | 'Units' >> beam.Create([chain for chain in chains if chain.units[0].block < 0])
        if len(files := {file[0].path: file for plan in plans for file in plan.inflated}):
            of_file = [(units, [chain for chain in chains if chain.units[0].block >= 0 and chain.units[0].path == path]) for path, units in files.items()]
            ready = (ready, self._inflated(pbegin, of_file)) | 'AllUnits' >> beam.Flatten()
        return ready | 'SpreadUnits' >> beam.Reshuffle() | 'InOneStage' >> InOneStage(self._open, self.run.worker_hints)

    def _inflated(self, pbegin: beam.pvalue.PBegin, files: list[tuple[tuple[ReadUnit, ...], list[UnitChain]]]) -> beam.PCollection[UnitChain]:
        """The chains of files that are inflated first, once they are."""
        return (pbegin | 'PackedFiles' >> beam.Create(files) | 'SpreadFiles' >> beam.Reshuffle()
                | 'CheckInflating' >> StartUpCheck(self.run) | 'Inflate' >> beam.ParDo(_InflateFn(self.run)).with_output_types(UnitChain))

    def _open(self, chains: beam.PCollection[UnitChain]) -> beam.PCollection[PartStream]:
        return chains | 'CheckReading' >> StartUpCheck(self.run) | 'OpenParts' >> beam.ParDo(_OpenPartFn(self.limits, self.run))
