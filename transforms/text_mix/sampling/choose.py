"""ChooseRows: of the candidates of each source the rows that make its sample, by rank, until the quota is reached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam
import numpy as np

from transforms.accounting.step import StepOutput
from transforms.keys.blocks import BlockRef, BlockStore
from transforms.keys.rows import RowsByUnit
from transforms.keys.select import smallest_reaching, up_to
from transforms.report.summary import FRAME_ROWS, Count, UnitError
from transforms.run.run import Run
from transforms.run.start_up_check import StartUpCheck
from transforms.text_mix.sampling.candidates import (
    CANDIDATE,
    WITH_TEXT,
    CandidateRef,
    ReadSummary,
    read_summary,
    read_table,
)
from transforms.text_mix.sampling.design import LAST, SampleTask
from transforms.text_mix.sampling.planning import SavedPlans, SourcePlan
from transforms.text_mix.sampling.read_candidates import ReadCandidates, read_task

UNKNOWN = -1  # index of a row behind files whose rows nobody has counted
CHOSEN = np.dtype([*((name, CANDIDATE[name]) for name in CANDIDATE.names), ('index', '<i8'), ('task', '<u4')])
GIVEN = 'given'  # rows, or tokens, of a source's sample
SHORT = 'source_short_of_quota'
_EMPTY = 'source_without_rows'
_SPARE, _LEAST = 1.2, 64
_ORDER = ('rank', 'file', 'row')


@dataclass(frozen=True)
class Chosen:
    """The rows of one part.

    Attributes:
        refs: (reference to a block of `CHOSEN`, path of the file that its texts are in).
    """

    refs: tuple[tuple[BlockRef, str], ...]


def more_tasks(plan: SourcePlan, refs: Iterable[CandidateRef]) -> tuple[SampleTask, ...]:
    """What else is to be read of a source whose candidates with text are fewer than its quota; () when that is all, or enough.

    How much follows from what was read: of how many rows how many had text, or how many tokens.
    """
    refs = list(refs)
    have, entries = sum(ref.units for ref in refs), sum(ref.entries for ref in refs)
    missing, used = plan.source.quota - have if plan.source else 0, len({ref.task for ref in refs})
    if missing <= 0 or not plan.tasks:
        return ()
    if used < len(plan.tasks):  # whole files
        following = int(_SPARE * missing / max(1.0, have / max(1, used))) + 1
        return tuple(replace(task, high=plan.high) for task in plan.tasks[used:used + following])
    high, source = max(ref.high for ref in refs), plan.source
    if high >= LAST or source.ends_early:
        return ()
    wanted = _SPARE * missing / max(0.01, have / max(1, entries)) + _LEAST
    if source.design == 'exact':
        rows = source.rows if source.is_counted else max(1, round(entries * 2.0**64 / (high + 1)))
        wanted *= 1 if source.is_counted else 4
        upto = high + int(wanted / max(1, rows) * 2.0**64) + 1
    else:
        upto = high + int(wanted)
        upto = LAST if upto >= source.rows + source.stretches else upto
    return tuple(replace(task, low=high + 1, high=min(LAST, upto)) for task in plan.tasks)


@dataclass(frozen=True)
class _More:
    saved: SavedPlans

    def __call__(self, read: tuple[int, Iterable[CandidateRef | None]]) -> Iterator[SampleTask]:
        number, refs = read
        yield from more_tasks(self.saved.load()[number], [ref for ref in refs if ref])


@dataclass(frozen=True)
class _Choose:
    """(source, references) to (part, BlockRef of CHOSEN), and to (part, what is said to the accounts)."""

    run: Run
    saved: SavedPlans
    by_rank: bool

    def __call__(self, read: tuple[int, Iterable[CandidateRef | None]]) -> Iterator[Any]:
        number, refs = read
        plan, refs = self.saved.load()[number], [ref for ref in refs if ref]
        parts = [part.number for part in self.run.parts if part.source == number]
        # Two rounds are shared by all workers. What is missing then, as where most rows are without text, is read here.
        while tasks := more_tasks(plan, refs):
            refs += [read_task(task, self.run) for task in tasks]
        refs.sort(key=lambda ref: (ref.task, ref.high))
        if plan.source is None:
            yield self._say(parts[0], UnitError(parts[0], plan.entry.name, plan.folder, 'plan', 'Unavailable', plan.why))
            yield self._say(parts[0], Count(parts[0], 'warning', 'source_unavailable', 1))
            return
        summaries = [read_summary(ref.path) for ref in refs]
        rows, whole = self._rows(plan, summaries)
        yield from self._accounts(plan, parts[0], summaries, rows, whole)
        if refs:
            yield from self._chosen(plan, parts, refs, rows, whole)

    @staticmethod
    def _say(part: int, what: object) -> beam.pvalue.TaggedOutput:
        return beam.pvalue.TaggedOutput('accounts', (part, what))

    def _rows(self, plan: SourcePlan, summaries: list[ReadSummary]) -> tuple[list[int], int]:
        """(rows that each file is known to have, at least; how many of the first files are known to have no more)."""
        files = plan.frame.files
        counted = [max(0, file.rows) for file in files]
        known = {number for number, file in enumerate(files) if file.rows >= 0}
        broken = {path for summary in summaries for path, *_ in summary.faults}
        for summary in summaries:
            for number, rows in ((int(file), rows) for file, rows in summary.rows.items()):
                counted[number] = max(rows, counted[number])
                if files[number].info.path not in broken:
                    known.add(number)
        if plan.source.ends_early and known:
            known.discard(max(known))  # reading may have ended in it
        return counted, next((number for number in range(len(files)) if number not in known), len(files))

    def _accounts(self, plan: SourcePlan, part: int, summaries: list[ReadSummary], rows: list[int], whole: int) -> Iterator[Any]:
        faults: dict[tuple[str, str, str], str] = {}  # each round that reads a file meets them again
        for file, where, error, message, _ in (fault for summary in summaries for fault in summary.faults):
            faults.setdefault((file, where, error), message)
        for (file, where, error), message in faults.items():
            yield self._say(part, UnitError(part, file, where, 'read', error, message))
        if whole == len(rows):
            yield self._say(part, Count(part, 'view', FRAME_ROWS, sum(rows)))
        if plan.frame.left_out:
            yield self._say(part, Count(part, 'warning', 'files_in_no_split', sum(count for _, count in plan.frame.left_out)))
        have = sum(summary.units for summary in summaries)
        if have < plan.quota:
            yield self._say(part, Count(part, 'warning', SHORT if any(rows) else _EMPTY, 1))

    def _chosen(self, plan: SourcePlan, parts: list[int], refs: list[CandidateRef], rows: list[int], whole: int) -> Iterator[Any]:
        cut = self._cut(plan, refs)
        bases = np.concatenate(([0], np.cumsum(rows))).astype(np.int64)
        scale = cut[0] + 1 if self.by_rank else max(1, sum(rows))
        store = BlockStore(self.run, CHOSEN)
        for place, ref in enumerate(refs):
            table = read_table(ref.path)
            table = table[up_to(table, cut, _ORDER)]
            if not len(table):
                continue
            chosen = np.empty(len(table), CHOSEN)
            for name in CANDIDATE.names:
                chosen[name] = table[name]
            places = bases[table['file']] + table['row']
            chosen['index'] = np.where(table['file'] <= whole, places, UNKNOWN)
            chosen['task'] = place
            along = chosen['rank'] if self.by_rank else places
            slices = np.minimum((along.astype(np.float64) / scale * len(parts)).astype(np.int64), len(parts) - 1)
            order = np.argsort(slices, kind='stable')
            slices = slices[order]
            firsts = np.flatnonzero(np.concatenate(([True], slices[1:] != slices[:-1])))
            stretches = [(parts[at], start, stop) for at, start, stop in
                         zip(slices[firsts].tolist(), firsts.tolist(), [*firsts[1:].tolist(), len(slices)], strict=True)]
            yield self._say(parts[0], Count(parts[0], 'view', f'{GIVEN} {plan.source.number}', int(chosen['units'].sum())))
            for part, start, stop in stretches:  # counted here, so that the accounts tell of a row that gets lost on its way to be written
                yield self._say(part, Count(part, 'read', '', stop - start))
            for part, block in store.write(chosen[order], stretches):
                yield part, (block, ref.path)

    @staticmethod
    def _cut(plan: SourcePlan, refs: list[CandidateRef]) -> tuple[int, ...]:
        """The rank, file and row of the last row of the sample; the rank alone where all that have it are in."""
        quota = plan.source.quota
        if sum(ref.units for ref in refs) < quota:
            return max((int(table['rank'][-1]) for ref in refs if len(table := read_table(ref.path))), default=0),

        def with_text() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for ref in refs:
                table = read_table(ref.path)
                table = table[table['state'] == WITH_TEXT]
                yield table['rank'], table['units']

        rank, below = smallest_reaching(with_text, quota)
        ties = np.concatenate([table[(table['rank'] == np.uint64(rank)) & (table['state'] == WITH_TEXT)] for table in (read_table(ref.path) for ref in refs)])
        ties.sort(order=list(_ORDER))
        last = ties[int(np.searchsorted(below + np.cumsum(ties['units'].astype(np.int64)), quota))]
        return rank, int(last['file']), int(last['row'])


@dataclass(eq=False)
class ChooseRows(beam.PTransform):
    """PCollection[tuple[int, CandidateRef]] to StepOutput, whose `main` is PCollection[tuple[int, Chosen]]: one for each part.

    A row without text is replaced by that of the next rank: where the candidates of a source give less than its quota more are read, once
    by all workers, and what is missing then by the one that chooses. Memory: the candidates of one task (45 bytes each) at a time.

    Args:
        run: the run.
        saved: the plans of its sources.
        by_rank: cut a source into parts by rank; else in the order of the input.

    Raises:
        RunAborted: as of `ReadCandidates`.
    """

    run: Run
    saved: SavedPlans
    by_rank: bool = True

    def expand(self, first: beam.PCollection[tuple[int, CandidateRef]]):  # noqa: ANN201 - Beam reads tuples wrongly
        more = (self._by_source('First', (first,))
                | 'MoreTasks' >> beam.FlatMap(_More(self.saved)).with_output_types(SampleTask)
                | 'ReadMore' >> ReadCandidates(self.run))
        chosen = (self._by_source('All', (first, more)) | 'Choose' >> beam.FlatMap(_Choose(self.run, self.saved, self.by_rank)).with_outputs('accounts', main='chosen'))
        rows = (chosen.chosen,) | 'ToParts' >> RowsByUnit(self.run, tuple(part.number for part in self.run.parts), Chosen)
        return StepOutput(rows, (chosen.accounts,))

    def _by_source(self, name: str, refs: tuple[beam.PCollection, ...]) -> beam.PCollection:
        seeds = refs[0].pipeline | f'{name}Sources' >> beam.Create(
            [(source.number, None) for source in self.run.sources], reshuffle=False).with_output_types(tuple[int, Any])
        return ((*refs, seeds) | f'{name}Gather' >> beam.Flatten() | f'{name}BySource' >> beam.GroupByKey()
                | f'{name}Check' >> StartUpCheck(self.run))
