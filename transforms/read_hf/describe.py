"""describe(): what a dataset holds, from its listing, its footers and a few first rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa

from transforms.files import storage
from transforms.hub.settings import current
from transforms.read_hf.card import config_name
from transforms.read_hf.data_files import Split
from transforms.read_hf.folders import is_media
from transforms.read_hf.layouts import layout_of
from transforms.read_hf.parquet_rows import parquet_schema
from transforms.read_hf.plan import ReadPlan, plan_read
from transforms.read_hf.read_unit import read_unit
from transforms.read_hf.rows import DEFAULT_LIMITS, BadRow, LostPart, UnitFault

_KINDS = {'Image': 'image', 'Audio': 'audio', 'Video': 'video'}
_SHOWN_LABELS = 12


@dataclass(frozen=True)
class SplitFacts:
    """One split.

    Attributes:
        split: subset, name and files.
        rows: number of rows; -1 when no footer tells.
        row_source: 'footers', 'readable footers' (some are damaged), 'card' (the README's own figure), 'files' (one a file)
            or ''.
        columns: (name, type) of each.
        examples: the first rows.
        faults: what could not be read, a line each.
    """

    split: Split
    rows: int
    row_source: str
    columns: tuple[tuple[str, str], ...]
    examples: tuple[dict, ...]
    faults: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Size of the split's files."""
        return sum(file.size for file in self.split.files)


def describe(source: str, subset: str = 'all', split: str = 'all', pattern: str = '', examples: int = 3,
             hub_parquet: bool = False, progress: Callable[[Iterator], Iterator] = iter) -> tuple[ReadPlan, list[SplitFacts]]:
    """The plan of reading everything that is asked for, and facts of each split.

    Args:
        source: as of `ReadHF`.
        subset: name or 'all'.
        split: name or 'all'.
        pattern: as of `ReadHF`.
        examples: first rows to read of each split.
        hub_parquet: as of `ReadHF`.
        progress: wraps the iterator over footers.

    Raises:
        ValueError, HubFault: as `ReadHF`.
    """
    plan = plan_read(source, subset, split, (), pattern, max(1, examples), hub_parquet, heads_only=True)
    return plan, [_facts(plan, one, examples, progress) for one in plan.splits]


def _facts(plan: ReadPlan, split: Split, examples: int, progress: Callable[[Iterator], Iterator]) -> SplitFacts:
    faults: list[str] = []
    shown = list(_first_rows(plan, split, examples, faults)) if examples else []
    rows, row_source, schema = _rows(plan, split, faults, progress)
    columns = _columns(schema) if schema is not None else _columns_of(shown)
    return SplitFacts(split, rows, row_source, columns, tuple(shown), tuple(faults))


def _rows(plan: ReadPlan, split: Split, faults: list[str],
          progress: Callable[[Iterator], Iterator]) -> tuple[int, str, pa.Schema | None]:
    if is_media(split):
        return sum(layout_of(f.path).format in ('image', 'audio') for f in split.files), 'files', None
    if not split.files or any(layout_of(f.path).format != 'parquet' for f in split.files):
        count = _by_card(plan.dataset.card, split)
        return count, 'card' if count >= 0 else '', None

    def footer(file: storage.FileInfo) -> tuple[int, pa.Schema | None, str]:
        try:
            with storage.open_info(plan.root, file) as source:
                schema, count = parquet_schema(plan.root, file, source, DEFAULT_LIMITS)
                return count, schema, ''
        except (UnitFault, FileNotFoundError) as fault:
            return 0, None, f'{file.path}: {fault}'

    with ThreadPoolExecutor(current().connections) as threads:
        footers = list(progress(threads.map(footer, split.files)))
    faults += [fault for _, _, fault in footers if fault]
    source = 'readable footers' if any(fault for _, _, fault in footers) else 'footers'
    return sum(count for count, _, _ in footers), source, next((s for _, s, _ in footers if s is not None), None)


def _by_card(card: dict, split: Split) -> int:
    """The number of rows that the README claims, -1 for none."""
    infos = card.get('dataset_info')
    for info in infos if isinstance(infos, list) else [infos]:
        if not isinstance(info, dict) or config_name(info) != split.subset:
            continue
        splits = info.get('splits')
        for one in splits if isinstance(splits, list) else ():
            if isinstance(one, dict) and one.get('name') == split.name and isinstance(one.get('num_examples'), int):
                return one['num_examples']
    return -1


def _first_rows(plan: ReadPlan, split: Split, count: int, faults: list[str]) -> Iterator[dict]:
    left = count
    units = [u for chain in plan.chains for u in chain.units
             if (u.origin.subset, u.origin.split) == (split.subset, split.name)]
    for unit in units:
        rows = read_unit(unit)
        try:
            for item in rows:
                bad = item if isinstance(item, LostPart) else item[1] if isinstance(item[1], BadRow) else None
                if bad:
                    faults.append(f'{unit.origin.file}: {bad.error}: {bad.message}')
                    continue
                yield item[1]
                left -= 1
                if not left:
                    return
        except UnitFault as fault:
            faults.append(f'{unit.origin.file}: {fault.error}: {fault}')
        finally:
            rows.close()


def _columns(schema: pa.Schema) -> tuple[tuple[str, str], ...]:
    try:
        features = json.loads((schema.metadata or {}).get(b'huggingface', b'{}'))['info']['features']
    except (ValueError, KeyError, TypeError):
        features = {}
    return tuple((f.name, _kind(features.get(f.name), f.type)) for f in schema)


def _kind(feature: object, type_: pa.DataType) -> str:
    name = feature.get('_type') if isinstance(feature, dict) else None
    if name == 'ClassLabel' and isinstance(feature.get('names'), list):
        labels = [str(label) for label in feature['names']]
        more = f' and {len(labels) - _SHOWN_LABELS} more' if len(labels) > _SHOWN_LABELS else ''
        return f"class label ({', '.join(labels[:_SHOWN_LABELS])}{more})"
    return _KINDS.get(name) or str(type_)


def _columns_of(rows: list[dict]) -> tuple[tuple[str, str], ...]:
    """Columns as a few rows show them."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return tuple((name, _value_kind([row.get(name) for row in rows])) for name in names)


def _value_kind(values: list[object]) -> str:
    for value in values:
        if isinstance(value, dict) and set(value) == {'path', 'bytes'}:
            return 'file'
    try:
        return str(pa.array(values).type)
    except (pa.ArrowException, OverflowError):
        return ', '.join(sorted({type(v).__name__ for v in values}))
