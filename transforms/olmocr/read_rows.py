"""ReadOlmocrLabels: Parquet files (or annotations.json) to one small set of row files for each tarball.

The documents Parquet of the published dataset is 338 MB, perhaps in one row group, and its pages lie in about
50 tarballs that can only be read from their start. So every file of rows is read once, its rows are filtered and
put into small files by tarball, and what goes on is a reference for each tarball.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.pvalue import TaggedOutput

import transforms.hub.filesystem  # noqa: F401 - registers hf:// with Beam
from transforms.accounting.outcome import DROPPED, FAILED, Outcome
from transforms.accounting.step import ACCOUNTS, CollectAccounts, StepOutput
from transforms.accounting.table import RecordTable
from transforms.files import storage
from transforms.files.columns import Unreadable, column_values
from transforms.files.json_values import JsonItem
from transforms.files.parquet import open_parquet, read_footer
from transforms.files.parquet_footer import FooterError
from transforms.files.spill import SpillingBuffers
from transforms.olmocr.discover import OlmocrInput, RowFile, read_annotations
from transforms.olmocr.filters import RowRules, apply_text_rules, filter_reason
from transforms.olmocr.index_archives import ArchiveIndex, IndexArchives
from transforms.olmocr.original import parse_original
from transforms.olmocr.row_store import write_rows
from transforms.olmocr.rows import COLUMNS_1025, LABEL_COLUMNS, BadRow, OlmocrRow, parse_annotation, parse_row
from transforms.report.summary import Count, UnitError
from transforms.run.run import Run
from transforms.run.start_up_check import StartUpCheck

_BATCH_ROWS = 512
_HELD_BYTES = 32 << 20
_FOLDER_UNIT_ROWS = 1000
LABEL_TABLE = RecordTable(LABEL_COLUMNS)


@dataclass(frozen=True)
class PageUnit:
    """The rows of one file whose documents lie together.

    Attributes:
        file: file of the rows, which is a source.
        archive: tarball relative to the input; '' for documents in a folder.
        group: number of the unit, where a folder's rows are cut into several.
        segments: row files (see `row_store`).
    """

    file: RowFile
    archive: str
    group: int
    segments: tuple[str, ...]

    @property
    def name(self) -> str:
        """What journals call the unit."""
        return unit_name(self.file.name, self.archive, self.group)


def unit_group(archive: str, row: int) -> int:
    """The group that a row belongs to: rows of a folder are cut by their numbers, those of a tarball are not."""
    return 0 if archive else row // _FOLDER_UNIT_ROWS


def unit_name(file: str, archive: str, group: int) -> str:
    """File (which names its source: each file is one), archive and group, with bars between."""
    return f'{file}|{archive}|{group}'


def read_raw_rows(file: RowFile) -> Iterator[tuple[int, dict | JsonItem] | UnitError]:
    """(row number, raw row) in order; a row group that cannot be read is one UnitError, the rest is still read."""
    if file.kind == 'annotations':
        yield from enumerate(read_annotations(file.path))
        return
    with storage.open_read(file.path) as source:
        try:
            footer = read_footer(source, file.bytes)
            parquet = open_parquet(source, footer, (*COLUMNS_1025, 'response'))
        except FooterError as error:
            yield UnitError(file.first_part, file.name, 'whole file', 'read', 'DamagedFile', str(error))
            return
        names = [n for n in (*COLUMNS_1025, 'response') if n in parquet.schema_arrow.names]
        start = 0
        for group in range(footer.metadata.num_row_groups):
            rows, done = footer.metadata.row_group(group).num_rows, 0
            try:
                for number, raw in _read_group(parquet, group, names, start):
                    yield number, raw
                    done += 1
                problem = '' if done == rows else f'it holds {done} rows, its footer says {rows}'
            except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
                problem = (str(error).splitlines() or [type(error).__name__])[0][:200]
            if problem:
                yield UnitError(file.part_of(start), file.name, f'row group {group}', 'read', 'DamagedRowGroup',
                                f'from row {start + done}: {problem}', max(0, rows - done))
            start += rows


def _read_group(parquet: pq.ParquetFile, group: int, names: list[str], start: int) -> Iterator[tuple[int, dict]]:
    for batch in parquet.iter_batches(_BATCH_ROWS, row_groups=[group], columns=names):
        # As bytes: one text that is no UTF-8 must cost one row, not a batch.
        columns = [column_values(_as_bytes(column)) for column in batch.columns]
        for i, values in enumerate(zip(*columns, strict=True)):
            yield start + i, dict(zip(batch.schema.names, values, strict=True))
        start += batch.num_rows


def _as_bytes(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.cast(pa.binary()) if pa.types.is_string(column.type.value_type) else column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return column.cast(pa.large_binary() if pa.types.is_large_string(column.type) else pa.binary())
    return column


class _PartitionByArchive:
    """Puts rows into small files by unit, and ends with unit references."""

    def __init__(self, file: RowFile, folder: str) -> None:
        self._file, self._wanted = file, Counter()
        self._buffers = SpillingBuffers(lambda rows: write_rows(folder, rows), _HELD_BYTES)

    def add(self, row: OlmocrRow) -> None:
        unit = (row.archive, unit_group(row.archive, row.row))
        self._wanted[unit] += row.wanted
        self._buffers.add(unit, row, 4 * len(row.text or '') + 600)

    def finish(self) -> Iterator[PageUnit]:
        for unit, segments in self._buffers.finish():
            if self._wanted[unit]:
                yield PageUnit(self._file, *unit, segments)


class _ReadRowsFn(beam.DoFn):
    def __init__(self, rules: RowRules, folder: str, extension: str, limit: int, index: str) -> None:
        self._rules, self._folder, self._extension = rules, folder, extension
        self._limit, self._index_folder = limit, index

    def process(self, file: RowFile) -> Iterator[
            PageUnit | TaggedOutput[Literal['accounts'], object]]:
        partition, counts, seen, read = _PartitionByArchive(file, self._folder), Counter(), set(), 0
        index = ArchiveIndex(self._index_folder) if file.kind == '0225' else None
        for item in read_raw_rows(file):
            if self._limit and read >= self._limit:
                break
            if isinstance(item, UnitError):
                yield TaggedOutput(ACCOUNTS, item)
                # Rows that are known to be lost are read and failed, so that the accounts tell of them.
                lost = min(item.count, self._limit - read) if self._limit else item.count
                read += lost
                counts[item.part, 'read', ''] += lost
                counts[item.part, 'failed', item.error] += lost
                continue
            read += 1
            part = file.part_of(item[0])
            counts[part, 'read', ''] += 1
            row, record = self._outcome_of(file, part, *item, seen, index)
            if record:
                yield TaggedOutput(ACCOUNTS, record)
                if row:
                    partition.add(replace(row, text=None, wanted=False))
            else:
                if not row.rotation_valid and not row.rotation:
                    counts[part, 'warning', 'rotation_invalid_without_correction'] += 1
                partition.add(row)
        yield from partition.finish()
        for (part, kind, name), count in sorted(item for item in counts.items() if item[1]):
            yield TaggedOutput(ACCOUNTS, Count(part, kind, name, count))

    def _outcome_of(self, file: RowFile, part: int, number: int, raw: dict, seen: set,
                    index: ArchiveIndex | None) -> tuple[OlmocrRow | None, Outcome | None]:
        """The row to render, or the Outcome that says why not."""
        try:
            if isinstance(raw, JsonItem):
                if raw.error:
                    raise BadRow(raw.message)
                raw = raw.value
            if isinstance(raw, dict) and (bad := [n for n, v in raw.items() if isinstance(v, Unreadable)]):
                raise BadRow(f'{bad[0]} is {raw[bad[0]]}')
            row = self._parse(file, part, number, raw)
        except BadRow as error:
            own_id = _own_id(raw.value if isinstance(raw, JsonItem) else raw)
            return None, Outcome(part, file.name, number, own_id, FAILED, 'BadRow', str(error), stage='read')
        if index and not row.archive:
            row = index.locate(row)
        reason = '' if self._rules.verbatim else filter_reason(row, self._rules) or _duplicate(row, seen)
        if not reason:
            row, reason = apply_text_rules(row, self._rules)
        return row, Outcome(part, row.file, row.row, row.id, DROPPED, reason, details=row.details()) if reason else None

    def _parse(self, file: RowFile, part: int, number: int, raw: dict) -> OlmocrRow:
        if file.kind == 'annotations':
            if not isinstance(raw, dict):
                raise BadRow('no JSON object')
            return parse_annotation(raw, part, file.name, number, self._extension)
        if self._rules.verbatim:
            return parse_original(raw, part, file.name, number)
        return parse_row(raw, part, file.name, number, file.config, file.split_name, self._extension, file.split)


def _own_id(raw: object) -> str:
    own = raw.get('id') if isinstance(raw, dict) else None
    return own.decode(errors='replace') if isinstance(own, bytes) else \
        str(own or '').encode('utf-8', 'backslashreplace').decode()


def _duplicate(row: OlmocrRow, seen: set) -> str:
    # Two ids may also map to one image name, in an annotations.json of somebody else's.
    marks = {hashlib.sha256(text.encode()).digest()[:8] for text in (row.id, row.output)}
    if marks & seen:
        return 'duplicate_id'
    seen |= marks
    return ''


@dataclass(eq=False)
class ReadOlmocrLabels(beam.PTransform):
    """PBegin to StepOutput: `main` are PageUnits to read pages for, spread over the workers.

    A file is read by one worker, in 512-row batches; memory is 32 MiB of rows, and about 150 bytes for each id.
    Rows leave in units of one tarball, or of 1,000 rows where documents lie in a folder. Of mix-0225, whose rows do not name
    their tarball, the tarballs are indexed first.

    Args:
        found: the input.
        rules: which rows are kept.
        run: the run.
        extension: of the images to come; '' keeps the documents' own (extracting).
        limit: rows read of each file; 0 for all.

    Raises:
        RunAborted: the work folder cannot be written.
    """

    found: OlmocrInput
    rules: RowRules
    run: Run
    extension: str = ''
    limit: int = 0

    def expand(self, pbegin: beam.pvalue.PBegin):  # noqa: ANN201 - Beam reads tuples wrongly
        work, index = self.run.work, storage.join(self.run.work, 'index')
        files, said = pbegin | 'Files' >> beam.Create(self.found.files), ()
        if self.found.needs_index:
            indexed = (pbegin | 'Archives' >> beam.Create(sorted(self.found.archives)) | 'CheckIndexing' >> StartUpCheck(self.run)
                       | 'IndexArchives' >> IndexArchives(self.found.root, index))
            files = files | 'AfterIndex' >> beam.util.WaitOn(indexed.main)
            said = (indexed.accounts | 'CollectIndexed' >> CollectAccounts(self.run),)
        read = files | 'CheckReading' >> StartUpCheck(self.run) | 'CutByTarball' >> beam.ParDo(
            _ReadRowsFn(self.rules, storage.join(work, 'rows'), self.extension, self.limit, index)
        ).with_outputs(ACCOUNTS, main='main')
        said += (read.accounts | 'CollectRead' >> CollectAccounts(self.run, LABEL_TABLE),)
        return StepOutput(read.main | 'SpreadUnits' >> beam.Reshuffle(), said)
