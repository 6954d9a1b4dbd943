"""ForEachPart: parts worked off one by one, each with all that it says to the accounts, so that a killed run goes on at the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import apache_beam as beam

from transforms.accounting.fragments import FragmentRef
from transforms.accounting.outcome import FAILED, ChunkFile, Outcome, OutputFile, Payload
from transforms.accounting.step import Collector, StepOutput
from transforms.accounting.table import RecordTable
from transforms.files import storage
from transforms.files.durable import flush
from transforms.report.summary import Comparison, Count, TopValue, UnitError
from transforms.run.hints import InOneStage
from transforms.run.journal import Journal, read_journal
from transforms.run.part_stream import PartStream
from transforms.run.progress import add_done
from transforms.run.run import Run

Said = Outcome | Payload | Count | UnitError | OutputFile | ChunkFile | FragmentRef | Comparison | TopValue
Work = Callable[[int, Iterator[Any], Callable[[Said], None]], None]
_KEPT = {kind.__name__: kind for kind in (FragmentRef, Count, UnitError, OutputFile, ChunkFile, Comparison, TopValue)}


class _PartAccounts:
    """What is said of one part while it is worked off; `ready` is what of it can be remembered: references instead of records."""

    def __init__(self, run: Run, table: RecordTable) -> None:
        self._collector = Collector(run.kept, table)
        self.ready: list[object] = []
        self.has_failed = self.is_whole = False

    def add(self, item: Said) -> None:
        self.has_failed = self.has_failed or getattr(item, 'outcome', '') == FAILED
        self.ready += [ready for _, ready in self._collector.add(item)]

    def records(self, items: Iterator[Any]) -> Iterator[Any]:
        """The records of a stream. What stands between them, such as the Outcome of a row that cannot be read, enters the accounts here."""
        for item in items:
            if isinstance(item, Said):
                self.add(item)
            else:
                yield item
        self.is_whole = True

    def finish(self) -> list[object]:
        self.ready += [ready for _, ready in self._collector.finish()]
        return self.ready


def _journal_key(part: int, step: str) -> str:
    return f'{step} {part:06d}'


def save_part(run: Run, part: int, said: list[object], has_failed: bool, step: str = 'part') -> None:
    """Remembers in the journal that a part is done, and what it says; paths of fragments are kept by name.

    `has_failed` marks a part with failed records, which `--retry_failed` does again.
    """
    lines = [[type(item).__name__, asdict(replace(item, path=item.path.rpartition('/')[2]) if type(item) is FragmentRef else item)]
             for item in said]
    journal = Journal(run.journal)
    journal.add(_journal_key(part, step), '', 0, {'said': lines, **({'error': 'failed records'} if has_failed else {})})
    journal.close()


def saved_part(run: Run, part: int, step: str = 'part') -> list[object] | None:
    """What a part that is done says to the accounts; None when it must be done (again)."""
    line = read_journal(run.journal, _journal_key(part, step)).get(('', 0))
    if line is None:
        return None
    said = [_KEPT[name](**values) for name, values in line['said']]
    said = [replace(item, path=storage.join(run.kept, item.path), first=tuple(item.first)) if type(item) is FragmentRef else item
            for item in said]
    return said if all(_is_there(run, item) for item in said) else None


def _is_there(run: Run, item: object) -> bool:
    """Whether the file of which an item tells is still there; on other than local disks that is taken as given."""
    if not storage.is_local(run.output):
        return True
    if type(item) is OutputFile:
        return storage.size_of(storage.join(run.output, item.path)) == item.bytes
    if type(item) is ChunkFile:
        return storage.exists(storage.join(run.kept, item.chunk))
    return type(item) is not FragmentRef or storage.exists(item.path)


class _WorkOffFn(beam.DoFn):
    def __init__(self, run: Run, table: RecordTable, work: Work, step: str) -> None:
        self._run, self._table, self._work, self._step = run, table, work, step

    def process(self, stream: PartStream) -> Iterator[tuple[int, Any]]:
        step = f'{self._step} {stream.fingerprint}'.rstrip()
        said = saved_part(self._run, stream.part, step)
        if said is None:
            said = self._work_off(stream, step)
        else:
            add_done(self._run.work, stream.bytes)
        for item in said:
            yield stream.part, item

    def _work_off(self, stream: PartStream, step: str) -> list[object]:
        accounts = _PartAccounts(self._run, self._table)
        self._work(stream.part, accounts.records(stream.items), accounts.add)
        if not accounts.is_whole:
            raise ValueError(f'part {stream.part} was not read to its end by {self._work!r}')
        said = accounts.finish()
        if self._run.workers_elsewhere:
            flush(self._run.output)
        # What could not be read to its end is tried again by the next start, so it is not done.
        if not any(type(item) is UnitError for item in said):
            save_part(self._run, stream.part, said, accounts.has_failed, step)
        return said


@dataclass(eq=False)
class ForEachPart(beam.PTransform):
    """PCollection[PartStream] to StepOutput: each part worked off to its end, and remembered when it is.

    A part that an earlier try of the run has finished is not read again: what it said is taken from the journal. Parts in which
    something could not be read to its end are done again. `main` is what goes to the accounts.

    Args:
        run: the run.
        work: called with a part's number, its records, and a function that takes what is to be said of them (Outcome, Payload,
            OutputFile, Count, UnitError). It reads all records, and writes files that appear complete or not at all.
        table: the columns that the outcomes' details have.
        step: its name in the journal; of several steps of a pipeline that work part by part each has its own.

    Raises:
        RunAborted: the disk is full or a folder cannot be written.
    """

    run: Run
    work: Work
    table: RecordTable = RecordTable()
    step: str = 'part'

    def expand(self, streams: beam.PCollection[PartStream]):  # noqa: ANN201 - Beam reads tuples wrongly
        return streams | 'InOneStage' >> InOneStage(self._work_off, self.run.worker_hints)

    def _work_off(self, streams: beam.PCollection[PartStream]) -> StepOutput:
        said = streams | 'WorkOff' >> beam.ParDo(_WorkOffFn(self.run, self.table, self.work, self.step)).with_output_types(tuple[int, Any])
        return StepOutput(said, (said,))
