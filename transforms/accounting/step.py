"""StepOutput and CollectAccounts: what a step of ours gives, and what it has to say to the accounts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows

from transforms.accounting.fragments import FragmentRef, write_fragment, write_payloads
from transforms.accounting.outcome import ChunkFile, Outcome, OutputFile, Payload
from transforms.accounting.table import RecordTable, as_text
from transforms.report.summary import Comparison, Count, TopValue, UnitError
from transforms.run.run import Run

ACCOUNTS = 'accounts'  # the tag under which a DoFn gives what it has to say
RECORDS = 'records'
_HELD_BYTES = 4 << 20
_OUTCOME_BYTES = 1024  # of an outcome and its strings, about
_IDENTITY = attrgetter('file', 'row')
_AS_THEY_ARE = frozenset((OutputFile, ChunkFile, FragmentRef, Comparison, TopValue))


class StepOutput(NamedTuple):
    """What a step gives.

    Attributes:
        main: what the next step works on.
        accounts: what CollectAccounts made, for FinishRun. They are several where several steps have something to say: a Flatten
            before CollectAccounts would cut the stage.
    """

    main: beam.PCollection
    accounts: tuple[beam.PCollection, ...]


class Collector:
    """Outcomes and payloads to fragments, 4 MiB of them held in all; counts are added up, the rest passes.

    Args:
        folder: of the fragments.
        table: the columns that the outcomes' details have.
    """

    def __init__(self, folder: str, table: RecordTable) -> None:
        self._folder, self._table = folder, table
        self._outcomes: defaultdict[int, list[Outcome]] = defaultdict(list)
        self._payloads: defaultdict[tuple[int, str], list[tuple[str, int, bytes]]] = defaultdict(list)
        self._sizes: Counter = Counter()
        self._counts: Counter = Counter()
        self._held = 0

    def add(self, item: object) -> Sequence[tuple[int, object]]:
        """Takes an Outcome, Payload, Count, UnitError, OutputFile, ChunkFile, FragmentRef, Comparison or TopValue; gives (part, what is ready)."""
        kind = type(item)
        if kind is Outcome:
            self._outcomes[item.part].append(item)
            return self._hold((item.part, RECORDS), _OUTCOME_BYTES + len(item.message))
        if kind is Payload:
            self._payloads[item.part, item.kind].append((item.file, item.row, item.data))
            return self._hold((item.part, item.kind), len(item.data) + 200)
        if kind is Count:
            self._counts[item.part, item.kind, item.name] += item.count
            return ()
        if kind not in _AS_THEY_ARE and kind is not UnitError:
            raise TypeError(f'{kind.__name__} is nothing that accounts take')
        if kind is UnitError:
            item = replace(item, file=as_text(item.file), unit=as_text(item.unit), message=as_text(item.message))
        return [(item.part, item)]

    def _hold(self, key: tuple[int, str], size: int) -> Sequence[tuple[int, FragmentRef]]:
        self._sizes[key] += size
        self._held += size
        if self._held < _HELD_BYTES:
            return ()
        return [self._flush(max(self._sizes, key=self._sizes.__getitem__))]

    def _flush(self, key: tuple[int, str]) -> tuple[int, FragmentRef]:
        part, kind = key
        self._held -= self._sizes.pop(key)
        if kind != RECORDS:
            return part, write_payloads(self._folder, part, kind, self._payloads.pop(key))
        outcomes = self._outcomes.pop(part)
        outcomes.sort(key=_IDENTITY)
        return part, write_fragment(self._folder, part, kind, [self._table.to_batch(outcomes)], len(outcomes))

    def finish(self) -> Iterator[tuple[int, object]]:
        """Gives (part, what is left), and is empty then."""
        for key in sorted(self._sizes):
            yield self._flush(key)
        for (part, kind, name), count in sorted(self._counts.items()):
            yield part, Count(part, kind, name, count)
        self._counts.clear()


class _CollectFn(beam.DoFn):
    def __init__(self, folder: str, table: RecordTable) -> None:
        self._folder, self._table = folder, table

    def start_bundle(self) -> None:
        self._collector = Collector(self._folder, self._table)

    def process(self, item: object) -> Sequence[tuple[int, object]]:
        return self._collector.add(item)

    def finish_bundle(self) -> Iterator[object]:
        yield from map(GlobalWindows.windowed_value, self._collector.finish())


@dataclass(eq=False)
class CollectAccounts(beam.PTransform):
    """PCollection of Outcome, Payload, Count, UnitError or OutputFile to PCollection of (part, reference or count or the like).

    Belongs into the stage where its input arises. Outcomes and payloads become fragments, 4 MiB of them held in all; what
    leaves is one reference for about 4,000 records. A retried bundle leaves fragments that nobody refers to.

    Args:
        run: the run.
        table: the columns that the outcomes' details have.

    Raises:
        RunAborted: the disk is full or the work folder cannot be written.
    """

    run: Run
    table: RecordTable = RecordTable()

    def expand(self, items: beam.PCollection) -> beam.PCollection[tuple[int, Any]]:
        return items | 'ToColumns' >> beam.ParDo(_CollectFn(self.run.fragments, self.table)).with_output_types(tuple[int, Any])
