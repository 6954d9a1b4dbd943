"""plan_read(): from what a user asks for to units of work, with as few bytes read as that takes."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import pyarrow as pa

from transforms.files import storage
from transforms.hub.place import HubPlace
from transforms.read_hf.conform import infer_schema, lines_of_list
from transforms.read_hf.csv_rows import csv_schema
from transforms.read_hf.data_files import Dataset, DatasetError, Split, find_dataset
from transforms.read_hf.folders import is_media, plan_media
from transforms.read_hf.layouts import layout_of
from transforms.read_hf.parquet_rows import parquet_schema
from transforms.read_hf.rows import DEFAULT_LIMITS, ReadLimits, UnitFault
from transforms.read_hf.streams import open_stream
from transforms.read_hf.units import UnitChain, plan_units

_SAMPLE_BYTES = 1 << 20
HUB_PARQUET = 'refs/convert/parquet'


@dataclass(frozen=True)
class ReadPlan:
    """What will be read.

    Attributes:
        root: pinned root.
        revision: Hub commit, '' for files.
        dataset: all that the root holds.
        splits: the chosen ones.
        chains: units of work.
    """

    root: str
    revision: str
    dataset: Dataset
    splits: tuple[Split, ...]
    chains: tuple[UnitChain, ...]

    @property
    def bytes(self) -> int:
        """Size of the chosen files."""
        return sum(file.size for split in self.splits for file in split.files)

    @property
    def inputs(self) -> tuple[tuple[str, int, float | str], ...]:
        """The chosen files as (path, bytes, stamp), for telling a changed input."""
        return tuple((file.path, file.size, file.stamp) for split in self.splits for file in split.files)


def resolve(source: str, hub_parquet: bool = False) -> str:
    """The pinned root of a source.

    Raises:
        DatasetError: --hub_parquet of something that is not on the Hub.
    """
    if hub_parquet:
        if not source.startswith('hf://'):
            raise DatasetError(f'{source} is not on the Hub, which alone makes Parquet conversions')
        source = str(HubPlace.parse(source).at(HUB_PARQUET))
    return storage.pin(source)


def plan_read(source: str, subset: str = '', split: str = 'all', columns: tuple[str, ...] = (), pattern: str = '',
              limit: int = 0, hub_parquet: bool = False, limits: ReadLimits = DEFAULT_LIMITS) -> ReadPlan:
    """The plan of `ReadHF`; see there."""
    root = resolve(source, hub_parquet)
    dataset = find_dataset(root, pattern)
    root, revision = dataset.root, storage.revision_of(root)
    chosen = dataset.choose(subset, split)
    chains: list[UnitChain] = []
    schemas: dict[str, bytes] = {}
    for one in chosen:
        if is_media(one):
            siblings = tuple(s for s in dataset.splits if s.subset == one.subset)
            chains += plan_media(one, siblings, root, source, revision, columns, limit)
            continue
        if one.subset not in schemas:
            schemas[one.subset] = _schema(root, one, columns, limits)
        chains += plan_units(one, root, source, revision, columns, limit, schema=schemas[one.subset])
    return ReadPlan(root, revision, dataset, chosen, tuple(chains))


def _schema(root: str, split: Split, columns: tuple[str, ...], limits: ReadLimits) -> bytes:
    """Checks the columns against the first file; returns the schema of JSON files, b'' for others."""
    if not split.files:
        return b''
    file = split.files[0]
    layout = layout_of(file.path)
    if layout.format not in ('parquet', 'json', 'csv', 'tsv') or (layout.format == 'parquet' and not columns):
        return b''
    try:
        with storage.open_info(root, file) as source:
            if layout.format == 'parquet':
                _check_columns(columns, parquet_schema(root, file, source, limits)[0].names, file.path)
                return b''
            sample = open_stream(source, layout.compression).read(_SAMPLE_BYTES)
    except UnitFault:
        return b''  # reading will tell
    if layout.format in ('csv', 'tsv'):
        schema = csv_schema(sample, layout.format, dict(split.params))
    else:
        sample = sample.removeprefix(b'\xef\xbb\xbf') + (b'\n' if len(sample) < _SAMPLE_BYTES else b'')
        schema = infer_schema(lines_of_list(sample) if sample.lstrip().startswith(b'[') else sample)
    if schema and columns:
        _check_columns(columns, pa.ipc.read_schema(pa.BufferReader(schema)).names, file.path)
    return schema


def _check_columns(columns: tuple[str, ...], names: list[str], path: str) -> None:
    for column in columns:
        if column not in names:
            close = difflib.get_close_matches(column, names, 1, 0.5)
            hint = f'did you mean {close[0]}?' if close else f"it has {', '.join(names[:20])}"
            raise DatasetError(f'{path} has no column {column}; {hint}')
