"""Outputs: which files the documents of each part go to, fixed before the run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import BinaryIO

import pyarrow.parquet as pq

from transforms.accounting.outcome import ChunkFile, OutputFile
from transforms.files import storage
from transforms.run.run import Run
from transforms.shards.card import CardConfig, OutputCard
from transforms.shards.column_types import ColumnTypes
from transforms.shards.json_lines import JsonLinesWriter
from transforms.shards.parquet_shard import ParquetShardWriter

_COPY_BYTES = 1 << 20
_UNSAFE = re.compile(r'[^\w.-]')  # `datasets` takes no other names of configs
_GLOB = re.compile(r'[*?\[]')
_NUMBER = re.compile(r'-\d{5}-of-\d{5}')


@dataclass(frozen=True)
class Outputs:
    """Where documents go.

    Attributes:
        format: 'jsonl' or 'parquet'.
        paths: below the output, by the number of a part; parts may share a file.
        dropped: the same for what was dropped; empty where that is not kept.
        types: of the columns of each source, by its number, for Parquet.
    """

    format: str
    paths: Mapping[int, str]
    dropped: Mapping[int, str] = field(default_factory=dict)
    types: Mapping[int, ColumnTypes] = field(default_factory=dict)

    @cached_property
    def shared(self) -> Mapping[str, int]:
        """How many parts share a file, by its path; only those of several."""
        counts = Counter(self.paths.values()) + Counter(self.dropped.values())
        return {path: count for path, count in counts.items() if count > 1}

    @contextmanager
    def open(self, run: Run, part: int, path: str) -> Iterator[DocumentSink]:
        """A sink for the documents of a part that go to `path`; the file appears complete when the block ends.

        Raises:
            RunAborted: the disk is full or the output cannot be written.
        """
        chunk = f"{path.replace('/', '-')}-{part:05d}" if path in self.shared else ''
        place = storage.join(run.kept, chunk) if chunk else storage.join(run.output, path)
        with storage.atomic_writer(place, '' if chunk else run.staging_dir) as target:
            sink = DocumentSink(target, self.types.get(run.parts[part].source) if path.endswith('.parquet') else None)
            yield sink
            if not chunk or sink.records or sink.has_columns:
                sink.writer.close()
        sink.written = ChunkFile(part, path, chunk, sink.records) if chunk else OutputFile(path, target.size, target.sha256, part)


def documents_card(outputs: Outputs, text: str) -> OutputCard:
    """The card of documents in folders: a config for each folder."""
    files: dict[str, list[str]] = {}
    for path in dict.fromkeys(outputs.paths.values()):
        files.setdefault(path.rpartition('/')[0], []).append(path)
    configs, taken = [], set()
    for folder, paths in files.items():
        name = base = _UNSAFE.sub('_', folder) or 'default'
        while name in taken:
            name = f'{base}_{len(taken)}'
        taken.add(name)
        # Shards by one pattern, whose number would else fill the card.
        pattern = _GLOB.sub(r'[\g<0>]', paths[0]) if len(paths) == 1 else _NUMBER.sub('-?????-of-?????', _GLOB.sub(r'[\g<0>]', paths[0]))
        configs.append(CardConfig(name, {'train': (pattern,)}))
    return OutputCard(text, tuple(configs))


class DocumentSink:
    """Takes documents as lines of JSON, or as records where the file has columns.

    Attributes:
        writer: of the file.
        records: how many it took.
        written: what is to be said of it, once it is closed.
    """

    def __init__(self, target: BinaryIO, types: ColumnTypes | None) -> None:
        self.writer = ParquetShardWriter(target, types) if types else JsonLinesWriter(target)
        self.has_columns = types is not None
        self.records = 0
        self.written: OutputFile | ChunkFile | None = None

    def add_line(self, line: bytes) -> None:
        """Adds a document that is JSON already."""
        self.writer.write_line(line)
        self.records += 1

    def add_records(self, records: list[dict]) -> list[str]:
        """Adds documents; gives for each why it cannot be written, '' for those that are."""
        problems = self.writer.write(records)
        self.records += problems.count('')
        return problems


def join_chunks(path: str, chunks: list[ChunkFile], run: Run) -> OutputFile:
    """Writes a file that several parts share from their chunks, in the order of parts: gzip by its bytes, Parquet by its row groups.

    Raises:
        RunAborted: the disk is full or the output cannot be written.
    """
    chunks = sorted(chunks, key=lambda chunk: chunk.part)
    filled = [chunk for chunk in chunks if chunk.records]
    with storage.atomic_writer(storage.join(run.output, path), run.staging_dir) as target:
        if path.endswith('.parquet'):
            _join_parquet(target, [storage.join(run.kept, chunk.chunk) for chunk in filled or chunks[:1]])
        else:
            for chunk in filled:
                with storage.open_read(storage.join(run.kept, chunk.chunk)) as source:
                    while data := source.read(_COPY_BYTES):
                        target.write(data)
            if not filled:
                JsonLinesWriter(target).close()
    return OutputFile(path, target.size, target.sha256, chunks[0].part)


def _join_parquet(target: BinaryIO, chunks: list[str]) -> None:
    writer = None
    for chunk in chunks:
        with storage.open_read(chunk) as source:
            file = pq.ParquetFile(source)
            writer = writer or pq.ParquetWriter(target, file.schema_arrow, compression='zstd')
            for group in range(file.num_row_groups):
                writer.write_table(file.read_row_group(group))
    if writer:
        writer.close()
