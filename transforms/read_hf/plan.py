"""plan_read(): from what a user asks for to units of work, with as few bytes read as that takes."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from transforms.files import storage
from transforms.files.storage import FileInfo
from transforms.hub.address import canonical
from transforms.hub.path import HubPath
from transforms.read_hf.card import DatasetError
from transforms.read_hf.data_files import Dataset, Split, find_dataset
from transforms.read_hf.folders import is_media, plan_media
from transforms.read_hf.layouts import layout_of
from transforms.read_hf.rows import DEFAULT_LIMITS, ReadLimits
from transforms.read_hf.schemas import is_json, split_types, unpacked_bytes
from transforms.read_hf.units import SPLIT_BYTES, Origin, ReadUnit, UnitChain, plan_units
from transforms.run.source import PART_BYTES, PART_ROWS, Part, Source

_MANY_FILES = 4
_USUAL_PARTS, _LEAST_PART = 16, 16 << 20
HUB_PARQUET = 'refs/convert/parquet'


@dataclass(frozen=True)
class ReadPlan:
    """The units of a read, and where they come from.

    Attributes:
        root: pinned root.
        revision: Hub commit, '' for files.
        dataset: all that the root holds.
        splits: the chosen ones, each a source.
        chains: units of work.
        sources: of the records, by number.
        parts: of the accounts, by number.
        beside: files that are not read for records and decide what records there are: the README.md, and the other splits of a
            folder of images, whose folders are labels too.
    """

    root: str
    revision: str
    dataset: Dataset
    splits: tuple[Split, ...]
    chains: tuple[UnitChain, ...]
    sources: tuple[Source, ...]
    parts: tuple[Part, ...]
    beside: tuple[FileInfo, ...] = ()

    @property
    def files(self) -> int:
        """Number of the chosen files."""
        return sum(len(split.files) for split in self.splits)

    @property
    def certain_bytes(self) -> int:
        """Of files that are read whatever is in them: not of images, which are references, nor of what a limit may end in."""
        return sum(chain.bytes for chain in self.chains if not chain.limit)

    @property
    def bytes(self) -> int:
        """Size of the chosen files."""
        return sum(file.size for split in self.splits for file in split.files)

    @property
    def unpacked_bytes(self) -> int:
        """The same decompressed, about."""
        return sum(unpacked_bytes(layout_of(file.path), file.size) for split in self.splits for file in split.files)

    @property
    def rows(self) -> int:
        """How many records there are, 0 where no footer tells."""
        counts = [unit.row_count for chain in self.chains for unit in chain.units]
        return 0 if None in counts else sum(counts)

    @property
    def chains_by_part(self) -> tuple[UnitChain, ...]:
        """A chain for each part, which reads its units in order of file and row; one that ends at a limit keeps the order of its files."""
        units: dict[int, list[ReadUnit]] = {part.number: [] for part in self.parts}
        limits: dict[int, int] = {}
        for chain in self.chains:
            for unit in chain.units:
                units[unit.origin.part].append(unit)
                limits[unit.origin.part] = chain.limit
        return tuple(UnitChain(tuple(own if limits[part] else sorted(own, key=lambda unit: (unit.origin.file, unit.start))), limits[part])
                     for part, own in units.items())

    @property
    def inflated(self) -> tuple[tuple[ReadUnit, ...], ...]:
        """For each file that is inflated before it is read, its units in order."""
        units: dict[str, list[ReadUnit]] = {}
        for chain in self.chains:
            for unit in chain.units:
                if unit.block >= 0:
                    units.setdefault(unit.origin.file, []).append(unit)
        return tuple(tuple(sorted(own, key=lambda unit: unit.block)) for own in units.values())

    @property
    def inflated_bytes(self) -> int:
        """What the files that are inflated take then, about."""
        return sum(unpacked_bytes(units[0].layout, units[0].file.size) for units in self.inflated)

    @property
    def inputs(self) -> tuple[tuple[str, int, float | str], ...]:
        """The chosen files and those beside them as (path, bytes, fingerprint), for telling a changed input."""
        chosen = (file for split in self.splits for file in split.files)
        return tuple((file.path, file.size, file.fingerprint) for file in (*chosen, *self.beside))


def resolve(source: str, hub_parquet: bool = False) -> str:
    """The pinned root of a source.

    Raises:
        DatasetError: it is empty, or --hub_parquet of something that is not on the Hub.
    """
    try:
        source = canonical(source)
    except ValueError as error:
        raise DatasetError(str(error)) from None
    if not source:
        raise DatasetError('no dataset is given: --input must be a folder, a file or hf://datasets/NAMESPACE/NAME')
    if hub_parquet:
        if not source.startswith('hf://'):
            raise DatasetError(f'{source} is not on the Hub, which alone makes Parquet conversions')
        source = str(HubPath.parse(source).at(HUB_PARQUET))
    if not storage.is_local(source):
        import transforms.hub.filesystem  # noqa: F401 - registers hf:// with Beam; local sources are planned without Beam

    return storage.pin(source)


def usual_part_bytes(size: int) -> int:
    """Bytes of files in a part where nobody asks for another size: a 16th of all, 16 to 256 MiB."""
    return min(PART_BYTES, max(_LEAST_PART, size // _USUAL_PARTS))


def plan_read(source: str, subset: str | tuple[str, ...] = '', split: str = 'all', columns: tuple[str, ...] = (), pattern: str = '',
              limit: int = 0, hub_parquet: bool = False, limits: ReadLimits = DEFAULT_LIMITS,
              heads_only: bool = False, part_bytes: int = 0, inflates: bool = False, json_as_is: bool = False) -> ReadPlan:
    """The plan of `ReadHF`; see there.

    Args:
        source: as of `ReadHF`, and so are the next ones.
        subset: name, several names, 'all', or ''.
        split: name or 'all'.
        columns: to read; () for all.
        pattern: glob of data files.
        limit: of records of each split.
        hub_parquet: read the Parquet conversion that the Hub made.
        limits: what one record may cost.
        heads_only: take types from the heads of a few files.
        part_bytes: of files in one part; a unit that cannot be cut may have more. 0: a 16th of all, 16 to 256 MiB, so that the
            workers of one machine end at about the same time.
        inflates: cut compressed lines too, which `ReadHFParts` inflates before it reads them; `ReadHF` cannot. Without `part_bytes`
            files of more than a quarter of all, or 256 MiB: of smaller ones there are enough for all workers as they are.
        json_as_is: take values of JSON as they are written: no column has one type, texts that are times stay texts, nothing is filled up.
    """
    root = resolve(source, hub_parquet)
    dataset = find_dataset(root, pattern)
    root, revision = dataset.root, storage.revision_of(root)
    names = (subset,) if isinstance(subset, str) else subset
    chosen = tuple(one for name in dict.fromkeys(names) for one in dataset.choose(name, split))
    size = sum(file.size for one in chosen for file in one.files)
    inflates_from = (part_bytes or min(PART_BYTES, size // _MANY_FILES)) if inflates else 0
    part_bytes = part_bytes or usual_part_bytes(size)
    chains: list[UnitChain] = []
    beside = list(dataset.card_files)
    sources = tuple(Source(number, source, revision, one.subset, one.name, root) for number, one in enumerate(chosen))
    for one in chosen:
        columns_of = columns or _columns_of_card(one)
        if is_media(one):
            siblings = tuple(s for s in dataset.splits if s.subset == one.subset)
            beside += [file for sibling in siblings if sibling not in chosen for file in sibling.files]
            chains += plan_media(one, siblings, root, source, revision, columns_of, limit,
                                 lambda beside: _serialized(split_types(root, beside, {}, limits, heads_only).schema))
            continue
        schema, row_groups, as_is = pa.schema([]), {}, json_as_is and is_json(one)
        if columns_of or not as_is:
            schema, row_groups = split_types(root, one, dataset.card, limits, heads_only, limit)
        if schema.names and columns_of:
            _check_columns(columns_of, schema.names, one)
        schema = pa.schema([]) if as_is else schema
        chains += plan_units(one, root, source, revision, columns_of, limit,
                             split_bytes=min(SPLIT_BYTES, part_bytes), inflates_from=inflates_from, schema=_serialized(schema), row_groups=row_groups)
    chains, parts = _with_parts(chains, {(one.subset, one.split): one.number for one in sources}, part_bytes)
    return ReadPlan(root, revision, dataset, chosen, chains, sources, parts, tuple(dict.fromkeys(beside)))


def _with_parts(chains: list[UnitChain], numbers: dict[tuple[str, str], int],
                part_bytes: int) -> tuple[tuple[UnitChain, ...], tuple[Part, ...]]:
    """The chains with units that know their source and part. A part is a range of a source's units, in order of file and row.

    It has at most `part_bytes` of files and, where footers tell, `PART_ROWS`; or one unit that cannot be cut, or a chain that
    is read only as far as is needed. A file that is inflated shares no part with others: it can be read once its blocks are there.
    """
    units = sorted(((numbers[u.origin.subset, u.origin.split], u.origin.file, u.start, u, bool(c.limit))
                    for c in chains for u in c.units), key=lambda entry: entry[:3])
    parts: list[Part] = []
    origins: dict[int, Origin] = {}
    held, rows, inflated = 0, 0, ''
    for number, file, _, unit, is_chained in units:
        size, count = unit.bytes, unit.row_count or 0
        before, inflated = inflated, file if unit.block >= 0 else ''
        if not parts or parts[-1].source != number or inflated != before or (
                not is_chained and (held + size > part_bytes or rows + count > PART_ROWS)):
            parts.append(Part(len(parts), number))
            held = rows = 0
        held, rows = held + size, rows + count
        origins[id(unit)] = replace(unit.origin, number=number, part=len(parts) - 1)
    placed = tuple(replace(c, units=tuple(replace(u, origin=origins[id(u)]) for u in c.units)) for c in chains)
    return placed, tuple(parts)


def number_plans(plans: Sequence[ReadPlan]) -> tuple[ReadPlan, ...]:
    """The plans of one run, with sources and parts numbered through: a `ReadHF` for each, and one `Run` for all."""
    numbered: list[ReadPlan] = []
    source = part = 0
    for plan in plans:
        chains = tuple(replace(chain, units=tuple(replace(unit, origin=replace(
            unit.origin, number=unit.origin.number + source, part=unit.origin.part + part)) for unit in chain.units))
            for chain in plan.chains)
        numbered.append(replace(plan, chains=chains, sources=tuple(replace(s, number=s.number + source) for s in plan.sources),
                                parts=tuple(Part(p.number + part, p.source + source) for p in plan.parts)))
        source, part = source + len(plan.sources), part + len(plan.parts)
    return tuple(numbered)


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
