"""WriteSample: the chosen rows of each part as lines, in order, and what became of each row in the accounts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import apache_beam as beam
import numpy as np
import orjson

from transforms.accounting.for_each_part import ForEachPart, Said
from transforms.accounting.outcome import DROPPED, FAILED, WRITTEN, Outcome
from transforms.accounting.step import StepOutput
from transforms.accounting.table import RecordTable
from transforms.keys.blocks import BlockStore
from transforms.report.summary import TopValue
from transforms.run.hints import InOneStage
from transforms.run.part_stream import PartStream
from transforms.run.run import Run
from transforms.run.start_up_check import StartUpCheck
from transforms.text_mix.clean_document import EXCERPT, json_line
from transforms.text_mix.outputs import Outputs
from transforms.text_mix.sampling.candidates import BAD, EMPTY, WITH_TEXT, WITHOUT_TEXT, read_texts
from transforms.text_mix.sampling.choose import CHOSEN, UNKNOWN, Chosen
from transforms.text_mix.sampling.planning import SavedPlans, SourcePlan
from transforms.text_mix.settings import EMPTY as EMPTY_REASON
from transforms.text_mix.settings import NO_TEXT
from transforms.text_mix.write_documents import joined_files

EXAMPLE = 'example'
_HELD_BYTES, _HELD_ROWS = 16 << 20, 4096


@dataclass(frozen=True)
class _Row:
    """A chosen row: where it is, and what it holds."""

    file: str
    row: int
    index: int | None
    state: int
    tokens: int
    data: bytes


def _texts_of(rows: np.ndarray, paths: list[str]) -> Iterator[tuple[np.void, bytes]]:
    """Rows with their texts, 16 MiB of them at a time."""
    start = 0
    sizes = np.cumsum(rows['size'].astype(np.int64))
    while start < len(rows):
        before = int(sizes[start - 1]) if start else 0
        stop = max(start + 1, min(start + _HELD_ROWS, int(np.searchsorted(sizes, before + _HELD_BYTES, 'right'))))
        some = rows[start:stop]
        places = [(paths[path], offset, size) for path, offset, size in zip(some['task'].tolist(), some['offset'].tolist(), some['size'].tolist(), strict=True)]
        yield from zip(some, read_texts(places), strict=True)
        start = stop


class _OpenPartFn(beam.DoFn):
    def __init__(self, run: Run, saved: SavedPlans, by_rank: bool) -> None:
        self._run, self._saved, self._by_rank = run, saved, by_rank

    def process(self, element: tuple[int, Chosen]) -> Iterator[PartStream]:
        part, chosen = element
        plan, store = self._saved.load()[self._run.parts[part].source], BlockStore(self._run, CHOSEN)
        paths = sorted({path for _, path in chosen.refs})
        tables = []
        for block, path in chosen.refs:
            table = store.read(block).copy()
            table['task'] = paths.index(path)
            tables.append(table)
        rows = np.concatenate([np.empty(0, CHOSEN), *tables])
        rows.sort(order=['rank', 'file', 'row'] if self._by_rank else ['file', 'row'])
        identity = b''.join(np.ascontiguousarray(rows[name]).tobytes() for name in ('rank', 'file', 'row', 'state', 'index', 'size'))
        yield PartStream(part, 0, self._items(plan, rows, paths), hashlib.sha256(identity).hexdigest()[:32])

    @staticmethod
    def _items(plan: SourcePlan, rows: np.ndarray, paths: list[str]) -> Iterator[_Row]:
        files = [file.info.path for file in plan.frame.files] if plan.frame else []
        for row, data in _texts_of(rows, paths):
            yield _Row(files[int(row['file'])], int(row['row']), None if row['index'] == UNKNOWN else int(row['index']), int(row['state']), int(row['units']), data)


@dataclass(frozen=True)
class _WritePart:
    saved: SavedPlans
    outputs: Outputs
    run: Run
    in_tokens: bool
    published: bool

    def __call__(self, part: int, rows: Iterator[_Row], say: Callable[[Said], None]) -> None:
        number = self.run.parts[part].source
        plan = self.saved.load()[number]
        path = self.outputs.paths.get(part, '')
        if not path:  # an entry that was skipped
            for _ in rows:
                raise ValueError(f'{plan.folder} was skipped and has rows')
            return
        is_first = True
        with self.outputs.open(self.run, part, path) as sink:
            for row in rows:
                outcome = self._outcome(part, row)
                if row.state == WITH_TEXT:
                    text = row.data.decode()
                    sink.add_line(json_line({'text': text, 'metadata': {
                        'source': plan.entry.name, 'config': plan.entry.config or 'default', 'weight': plan.entry.weight,
                        'original_index': None if row.index is None else row.index + self.published}}, self.published))
                    outcome.outcome, outcome.reason, outcome.message, outcome.output = WRITTEN, '', '', path
                    outcome.details.update(characters=len(text), excerpt=text[:EXCERPT])
                    if is_first:
                        say(TopValue(part, f'{EXAMPLE} {number}', -part, f'{row.file}, row {row.row}: {text[:EXCERPT]}'))
                        is_first = False
                say(outcome)
        say(sink.written)

    def _outcome(self, part: int, row: _Row) -> Outcome:
        outcome = Outcome(part, row.file, row.row, '', DROPPED, details={'original_index': row.index})
        if self.in_tokens:
            outcome.details['tokens'] = row.tokens
        if row.state == WITHOUT_TEXT:
            outcome.reason, outcome.message = NO_TEXT, 'it has no text: the row of the next rank takes its place'
        elif row.state == EMPTY:
            outcome.reason, outcome.message = EMPTY_REASON, 'its text is empty: the row of the next rank takes its place'
        elif row.state == BAD:
            error, message = orjson.loads(row.data)
            outcome.outcome, outcome.reason, outcome.message, outcome.stage = FAILED, error, message, 'read'
            outcome.listed = error not in ('DamagedRowGroup', 'EncryptedFile')
        return outcome


def sample_table(in_tokens: bool) -> RecordTable:
    """The columns of records/: of rows that were read, also those that others took the place of."""
    tokens = (('tokens', 'int32'),) if in_tokens else ()
    return RecordTable((('original_index', 'int64'), ('characters', 'int32'), *tokens, ('excerpt', 'string')))


@dataclass(eq=False)
class WriteSample(beam.PTransform):
    """PCollection[tuple[int, Chosen]], one for each part, to StepOutput: the sample in files, and every row that was read in the accounts.

    A killed run goes on at the next part. Memory: 60 bytes for each row of a part, and 16 MiB of texts.

    Args:
        saved: the plans of the sources.
        outputs: where the parts go.
        run: the run.
        by_rank: write in the order of ranks, which is random; else of the input.
        in_tokens: whether quotas are in tokens.
        published: lines as the published program writes them, with an index from 1.

    Raises:
        RunAborted: the disk is full or the output cannot be written.
    """

    saved: SavedPlans
    outputs: Outputs
    run: Run
    by_rank: bool = True
    in_tokens: bool = False
    published: bool = False

    def expand(self, chosen: beam.PCollection[tuple[int, Chosen]]):  # noqa: ANN201 - Beam reads tuples wrongly
        written = chosen | 'InOneStage' >> InOneStage(self._write, self.run.worker_hints)
        if not self.outputs.shared:
            return written
        return StepOutput(written.main, (*written.accounts, joined_files(written.main, self.run)))

    def _write(self, chosen: beam.PCollection[tuple[int, Chosen]]) -> StepOutput:
        streams = (chosen | 'CheckWriting' >> StartUpCheck(self.run)
                   | 'OpenParts' >> beam.ParDo(_OpenPartFn(self.run, self.saved, self.by_rank)).with_output_types(PartStream))
        work = _WritePart(self.saved, self.outputs, self.run, self.in_tokens, self.published)
        return streams | 'ForEachPart' >> ForEachPart(self.run, work, sample_table(self.in_tokens), 'write')
