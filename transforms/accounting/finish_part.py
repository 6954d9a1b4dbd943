"""FinishPart: what was collected of one part, merged, checked and saved by whichever worker takes it."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from transforms.accounting.fragments import FragmentRef, identity_at, merge_fragments, read_payloads
from transforms.accounting.outcome import FAILED, OutputFile
from transforms.accounting.product import LIST_SEPARATOR, Chunk, JoinedFile
from transforms.accounting.step import RECORDS
from transforms.accounting.table import GROUP_ROWS, RecordTable, records_path
from transforms.accounting.views import Viewer
from transforms.files import storage
from transforms.files.durable import flush
from transforms.files.parquet_writer import RowGroupWriter
from transforms.report.page import Report
from transforms.report.summary import Comparison, Count, TopValue, UnitError, Views, account_of, balance
from transforms.run.run import Run
from transforms.run.source import Source

ERRORS = 'errors.jsonl'
MANIFEST = 'manifest.json'
_SHOWN = 5
_HELD_BYTES = 256 << 10
SHOWN_UNITS = 100
_LISTED = ['path', 'bytes', 'sha256']
_ESCAPED = '["\\\\\\x00-\\x1f]'  # what JSON escapes


@dataclass
class PartSummary:
    """One finished part, of constant size.

    Attributes:
        part: its number.
        account: `{read, written, dropped, failed, warnings}`.
        units: failed units by error class.
        unit_errors: the first few of them.
        chunks: its share of each product, by the product's path.
        files: written under their final names.
        problems: why the run must not be called done.
        views: for the report.
    """

    part: int
    account: dict = field(default_factory=lambda: account_of(()))
    units: Counter = field(default_factory=Counter)
    unit_errors: list[UnitError] = field(default_factory=list)
    chunks: dict[str, Chunk] = field(default_factory=dict)
    files: list[OutputFile] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    views: Views = field(default_factory=Views)


def describe(error: Exception) -> str:
    """One line on an exception: its own words when they were written for people."""
    return str(error) if isinstance(error, storage.RunAborted) else f'{type(error).__name__}: {error}'


def error_line(source: Source, item: UnitError | dict, several: bool = False) -> dict:
    """One line of errors.jsonl: identity, stage, error class, message; for a unit also how many records it costs.

    The address and the file say which source it is; its number does where a plan names it `several` times.
    """
    line: dict[str, object] = {'source': source.address, 'revision': source.revision or None}
    if several:
        line['source_number'] = source.number
    if isinstance(item, UnitError):
        return {**line, 'file': item.file, 'unit': item.unit, 'stage': item.stage, 'error': item.error,
                'message': item.message, 'count': item.count}
    return {**line, 'file': item['file'], 'row': item['row'], 'id': item['id'], 'stage': item['stage'],
            'error': item['reason'], 'message': item['message']}


def log_line(line: dict) -> str:
    """The same for a plain log, which users of a published converter look for."""
    what = line.get('id') or line.get('unit')
    where = f"{line['file']}:{line['row']}" if 'row' in line else line['file']
    cost = f" ({line['count']} records)" if line.get('count') else ''
    return f"{where}: {what}: {line['error']}: {line['message']}{cost}\n"


class _ChunkWriter:
    """Items of one product, with its separator between them; `flush` ends it."""

    def __init__(self, product: JoinedFile, file: BinaryIO) -> None:
        self._separator, self._file = product.separator, file
        self._held: list[bytes] = []
        self._bytes = self.items = 0

    def write(self, *items: bytes) -> None:
        self._held += items
        self._bytes += sum(map(len, items))
        if self._bytes > _HELD_BYTES:
            self.flush()

    def write_joined(self, data: bytes, items: int) -> None:
        """Items that have their separators already."""
        self.flush()
        self._file.write((self._separator if self.items else b'') + data)
        self.items += items

    def flush(self) -> None:
        if self._held:
            held, self._held, self._bytes = self._held, [], 0
            self.write_joined(self._separator.join(held), len(held))


@dataclass(frozen=True)
class FinishPart:
    """Finishes a part: its records in order, its share of each product, its lines of the manifest and of the error log.

    Memory: a batch of each fragment that overlaps, about 256 KiB for each of at most 200, a row group of records, and the
    hashes of a product's ids where they must be unique.

    Args:
        run: the run.
        table: columns of records/.
        products: those that are joined from payloads.
        logs: of failures: `errors.jsonl`, and a plain log where one is asked for.
        manifest: the list of files that were written.
        report: what it shows.
    """

    run: Run
    table: RecordTable
    products: tuple[JoinedFile, ...]
    logs: tuple[JoinedFile, ...]
    manifest: JoinedFile
    report: Report

    def __call__(self, part: int, items: Iterable[object]) -> PartSummary:
        """The part's summary, which holds the problem when something went wrong: finishing never raises."""
        summary = PartSummary(part)
        try:
            if self.run.is_taken_over():
                summary.problems.append('another run has taken over the output')
            else:
                self._finish(summary, [item for item in items if item is not None])
        except Exception as error:  # finishing must end with a run.json whatever happens
            summary.problems.append(describe(error))
        return summary

    def _finish(self, summary: PartSummary, items: list[object]) -> None:
        part, run = summary.part, self.run
        source, refs = run.source_of(part), [i for i in items if isinstance(i, FragmentRef)]
        errors = sorted((i for i in items if isinstance(i, UnitError)), key=lambda e: (e.file, e.unit, e.error, e.message, e.count))
        summary.units = Counter(error.error for error in errors)
        summary.unit_errors = errors[:SHOWN_UNITS]
        files = sorted((i for i in items if isinstance(i, OutputFile)), key=lambda f: f.path)
        counts = [i for i in items if isinstance(i, Count)]
        viewer = Viewer(part, source.number, run.seed, self.report.columns, self.report.exact_columns, self.report.read_columns)
        counts += self._records(summary, [r for r in refs if r.kind == RECORDS], errors, files, viewer)
        summary.account = account_of(counts)
        if off := balance(summary.account):
            summary.problems.append(f'{source.label}: read is {off:+d} off from written + dropped + failed '
                                    f'in part {part} of {len(run.parts)}')
        for product in self.products:
            self._product(summary, product, [r for r in refs if r.kind == product.kind], viewer)
        for count in counts:
            if count.kind == 'view':
                viewer.views.counts[count.name] += count.count
        viewer.views.comparisons = [i for i in items if isinstance(i, Comparison)]
        for top in (i for i in items if isinstance(i, TopValue)):
            viewer.views.tops.setdefault(top.name, []).append(top)
        summary.views = viewer.finish()
        if run.workers_elsewhere:
            flush(run.output)

    def _chunk_path(self, path: str, part: int) -> str:
        return storage.join(self.run.work, 'parts', f"{path.replace('/', '-')}-{part:05d}")

    def _records(self, summary: PartSummary, refs: list[FragmentRef], errors: list[UnitError], files: list[OutputFile],
                 viewer: Viewer) -> list[Count]:
        part, source = summary.part, self.run.source_of(summary.part)
        path = records_path(part, len(self.run.parts))
        outcomes: Counter = Counter()
        last = None
        waiting = list(errors)
        with ExitStack() as stack:
            rows = stack.enter_context(storage.atomic_writer(storage.join(self.run.output, path)))
            chunks = {product.path: _ChunkWriter(product, stack.enter_context(
                storage.atomic_writer(self._chunk_path(product.path, part)))) for product in (*self.logs, self.manifest)}
            manifest = _Manifest(chunks[self.manifest.path], files, self.table.shared_outputs)
            with RowGroupWriter(rows, self.table.schema, GROUP_ROWS) as writer:
                for table in merge_fragments(refs, self.table.collected, self.run.fragments):
                    last = self._check_order(summary, table, last)
                    writer.write(self.table.with_source(table, source))
                    outcomes.update(dict(_outcomes(table)))
                    viewer.update(table, tuple(name for name, _ in self.table.columns))
                    manifest.update(table)
                    self._log_failures(table, waiting, source, chunks)
            for error in waiting:
                self._log(source, error, chunks)
            for chunk in chunks.values():
                chunk.flush()
        summary.files.append(OutputFile(path, rows.size, rows.sha256))
        for name, chunk in chunks.items():
            summary.chunks[name] = Chunk(self._chunk_path(name, part), chunk.items)
        if sum(outcomes.values()) != sum(ref.rows for ref in refs):
            summary.problems.append(f'{source.label}: part {part} has {sum(outcomes.values())} outcomes, '
                                    f'{sum(ref.rows for ref in refs)} were collected')
        return [Count(part, outcome, reason, count) for (outcome, reason), count in outcomes.items()]

    def _check_order(self, summary: PartSummary, table: pa.Table, last: tuple | None) -> tuple:
        """Refuses two outcomes of one identity; returns the last one."""
        rows = table['row'].to_numpy()
        twice = [identity_at(table, 0)] if last == identity_at(table, 0) else []
        for index in np.flatnonzero(rows[1:] == rows[:-1]):
            if table['file'][index].as_py() == table['file'][index + 1].as_py():
                twice.append(identity_at(table, index))
        for file, row in twice[:max(0, _SHOWN - len(summary.problems))]:
            summary.problems.append(f'{self.run.source_of(summary.part).label}: {file}:{row} has two outcomes')
        return identity_at(table, -1)

    def _log_failures(self, table: pa.Table, waiting: list[UnitError], source: Source, chunks: dict) -> None:
        failed = table.filter(pc.and_(pc.equal(table['outcome'], FAILED), table['listed']))
        for row in failed.to_pylist():
            while waiting and waiting[0].file <= row['file']:
                self._log(source, waiting.pop(0), chunks)
            self._log(source, row, chunks)

    def _log(self, source: Source, item: UnitError | dict, chunks: dict[str, _ChunkWriter]) -> None:
        line = error_line(source, item, self.run.names_twice(source.number))
        for log in self.logs:
            chunks[log.path].write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) if log.path == ERRORS
                                   else log_line(line).encode())

    def _product(self, summary: PartSummary, product: JoinedFile, refs: list[FragmentRef], viewer: Viewer) -> None:
        path, shown, texts = self._chunk_path(product.path, summary.part), viewer.sampled, {}
        ids, problems = array('Q'), 0
        with storage.atomic_writer(path) as file:
            chunk = _ChunkWriter(product, file)
            for name, row, data in read_payloads(refs, self.run.fragments):
                item = product.parse(data) if product.parse else data
                if product.check and problems < _SHOWN and (problem := product.check(self.run.output, item)):
                    summary.problems.append(f'{product.path}: {name}:{row}: {problem}')
                    problems += 1
                if product.identify:
                    ids.append(_hash(product.identify(item)))
                if product.excerpt and (name, row) in shown:
                    texts[name, row] = product.excerpt(item)
                chunk.write(data)
            chunk.flush()
        if chunk.items != sum(ref.rows for ref in refs):
            summary.problems.append(f'{product.path}: part {summary.part} has {chunk.items} items, '
                                    f'{sum(ref.rows for ref in refs)} were collected')
        viewer.add_text(texts)
        hashes = ''
        if product.identify:
            hashes = f'{path}.ids'
            storage.write_bytes(hashes, np.sort(np.frombuffer(ids, np.uint64)).tobytes())
        summary.chunks[product.path] = Chunk(path, chunk.items, hashes)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode('utf-8', 'surrogatepass')).digest()[:8], 'big')


def _outcomes(table: pa.Table) -> Iterator[tuple[tuple[str, str], int]]:
    counted = table.select(['outcome', 'reason']).group_by(['outcome', 'reason'], use_threads=False).aggregate([([], 'count_all')])
    for row in counted.to_pylist():
        yield (row['outcome'], row['reason']), row['count_all']


def _manifest_lines(own: pa.Table) -> bytes:
    """The JSON objects of rows whose paths need no escapes, joined: ten times as fast as one by one."""
    lines = pc.binary_join_element_wise('{"path":"', own['path'], '","bytes":', own['bytes'].cast(pa.string()), ',"sha256":"',
                                        own['sha256'], '"}', '').combine_chunks()
    joined = pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), LIST_SEPARATOR.decode())
    return joined[0].as_buffer().to_pybytes()


class _Manifest:
    """A line for each file: those that hold many records first, then each record's own in order of file and row."""

    def __init__(self, chunk: _ChunkWriter, files: list[OutputFile], shared: bool) -> None:
        self._chunk, self._shared = chunk, shared
        self._seen: set[int] = set()
        self._chunk.write(*(orjson.dumps({'path': file.path, 'bytes': file.bytes, 'sha256': file.sha256}) for file in files))

    def update(self, table: pa.Table) -> None:
        own = table.filter(pc.not_equal(table['sha256'], '')).select(['output', 'bytes', 'sha256']).rename_columns(_LISTED)
        if not own.num_rows:
            return
        if not self._shared and not pc.any(pc.match_substring_regex(own['path'], _ESCAPED)).as_py():
            self._chunk.write_joined(_manifest_lines(own), own.num_rows)
            return
        rows = [row for row in own.to_pylist() if not self._shared or self._is_new(row['path'])]
        self._chunk.write(*map(orjson.dumps, rows))

    def _is_new(self, path: str) -> bool:
        mark = _hash(path)
        if mark in self._seen:
            return False
        self._seen.add(mark)
        return True
