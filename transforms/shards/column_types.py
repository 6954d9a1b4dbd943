"""One Arrow type for each column of a split, before its first shard is written: from what the plan knows, else from the records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from transforms.files import storage
from transforms.read_hf.folders import is_media
from transforms.read_hf.layouts import layout_of
from transforms.read_hf.plan import ReadPlan
from transforms.read_hf.read_unit import read_unit
from transforms.read_hf.rows import ReadLimits, UnitFault
from transforms.read_hf.schemas import (
    FEATURES,
    LOOK_HEAD,
    LOOK_REMOTE_FILES,
    LOOK_REMOTE_HEAD,
    LOOK_WHOLE,
    unpacked_bytes,
)
from transforms.read_hf.units import ReadUnit, uncut
from transforms.shards.shapes import shape_check

_BATCH = 1000
# A column of objects with more keys than this is a mapping, not a structure: each key would be a Parquet column. Deeper ones
# no reader takes.
_MAX_FIELDS, _MAX_DEPTH = 1000, 50
_HEADERS = frozenset({'parquet', 'arrow', 'avro'})


@dataclass(frozen=True)
class ColumnTypes:
    """The columns of a split.

    Attributes:
        schema: Arrow schema.
        json_columns: those that mix types, or have none that Parquet knows: written as JSON text.
        complete: whether every value was looked at, or a header vouches for it; else a later value that fits no type is refused.
    """

    schema: pa.Schema
    json_columns: frozenset[str] = frozenset()
    complete: bool = True


def column_types(plan: ReadPlan, number: int, limits: ReadLimits, look: Callable[[Iterable], Iterable] = iter) -> ColumnTypes:
    """The types of the columns of a source, which is a split.

    Args:
        plan: what is read.
        number: of the source in the run.
        limits: what one record may cost.
        look: wraps the units that are looked at, for a progress bar.
    """
    chains = [chain for chain in plan.chains if chain.units[0].origin.number == number]
    units, limit = uncut(unit for chain in chains for unit in chain.units), chains[0].limit if chains else 0
    split = next(split for split, source in zip(plan.splits, plan.sources, strict=True) if source.number == number)
    declared = pa.schema([]) if is_media(split) else _declared(units)
    from_headers = {layout_of(file.path).format for file in split.files} <= _HEADERS
    kinds = {f.name: _for_parquet(f.type, from_headers) for f in declared}
    if kinds and all(kind is not None for kind in kinds.values()):
        return ColumnTypes(pa.schema(list(kinds.items()), declared.metadata if from_headers else None), frozenset(), from_headers)
    columns = {name: _Column(kind) for name, kind in kinds.items()}
    complete = _look_at(units, limit, columns, limits, look)
    found = {name: column.kind(complete) for name, column in columns.items()}
    schema = pa.schema([(name, pa.string() if kind is None else kind) for name, kind in found.items()])
    return ColumnTypes(schema, frozenset(name for name, kind in found.items() if kind is None), complete)


def with_text(types: ColumnTypes, name: str) -> ColumnTypes:
    """The types where a column is text, whatever it was: lists and numbers became texts, as cleaning makes them."""
    if name not in types.schema.names:
        return types
    at = types.schema.get_field_index(name)
    kind = types.schema.field(at).type
    text = pa.large_string() if pa.types.is_large_string(kind) else pa.string()
    return replace(types, schema=types.schema.set(at, pa.field(name, text)), json_columns=types.json_columns - {name})


def _declared(units: Sequence[ReadUnit]) -> pa.Schema:
    """The plan's schema, only of the columns that are read."""
    schema = pa.ipc.read_schema(pa.BufferReader(units[0].schema)) if units and units[0].schema else pa.schema([])
    wanted = units[0].columns if units else ()
    fields = [schema.field(name) for name in wanted if name in schema.names] if wanted else list(schema)
    keeps = {key: value for key, value in (schema.metadata or {}).items() if key == FEATURES and value and not wanted}
    return pa.schema(fields, keeps or None)


def _for_parquet(kind: pa.DataType, is_exact: bool) -> pa.DataType | None:
    """The type to write values of a type as; None when it leaves something open, or Parquet has no form for it."""
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return pa.bool_() if kind.extension_name == 'arrow.bool8' else _for_parquet(kind.storage_type, is_exact)
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return _for_parquet(kind.value_type, is_exact)
    if types.is_null(kind) or not _can_be_written(kind):
        return None
    if types.is_timestamp(kind) and not is_exact:
        return pa.timestamp('us', kind.tz)  # JSON and CSV have times of microseconds
    if types.is_struct(kind):
        inner = [(f.name, _for_parquet(f.type, is_exact)) for f in kind]
        return pa.struct(inner) if inner and all(t is not None for _, t in inner) else None
    if types.is_map(kind):
        inner = [_for_parquet(one, is_exact) for one in (kind.key_type, kind.item_type)]
        return pa.map_(*inner) if all(one is not None for one in inner) else None
    if _is_list(kind):
        # Also of fixed size, for pyarrow cannot read those back when one is None, and views, which `datasets` has no type for.
        inner = _for_parquet(kind.value_type, is_exact)
        if inner is None or (not is_exact and types.is_temporal(inner)):
            return None  # of JSON, the texts in a list stay texts
        return pa.large_list(inner) if types.is_large_list(kind) else pa.list_(inner)
    return kind


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return any(test(kind) for test in (types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_list_view,
                                       types.is_large_list_view))


def _look_at(units: Sequence[ReadUnit], limit: int, columns: dict[str, _Column], limits: ReadLimits,
             look: Callable[[Iterable], Iterable]) -> bool:
    """Widens the types by the records; whether all were looked at."""
    is_local = all(storage.is_local(unit.path) for unit in units)
    whole = is_local and sum(unpacked_bytes(unit.layout, unit.bytes) for unit in units) <= LOOK_WHOLE
    step = 1 if is_local or not units else -(-len(units) // LOOK_REMOTE_FILES)
    complete, left = whole and step == 1, limit or -1
    for unit in look(units[::step]):
        budget = unit.bytes + 1 if whole else LOOK_HEAD if is_local else LOOK_REMOTE_HEAD
        for rows in _batches(unit, limits, budget):
            rows = rows if left < 0 else rows[:left]
            left -= len(rows) if left >= 0 else 0
            for name in {name: None for row in rows for name in row}:
                columns.setdefault(name, _Column(None)).add([row.get(name) for row in rows])
            if left == 0:
                return complete
    return complete


def _batches(unit: ReadUnit, limits: ReadLimits, budget: int) -> Iterator[list[dict]]:
    """The records of a unit as far as `budget` bytes of it go; what cannot be read is passed over, for reading reports it."""
    done, rows = [0], []
    stream = read_unit(unit, limits, lambda size: done.append(done.pop() + size))
    try:
        for item in stream:
            if type(item) is tuple and type(item[1]) is dict:
                rows.append(item[1])
            if len(rows) >= _BATCH or done[0] >= budget:
                yield rows
                rows = []
            if done[0] >= budget:
                break
    except UnitFault:
        pass
    finally:
        stream.close()
    yield rows


@dataclass
class _Column:
    """What is known of a column: a settled type, or what its values had so far."""

    settled: pa.DataType | None
    seen: pa.DataType = field(default_factory=pa.null)
    is_mixed: bool = False

    def add(self, values: list) -> None:
        if self.settled is not None or self.is_mixed:
            return
        try:
            array = pa.array(values)
            check = shape_check(array.type)
            if any(check(value) for value in values if value is not None):
                raise TypeError('Arrow would bend a value')
            self.seen = _unified(self.seen, _narrowed(array))
            self.is_mixed = _fields(self.seen) > _MAX_FIELDS or _depth(self.seen) > _MAX_DEPTH
        except (pa.ArrowException, ValueError, TypeError, OverflowError, RecursionError):
            self.is_mixed = True

    def kind(self, complete: bool) -> pa.DataType | None:
        """The type to write, None for JSON text."""
        if self.settled is not None:
            return self.settled
        if self.is_mixed or not _can_be_written(self.seen) or (not complete and pa.types.is_null(self.seen)):
            return None
        seen = _mapped(self.seen, _SMALL, pa.int64())
        # Texts where only None was seen, as the paths of images that have none at first.
        return seen if complete else _mapped(seen, pa.null(), pa.string())


def _inner(kind: pa.DataType) -> list[pa.DataType]:
    return [kind.field(i).type for i in range(kind.num_fields)]


# Stands for integers that floats hold exactly, so that a column of them and of floats can be one of floats.
_SMALL, _EXACT = pa.int32(), 1 << 53


def _narrowed(array: pa.Array) -> pa.DataType:
    """The type of an array made of Python's values, with `_SMALL` where all integers are."""
    kind = array.type
    if pa.types.is_struct(kind):
        return pa.struct([(f.name, _narrowed(array.field(i))) for i, f in enumerate(kind)])
    if pa.types.is_list(kind):
        return pa.list_(_narrowed(array.flatten()))
    if kind != pa.int64():
        return kind
    bounds = pc.min_max(array).as_py()
    return _SMALL if bounds['min'] is None or (-_EXACT <= bounds['min'] and bounds['max'] <= _EXACT) else kind


def _unified(one: pa.DataType, two: pa.DataType) -> pa.DataType:
    """One type for the values of both.

    Raises:
        TypeError: there is none, such as for floats and integers that no float holds; or pa.ArrowException.
    """
    if one == two or pa.types.is_null(two):
        return one
    if pa.types.is_null(one):
        return two
    if pa.types.is_struct(one) and pa.types.is_struct(two):
        kinds = {f.name: f.type for f in one}
        for f in two:
            kinds[f.name] = _unified(kinds[f.name], f.type) if f.name in kinds else f.type
        return pa.struct(list(kinds.items()))
    if pa.types.is_list(one) and pa.types.is_list(two):
        return pa.list_(_unified(one.value_type, two.value_type))
    if {one, two} in ({_SMALL, pa.int64()}, {_SMALL, pa.float64()}):
        return pa.int64() if pa.int64() in (one, two) else pa.float64()
    if pa.types.is_decimal(one) and pa.types.is_decimal(two):
        return pa.unify_schemas([pa.schema([('', one)]), pa.schema([('', two)])], promote_options='permissive').field(0).type
    raise TypeError(f'{one} and {two} are no one type')


def _mapped(kind: pa.DataType, before: pa.DataType, after: pa.DataType) -> pa.DataType:
    """The type with `after` wherever it has `before`."""
    if pa.types.is_struct(kind):
        return pa.struct([(f.name, _mapped(f.type, before, after)) for f in kind])
    if pa.types.is_list(kind):
        return pa.list_(_mapped(kind.value_type, before, after))
    return after if kind == before else kind


def _fields(kind: pa.DataType) -> int:
    return sum(map(_fields, _inner(kind))) if kind.num_fields else 1


def _depth(kind: pa.DataType) -> int:
    return 1 + max(map(_depth, _inner(kind)), default=0)


def _can_be_written(kind: pa.DataType) -> bool:
    """Whether Parquet has a form for a type that Python's values fit: not for empty structs, unions, intervals."""
    if isinstance(kind, pa.BaseExtensionType):
        return False
    try:
        pq.ParquetWriter(pa.BufferOutputStream(), pa.schema([('', kind)])).close()
    except (pa.ArrowException, ValueError, OSError, NotImplementedError):
        return False
    return True
