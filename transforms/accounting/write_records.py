"""WriteRecords: the records table, the error logs, and what the report shows of them, in one merge."""

import hashlib
import heapq
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import apache_beam as beam
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from transforms.accounting.fragments import merge_fragments
from transforms.accounting.guard import guarded
from transforms.accounting.outcome import FAILED, WRITTEN, Outcome
from transforms.accounting.run_summary import OutputFile, RunSummary
from transforms.files import storage
from transforms.report.summary import OutcomeViews, SampledRecord, UnitError

RECORDS_PATH = 'records/records-00000.parquet'
_BATCH_ROWS = 512
_EXAMPLES = 3
_SHEET_SIZE = 20
_BASE_SCHEMA = (('source', 'string'), ('revision', 'string'), ('file', 'string'), ('row', 'int64'), ('id', 'string'),
                ('outcome', 'string'), ('reason', 'string'), ('message', 'string'), ('output', 'string'),
                ('bytes', 'int64'), ('sha256', 'string'))


class _Viewer:
    def __init__(self, seed: int, histogram_columns: tuple[str, ...]) -> None:
        self._seed, self._columns = seed, histogram_columns
        self._sheet: list[tuple[int, str, int, int, Outcome]] = []
        self._seen = 0
        self.views = OutcomeViews()

    def update(self, record: Outcome) -> None:
        if record.outcome != WRITTEN:
            shown = self.views.examples.setdefault(f'{record.outcome} {record.reason}', [])
            if len(shown) < _EXAMPLES:
                shown.append((record.id, record.file, record.row, record.message))
            return
        if engine := record.details.get('engine'):
            self.views.engines[engine] = self.views.engines.get(engine, 0) + 1
        for column in self._columns:
            value = record.bytes if column == 'bytes' else record.details.get(column)
            if value is not None:
                counts = self.views.histograms.setdefault(column, {})
                label = bucket(value)
                counts[label] = counts.get(label, 0) + 1
        rank = int.from_bytes(hashlib.sha256(f'{self._seed}:{record.file}:{record.row}'.encode()).digest()[:8], 'big')
        self._seen += 1
        entry = (-rank, record.file, record.row, self._seen, record)
        if len(self._sheet) < _SHEET_SIZE:
            heapq.heappush(self._sheet, entry)
        elif entry[0] > self._sheet[0][0]:
            heapq.heapreplace(self._sheet, entry)

    def finish(self) -> OutcomeViews:
        self.views.sheet = [SampledRecord(r.file, r.row, r.id, r.output, r.details) for r in
                            sorted((entry[-1] for entry in self._sheet), key=lambda r: (r.file, r.row))]
        return self.views


def bucket(value: float | str) -> str:
    """The histogram bucket of a value: itself for text, '2^n' steps for numbers of 1 and more, else decades."""
    if isinstance(value, str):
        return value or '(none)'
    if isinstance(value, bool) or value in (90, 180, 270):
        return str(value)
    if value <= 0:
        return '0'
    if value < 1:
        exponent = -1
        while value < 10.0 ** exponent and exponent > -9:
            exponent -= 1
        return f'{10.0 ** exponent:g} to {10.0 ** (exponent + 1):g}'
    low = 1 << (int(value).bit_length() - 1)
    return f'{low:,} to {2 * low - 1:,}'


def error_line(source: str, revision: str, item: Outcome | UnitError) -> dict:
    """One line of errors.jsonl: identity, stage, error class, message; for a unit also how many records it costs."""
    line: dict[str, object] = {'source': source, 'revision': revision or None, 'file': item.file}
    if isinstance(item, UnitError):
        return {**line, 'unit': item.unit, 'stage': item.stage, 'error': item.error, 'message': item.message,
                'count': item.count}
    stage = item.details.get('stage') or 'render'
    return {**line, 'row': item.row, 'id': item.id, 'stage': stage, 'error': item.reason, 'message': item.message}


def log_line(line: dict) -> str:
    """The same for conversion_errors.log, which users of the published converter look for."""
    what = line.get('id') or line.get('unit')
    where = f"{line['file']}:{line['row']}" if 'row' in line else line['file']
    cost = f" ({line['count']} records)" if line.get('count') else ''
    return f"{where}: {what}: {line['error']}: {line['message']}{cost}\n"


@dataclass(eq=False)
class WriteRecords(beam.PTransform):
    """PCollection[RunSummary] to the same after writing records/, errors.jsonl and the plain error log.

    Reads fragments of kind 'record' (payloads made by `Outcome.to_json`). Everything is in identity order.

    Args:
        output: output folder.
        source: the input as given, for the `source` column.
        revision: of the input.
        columns: further columns of the table, `(name, Arrow type)`; their values are in `Outcome.details`.
        histograms: columns whose distribution the report shows.
        seed: of the report's sample.
        log_name: name of the plain error log, '' for none.

    Raises:
        RunAborted: the disk is full or the folder cannot be written.
    """

    output: str
    source: str
    revision: str = ''
    columns: tuple[tuple[str, str], ...] = ()
    histograms: tuple[str, ...] = ()
    seed: int = 0
    log_name: str = ''

    def expand(self, summaries: beam.PCollection[RunSummary]) -> beam.PCollection[RunSummary]:
        return summaries | 'MergeRecords' >> beam.Map(guarded, self.write)

    def write(self, summary: RunSummary) -> RunSummary:
        """Merges the record fragments of `summary` into the output folder's tables and logs."""
        viewer = _Viewer(self.seed, self.histograms)
        with ExitStack() as stack:
            table = stack.enter_context(storage.atomic_writer(storage.join(self.output, RECORDS_PATH)))
            errors = stack.enter_context(storage.atomic_writer(storage.join(self.output, 'errors.jsonl')))
            files = {RECORDS_PATH: table, 'errors.jsonl': errors}
            if self.log_name:
                files[self.log_name] = stack.enter_context(
                    storage.atomic_writer(storage.join(self.output, self.log_name)))
            self._merge(summary, viewer, table, errors, files.get(self.log_name))
        outputs = tuple(OutputFile(path, file.size, file.sha256) for path, file in files.items())
        return replace(summary, outputs=summary.outputs + outputs, views={**summary.views, 'records': viewer.finish()})

    def _merge(self, summary: RunSummary, viewer: _Viewer, table: object, errors: object, log: object) -> None:
        schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in (*_BASE_SCHEMA, *self.columns)])
        records = (Outcome.from_json(item.payload) for item in merge_fragments(summary.of_kind('record')))
        unit_errors = list(summary.unit_errors)
        with pq.ParquetWriter(pa.PythonFile(table, 'w'), schema, compression='zstd') as writer:
            for batch in batched(records, _BATCH_ROWS):
                writer.write_table(self._to_table(batch, schema))
                for record in batch:
                    while unit_errors and unit_errors[0].file <= record.file:
                        self._log(unit_errors.pop(0), errors, log)
                    viewer.update(record)
                    if record.outcome == FAILED and record.listed:
                        self._log(record, errors, log)
        for error in unit_errors:
            self._log(error, errors, log)

    def _log(self, item: Outcome | UnitError, errors: object, log: object) -> None:
        line = error_line(self.source, self.revision, item)
        errors.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        if log:
            log.write(log_line(line).encode())

    def _to_table(self, records: list[Outcome], schema: pa.Schema) -> pa.Table:
        rows = [{'source': self.source, 'revision': self.revision or None, 'file': r.file, 'row': r.row, 'id': r.id,
                 'outcome': r.outcome, 'reason': r.reason, 'message': r.message, 'output': r.output,
                 'bytes': r.bytes, 'sha256': r.sha256,
                 **{name: r.details.get(name) for name, _ in self.columns}} for r in records]
        return pa.Table.from_pylist(rows, schema)


def batched(items: Iterable, size: int) -> Iterator[list]:
    """Lists of `size` items; the last may be shorter."""
    batch: list = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def read_records(output: str) -> Iterator[dict]:
    """The rows of a finished run's records table, in identity order; OSError where there is no table."""
    with storage.open_read(storage.join(output, RECORDS_PATH)) as source:
        for batch in pq.ParquetFile(source).iter_batches(_BATCH_ROWS):
            yield from batch.to_pylist()


