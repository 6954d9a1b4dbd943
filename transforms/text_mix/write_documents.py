"""WriteDocuments: what no filter dropped and no better copy repeats, to the files of the output."""

from __future__ import annotations

import hashlib
import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import pyarrow as pa

from transforms.accounting.for_each_part import ForEachPart, Said
from transforms.accounting.outcome import DROPPED, FAILED, WRITTEN, ChunkFile, Outcome, OutputFile
from transforms.accounting.step import StepOutput
from transforms.accounting.table import RecordTable
from transforms.files.json_values import loads
from transforms.keys.find_duplicates import Repeats, is_best
from transforms.report.summary import EXAMPLES, Count, TopValue
from transforms.run.hints import InOneStage
from transforms.run.part_stream import PartStream
from transforms.run.run import Run
from transforms.run.start_up_check import StartUpCheck
from transforms.text_mix.clean_document import json_line, with_reason
from transforms.text_mix.documents import PartFiles, detail_names, read_documents, read_part_files
from transforms.text_mix.outputs import DocumentSink, Outputs, join_chunks
from transforms.text_mix.settings import DUPLICATE, TextSettings

GROUP = 'group'
PAIR = 'duplicate of '


class _Identities:
    """Names of records by the numbers that keys have, (part, file, row)."""

    def __init__(self, run: Run, settings: TextSettings) -> None:
        self._run, self._settings = run, settings
        self._files: dict[int, PartFiles] = {}
        self._has_several = len({source.address for source in run.sources}) > 1

    def files(self, part: int) -> tuple[str, ...]:
        if part not in self._files:
            if len(self._files) >= 10_000:
                self._files.clear()
            self._files[part] = read_part_files(self._run, part)
        return self._files[part].files

    def name(self, part: int, file: int, row: int) -> str:
        """`file:row`, behind the address of its source where a run has several."""
        place = f'{self.files(part)[file]}:{row}'
        return f'{self._run.source_of(part).address} {place}' if self._has_several else place

    def source(self, part: int) -> str:
        """The entry of the mixture, or the label of the source."""
        number = self._run.parts[part].source
        return self._settings.names.get(number) or self._run.sources[number].label


@dataclass(frozen=True)
class _WritePart:
    settings: TextSettings
    outputs: Outputs
    run: Run

    def __call__(self, part: int, batches: Iterator[tuple[pa.RecordBatch, dict]], say: Callable[[Said], None]) -> None:
        outputs, run = self.outputs, self.run
        identities = _Identities(run, self.settings)
        pairs: Counter = Counter()
        groups = _LargestGroups(part)
        with ExitStack() as stack:
            kept = stack.enter_context(outputs.open(run, part, outputs.paths[part]))
            dropped = stack.enter_context(outputs.open(run, part, outputs.dropped[part])) if outputs.dropped else None
            for batch, members in batches:
                _Batch(part, batch, members, identities, self.settings, outputs.paths[part], say).write(kept, dropped, pairs, groups)
        for sink in filter(None, (kept, dropped)):
            say(sink.written)
        for top in groups.tops:
            say(top)
        for (own, other), count in sorted(pairs.items()):
            say(Count(part, 'view', f'{PAIR}{own}\t{other}', count))


class _LargestGroups:
    """The largest groups of duplicates whose best document is in a part: as many as a report shows, however many there are."""

    def __init__(self, part: int) -> None:
        self._part = part
        self.tops: list[TopValue] = []

    def add(self, size: int, label: str) -> None:
        if len(self.tops) < EXAMPLES or size >= self.tops[-1].value:
            self.tops = sorted([*self.tops, TopValue(self._part, GROUP, size, label)], key=lambda top: (-top.value, top.label))[:EXAMPLES]


class _Batch:
    """Documents of one batch, and what becomes of each."""

    def __init__(self, part: int, batch: pa.RecordBatch, members: dict, identities: _Identities, settings: TextSettings, path: str,
                 say: Callable[[Said], None]) -> None:
        self._part, self._batch, self._members, self._identities = part, batch, members, identities
        self._settings, self._path, self._say = settings, path, say

    def write(self, kept: DocumentSink, dropped: DocumentSink | None, pairs: Counter, groups: _LargestGroups) -> None:
        """Writes them, and says what became of each."""
        columns_of = {name: self._batch[name].to_pylist() for name in self._batch.schema.names}
        details = detail_names(self._batch.schema)
        files = self._identities.files(self._part)
        waiting: list[tuple[Outcome, bytes]] = []
        for values in zip(*columns_of.values(), strict=True):
            number, row, name, reason, record = values[:5]
            if reason:
                if dropped:
                    dropped.add_line(record)
                continue
            measured = dict(zip(details, values[5:], strict=True))
            member = self._members.get((number, row))
            outcome = Outcome(self._part, files[number], row, name, WRITTEN, output=self._path, details=measured)
            if member is not None:
                part, file, of_row, size, best = member
                measured['group_size'] = size
                if not best:
                    self._drop(outcome, part, file, of_row, record, dropped, pairs)
                    continue
                groups.add(size, f'{self._identities.name(part, file, of_row)}: {measured["excerpt"]}')
            if kept.has_columns:
                waiting.append((outcome, record))
            else:
                kept.add_line(record)
                self._say(outcome)
        if waiting:
            self._write_records(kept, waiting)

    def _drop(self, outcome: Outcome, part: int, file: int, row: int, record: bytes, dropped: DocumentSink | None, pairs: Counter) -> None:
        best = self._identities.name(part, file, row)
        outcome.outcome, outcome.reason, outcome.output = DROPPED, DUPLICATE, ''
        outcome.message = f'the same as {best}: {outcome.details["excerpt"]}'
        outcome.details['duplicate_of'] = best
        pairs[self._identities.source(self._part), self._identities.source(part)] += 1
        self._say(outcome)
        if dropped:
            dropped.add_line(_with_reason(record, best, self._settings.published))

    def _write_records(self, kept: DocumentSink, waiting: list[tuple[Outcome, bytes]]) -> None:
        problems = kept.add_records([pickle.loads(record) for _, record in waiting])
        for (outcome, _), problem in zip(waiting, problems, strict=True):
            if problem:
                outcome.outcome, outcome.reason, outcome.message, outcome.stage = FAILED, kept.writer.error, problem, 'write'
                outcome.output = ''
            self._say(outcome)


def _with_reason(record: bytes, best: str, published: bool) -> bytes:
    values = loads(record) if record[:1] == b'{' else pickle.loads(record)
    return json_line(with_reason(values, DUPLICATE, f'the same as {best}'), published)


class _OpenPartFn(beam.DoFn):
    """Documents of a part, each batch with what the decision says of its duplicates."""

    def __init__(self, run: Run, settings: TextSettings) -> None:
        self._run, self._settings = run, settings

    def process(self, element: tuple[int, Repeats]) -> Iterator[PartStream]:
        part, repeats = element
        members = repeats.members(self._run)
        best = is_best(members, part)
        found = {(file, row): (of_unit, of_file, of_row, size, stays) for (row, file, of_unit, of_file, of_row, size), stays in
                 zip(members.tolist(), best.tolist(), strict=True)}
        files = read_part_files(self._run, part)
        fingerprint = hashlib.sha256(members.tobytes() + files.fingerprint.encode()).hexdigest()[:32]
        yield PartStream(part, 0, ((batch, found) for batch in read_documents(self._run, part)), fingerprint)


def _chunks(said: tuple[int, Any]) -> Iterator[tuple[str, ChunkFile]]:
    if type(said[1]) is ChunkFile:
        yield said[1].path, said[1]


def _join(group: tuple[str, Iterable[ChunkFile]], run: Run) -> tuple[int, OutputFile]:
    path, chunks = group
    file = join_chunks(path, list(chunks), run)
    return file.part, file


def joined_files(said: beam.PCollection[tuple[int, Any]], run: Run) -> beam.PCollection[tuple[int, Any]]:
    """The files that several parts share, joined of what these say that they wrote."""
    return (said | 'Chunks' >> beam.FlatMap(_chunks).with_output_types(tuple[str, ChunkFile])
            | 'ByFile' >> beam.GroupByKey() | 'CheckJoining' >> StartUpCheck(run)
            | 'JoinChunks' >> beam.Map(_join, run).with_output_types(tuple[int, Any]))


@dataclass(eq=False)
class WriteDocuments(beam.PTransform):
    """PCollection[tuple[int, Repeats]], one for each part, to StepOutput: documents in files, those that repeat a better one dropped.

    Documents are read again from where `CleanAndFilter` left them, in the order of the input. A killed run goes on at the next part;
    a part is done again when other documents are its duplicates than before. Files that several parts share are joined at the end.
    Memory: a batch of 1,024 documents or 4 MiB, 4 MiB to compress, and 200 bytes for each document in a group of duplicates.

    Args:
        settings: how documents were cleaned.
        outputs: where they go.
        run: the run.
        table: of the accounts.

    Raises:
        RunAborted: the disk is full or the output cannot be written.
    """

    settings: TextSettings
    outputs: Outputs
    run: Run
    table: RecordTable

    def expand(self, repeats: beam.PCollection[tuple[int, Repeats]]):  # noqa: ANN201 - Beam reads tuples wrongly
        written = repeats | 'InOneStage' >> InOneStage(self._write, self.run.worker_hints)
        if not self.outputs.shared:
            return written
        return StepOutput(written.main, (*written.accounts, joined_files(written.main, self.run)))

    def _write(self, repeats: beam.PCollection[tuple[int, Repeats]]) -> StepOutput:
        streams = repeats | 'CheckWriting' >> StartUpCheck(self.run) | 'OpenParts' >> beam.ParDo(_OpenPartFn(self.run, self.settings)).with_output_types(PartStream)
        return streams | 'ForEachPart' >> ForEachPart(self.run, _WritePart(self.settings, self.outputs, self.run), self.table, 'write')
