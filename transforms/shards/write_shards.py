"""WriteShards: the records of each part to one file, which appears complete or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

import apache_beam as beam

from transforms.accounting.for_each_part import ForEachPart, Said
from transforms.accounting.outcome import FAILED, WRITTEN, Outcome, OutputFile
from transforms.accounting.step import StepOutput
from transforms.accounting.table import RecordTable
from transforms.files import storage
from transforms.read_hf.read_hf import HFRecord
from transforms.run.part_stream import PartStream
from transforms.run.run import Run
from transforms.shards.column_types import ColumnTypes
from transforms.shards.json_lines import JsonLinesWriter
from transforms.shards.parquet_shard import ParquetShardWriter

FORMATS = {'jsonl': '.jsonl.gz', 'parquet': '.parquet'}
_BATCH_ROWS, _BATCH_BYTES = 512, 8 << 20


class ShardWriter(Protocol):
    """Writes records to an open file.

    Attributes:
        error: error class of a record that it cannot write.
    """

    error: str

    def write(self, rows: Sequence[dict]) -> list[str]:
        """Adds records; gives for each why it cannot be written, '' for those that are."""

    def close(self) -> None:
        """Writes what is held."""


@dataclass(frozen=True)
class Shards:
    """What is written where, fixed before the run.

    Attributes:
        format: 'jsonl' or 'parquet'.
        paths: of the shard of each part, by its number, below the output.
        types: of the columns of each source, by its number, for Parquet.
    """

    format: str
    paths: Mapping[int, str]
    types: Mapping[int, ColumnTypes] = field(default_factory=dict)

    def writer(self, target: BinaryIO, source: int) -> ShardWriter:
        """A writer of records of a source."""
        return JsonLinesWriter(target) if self.format == 'jsonl' else ParquetShardWriter(target, self.types[source])


@dataclass(frozen=True)
class _WritePart:
    shards: Shards
    run: Run

    def __call__(self, part: int, records: Iterator[HFRecord], say: Callable[[Said], None]) -> None:
        path = self.shards.paths[part]
        with storage.atomic_writer(storage.join(self.run.output, path), self.run.staging_dir) as target:
            with closing(self.shards.writer(target, self.run.parts[part].source)) as writer:
                for batch in _batches(records):
                    problems = writer.write([record.values for record in batch])
                    for record, problem in zip(batch, problems, strict=True):
                        say(_outcome(part, record, path, writer.error, problem))
        say(OutputFile(path, target.size, target.sha256, part))


def _batches(records: Iterable[HFRecord]) -> Iterator[list[HFRecord]]:
    """Batches of bounded memory, which depend on the records alone."""
    batch, held = [], 0
    for record in records:
        batch.append(record)
        for value in record.values.values():
            kind = type(value)
            held += len(value) if kind is str or kind is bytes else _weight(value) if kind is dict or kind is list else 8
        if len(batch) >= _BATCH_ROWS or held >= _BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _weight(value: object) -> int:
    """Bytes of the texts and payloads that a value holds, about."""
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value)
    if kind is dict:
        return sum(map(_weight, value.values()))
    return sum(map(_weight, value)) if kind is list or kind is tuple else 8


def _outcome(part: int, record: HFRecord, path: str, error: str, problem: str) -> Outcome:
    given = record.values.get('id')
    name = str(given) if type(given) in (str, int) else ''
    if problem:
        return Outcome(part, record.origin.file, record.row, name, FAILED, error, problem, stage='write')
    return Outcome(part, record.origin.file, record.row, name, WRITTEN, output=path)


@dataclass(eq=False)
class WriteShards(beam.PTransform):
    """PCollection[PartStream] of HFRecord to StepOutput: a shard for each part, records in the order of the input.

    A killed run goes on at the next part. A record that fits no column type is failed as `TypeMismatch` in the stage
    'write' (in 'read' it fits none of the dataset's own types), one that JSON has no form for as `NoJsonForm`.
    Memory: 8 MiB or 512 records, and of Parquet a row group of 64 MiB, for each part under way.

    Args:
        shards: format, names and types.
        run: the run.
        table: the columns that the outcomes' details have.

    Raises:
        RunAborted: the disk is full or the output cannot be written.
    """

    shards: Shards
    run: Run
    table: RecordTable = RecordTable()

    def expand(self, parts: beam.PCollection[PartStream]) -> StepOutput:
        return parts | 'ForEachPart' >> ForEachPart(self.run, _WritePart(self.shards, self.run), self.table)
