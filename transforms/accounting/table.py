"""RecordTable: the columns of records/, and outcomes as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.accounting.outcome import Outcome
from transforms.files import storage
from transforms.run.source import Source

GROUP_ROWS = 1 << 15
_SOURCE = (('source_number', 'int32'), ('source', 'string'), ('revision', 'string'), ('subset', 'string'), ('split', 'string'))
_OUTCOME = (('file', 'string'), ('row', 'int64'), ('id', 'string'), ('outcome', 'string'), ('reason', 'string'),
            ('message', 'string'), ('output', 'string'), ('bytes', 'int64'), ('sha256', 'string'))
_ASIDE = (('stage', 'string'), ('listed', 'bool'))  # for errors.jsonl; records/ has no such columns
_FIELDS = (*_OUTCOME, *_ASIDE)


def _schema(columns: Sequence[tuple[str, str]]) -> pa.Schema:
    return pa.schema([(name, pa.type_for_alias(kind)) for name, kind in columns])


@dataclass(frozen=True)
class RecordTable:
    """The records table of a pipeline: source, identity, outcome, what was written where, then what the pipeline measures.

    Attributes:
        columns: its own columns, `(name, Arrow type)`, named unlike those that every table has; their values are in
            `Outcome.details`.
        shared_outputs: whether records may share a file that each calls its own; the manifest lists it once.
    """

    columns: tuple[tuple[str, str], ...] = ()
    shared_outputs: bool = False

    def __post_init__(self) -> None:
        if common := {name for name, _ in (*_SOURCE, *_FIELDS)} & {name for name, _ in self.columns}:
            raise ValueError(f'columns has {min(common)}, which every records table has: choose another name')

    def to_batch(self, outcomes: list[Outcome]) -> pa.RecordBatch:
        """Outcomes as columns of `collected`, in their order; a detail that is no column is left out."""
        columns = zip(*map(_VALUES, outcomes), strict=True)
        arrays = [_array(values, field.type) for values, field in zip(columns, _schema(_FIELDS), strict=True)]
        details = [o.details for o in outcomes]
        arrays += [_array([d.get(f.name) for d in details], f.type) for f in _schema(self.columns)]
        return pa.record_batch(arrays, schema=self.collected)

    @property
    def collected(self) -> pa.Schema:
        """Of outcomes on their way to finishing."""
        return _schema((*_FIELDS, *self.columns))

    @property
    def schema(self) -> pa.Schema:
        """Of records/."""
        return _schema((*_SOURCE, *_OUTCOME, *self.columns))

    def with_source(self, collected: pa.Table, source: Source) -> pa.Table:
        """Rows of records/ from collected ones."""
        rows = collected.num_rows
        known = {'source_number': source.number, 'source': source.address, 'revision': source.revision or None,
                 'subset': source.subset, 'split': source.split}
        arrays = [pa.repeat(pa.scalar(known[f.name], f.type), rows) if f.name in known else
                  collected[f.name] for f in self.schema]
        return pa.Table.from_arrays(arrays, schema=self.schema)


_VALUES = attrgetter(*(name for name, _ in _FIELDS))


def as_text(text: str) -> str:
    """The text without lone surrogates, which no file can hold: names of strangers' files may have them."""
    return text.encode('utf-8', 'backslashreplace').decode()


def _array(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:
        return pa.array([as_text(value) if isinstance(value, str) else value for value in values], kind)


def records_path(part: int, parts: int) -> str:
    """Of one part's rows, relative to the output."""
    return f'records/part-{part:05d}-of-{parts:05d}.parquet'


def read_records(output: str):  # noqa: ANN201 - an iterator of dicts
    """The rows of a finished run's records table, in order of file and row; OSError where there is no table."""
    paths = [info.path for info in storage.list_files(storage.join(output, 'records'), '*.parquet')] \
        if storage.exists(storage.join(output, 'records')) else []
    if not paths:
        raise OSError('records/ holds no table')
    for path in paths:
        with storage.open_read(path) as source:
            for batch in pq.ParquetFile(source).iter_batches(512):
                yield from batch.to_pylist()
