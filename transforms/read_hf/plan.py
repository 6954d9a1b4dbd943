"""plan_read(): from what a user asks for to units of work, with as few bytes read as that takes."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import pyarrow as pa

from transforms.files import storage
from transforms.hub.path import HubPath
from transforms.read_hf.card import DatasetError
from transforms.read_hf.data_files import Dataset, Split, find_dataset
from transforms.read_hf.folders import is_media, plan_media
from transforms.read_hf.rows import DEFAULT_LIMITS, ReadLimits
from transforms.read_hf.schemas import split_schema
from transforms.read_hf.units import UnitChain, plan_units

HUB_PARQUET = 'refs/convert/parquet'


@dataclass(frozen=True)
class ReadPlan:
    """The units of a read, and where they come from.

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
        """The chosen files as (path, bytes, fingerprint), for telling a changed input."""
        return tuple((file.path, file.size, file.fingerprint) for split in self.splits for file in split.files)


def resolve(source: str, hub_parquet: bool = False) -> str:
    """The pinned root of a source.

    Raises:
        DatasetError: --hub_parquet of something that is not on the Hub.
    """
    if hub_parquet:
        if not source.startswith('hf://'):
            raise DatasetError(f'{source} is not on the Hub, which alone makes Parquet conversions')
        source = str(HubPath.parse(source).at(HUB_PARQUET))
    if not storage.is_local(source):
        import transforms.hub.filesystem  # noqa: F401 - registers hf:// with Beam; local sources are planned without Beam

    return storage.pin(source)


def plan_read(source: str, subset: str = '', split: str = 'all', columns: tuple[str, ...] = (), pattern: str = '',
              limit: int = 0, hub_parquet: bool = False, limits: ReadLimits = DEFAULT_LIMITS,
              heads_only: bool = False) -> ReadPlan:
    """The plan of `ReadHF`; see there. With `heads_only` types are taken from the heads of a few files."""
    root = resolve(source, hub_parquet)
    dataset = find_dataset(root, pattern)
    root, revision = dataset.root, storage.revision_of(root)
    chosen = dataset.choose(subset, split)
    chains: list[UnitChain] = []
    for one in chosen:
        columns_of = columns or _columns_of_card(one)
        if is_media(one):
            siblings = tuple(s for s in dataset.splits if s.subset == one.subset)
            chains += plan_media(one, siblings, root, source, revision, columns_of, limit,
                                 lambda beside: _serialized(split_schema(root, beside, {}, limits, heads_only)))
            continue
        schema = split_schema(root, one, dataset.card, limits, heads_only, limit)
        if schema.names and columns_of:
            _check_columns(columns_of, schema.names, one)
        chains += plan_units(one, root, source, revision, columns_of, limit,
                             schema=_serialized(schema))
    return ReadPlan(root, revision, dataset, chosen, tuple(chains))


def _serialized(schema: pa.Schema) -> bytes:
    return schema.serialize().to_pybytes() if schema.names else b''


def _columns_of_card(split: Split) -> tuple[str, ...]:
    columns = dict(split.params).get('columns') or ()
    return tuple(columns) if isinstance(columns, list) and all(isinstance(c, str) for c in columns) else ()


def _check_columns(columns: tuple[str, ...], names: list[str], split: Split) -> None:
    for column in columns:
        if column not in names:
            close = difflib.get_close_matches(column, names, 1, 0.5)
            hint = f'did you mean {close[0]}?' if close else f"it has {', '.join(names[:20])}"
            raise DatasetError(f'{split.files[0].path} has no column {column}; {hint}')
