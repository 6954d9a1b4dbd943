"""The columns of JSON and their types, from as much of a stream as is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import msgspec
import pyarrow as pa

from transforms.files.json_values import BOM, JsonError, iter_items, iter_texts
from transforms.read_hf.kinds import family, merged, parse_time

_BLOCK = 8 << 20
_TIME_TYPE, _ZONED = pa.timestamp('s'), pa.timestamp('s', tz='UTC')
# An object has no fields here: records are dicts, of whatever keys. Who writes a Parquet finds the fields by looking at the records
# that were read (shards/column_types.py).
_TEXT, _OBJECT = pa.string(), pa.struct([])
# Stands for values that have no type with others: lists that mix types or are very deep, integers of more than 64 bits.
# Nothing in JSON is a decimal, so it merges with no other type.
_MIXED = pa.decimal256(76)
# Integers that floats hold exactly, and larger ones, which are of one type with integers and not with floats.
_INTEGER, _LARGE, _EXACT, _TOO_LARGE, _MAX_DEPTH = pa.int64(), pa.uint64(), 1 << 53, 1 << 63, 32
_SCALARS = {type(None): pa.null(), bool: pa.bool_(), int: _INTEGER, float: pa.float64()}
_decode = msgspec.json.Decoder().decode


class JsonTypes:
    """Types by column, put together from many objects; a column that mixes types has type null and stays so."""

    def __init__(self) -> None:
        self._types: dict[str, pa.DataType] = {}
        self._mixed: set[str] = set()

    def schema(self) -> pa.Schema:
        """The Arrow schema of all values so far, columns in the order in which they came."""
        return pa.schema([(name, pa.null() if name in self._mixed else _open(kind)) for name, kind in self._types.items()])

    def add(self, name: str, kind: pa.DataType) -> None:
        """Takes one more type of a column into account."""
        before = self._types.setdefault(name, kind)
        if name in self._mixed or before is kind:
            return
        both = _with_times(before, kind)
        if both is None:
            self._mixed.add(name)
        else:
            self._types[name] = both

    def add_lines(self, lines: bytes) -> None:
        """Takes whole lines of JSON into account; those that are no objects are passed over."""
        for line in lines.split(b'\n'):
            try:
                self.add_value(_decode(line))
            except (ValueError, RecursionError):
                self._add_irregular(line)

    def _add_irregular(self, line: bytes) -> None:
        try:
            for item in iter_texts(line):
                if not item.error:
                    self.add_value(item.value)
        except JsonError:
            return  # reading reports it

    def add_value(self, value: object) -> None:
        """Widens the types by one record's values."""
        if isinstance(value, str):
            value = {'text': value}
        if isinstance(value, dict):
            for name, inner in value.items():
                try:
                    self.add(name, _kind(inner))
                except RecursionError:  # lists within lists, too deep to have a type
                    self._types.setdefault(name, pa.null())
                    self._mixed.add(name)


def _with_times(one: pa.DataType, two: pa.DataType) -> pa.DataType | None:
    if one is two:
        return one
    families = {family(one), family(two)}
    if families in ({'time', 'str'}, {'time with zone', 'str'}, {'time', 'time with zone'}):
        return pa.string()
    if _LARGE in (one, two):
        return {'int': _LARGE, 'null': _LARGE}.get(family(two if one == _LARGE else one))
    if families == {'list'}:
        inner = _with_times(one.value_type, two.value_type)
        return _list_of(_MIXED if inner is None else inner)
    return merged(one, two)


def _open(kind: pa.DataType) -> pa.DataType:
    """The type with null, for any, in the place of what is mixed."""
    if kind in (_MIXED, _LARGE):
        return pa.null() if kind == _MIXED else _INTEGER
    return _list_of(_open(kind.value_type)) if family(kind) == 'list' else kind


def _kind(value: object, depth: int = 0) -> pa.DataType:
    if (kind := _SCALARS.get(type(value))) is not None:
        if kind is not _INTEGER or -_EXACT <= value <= _EXACT:
            return kind
        return _LARGE if -_TOO_LARGE <= value < _TOO_LARGE else _MIXED
    if isinstance(value, str):
        time = parse_time(value) if value[4:5] == '-' else None
        return _TEXT if time is None else _ZONED if time.tzinfo else _TIME_TYPE
    if isinstance(value, dict):
        return _OBJECT
    if depth > _MAX_DEPTH:
        return _MIXED
    inner: pa.DataType | None = pa.null()
    for one in value:
        inner = _with_times(inner, _kind(one, depth + 1))
        if inner is None:
            break
    return _list_of(_MIXED if inner is None else inner)


_list_of = cache(pa.list_)


def add_stream(types: JsonTypes, read: Callable[[int], bytes], kind: str, size: int, item_limit: int) -> bool:
    """Looks at the first `size` bytes of JSON of a kind (see `json_kind`); True when that was all.

    Raises:
        UnitFault: the stream is damaged; reading reports it too.
    """
    if kind == 'lines':
        return _add_lines(types, read, size, item_limit)
    seen = [0]

    def counted(wanted: int) -> bytes:
        data = read(wanted) if seen[0] < size else b''
        seen[0] += len(data)
        return data

    try:
        for item in iter_items(counted, item_limit):
            if not item.error:
                types.add_value(item.value)
    except JsonError:
        return False  # cut by `size`, or damaged: reading reports it
    return seen[0] < size


def _add_lines(types: JsonTypes, read: Callable[[int], bytes], size: int, limit: int) -> bool:
    for block, is_end in _blocks(read, size, limit):
        types.add_lines(block.removeprefix(BOM))
        if is_end:
            return True
    return False


def _blocks(read: Callable[[int], bytes], size: int, limit: int) -> Iterator[tuple[bytes, bool]]:
    """Whole lines of the first `size` bytes, some megabytes at a time, and whether they are the last.

    A line of more than `limit` bytes is left out.
    """
    tail, skipping = b'', False
    while size > 0:
        pieces, left = [tail], min(_BLOCK, size)
        while left > 0 and (data := read(left)):
            pieces.append(data)
            left -= len(data)
            size -= len(data)
        block, is_end = b''.join(pieces), left > 0
        if skipping:
            head = block.find(b'\n') + 1
            block, skipping = block[head:] if head else b'', not head
        cut = len(block) if is_end else block.rfind(b'\n') + 1
        tail = block[cut:]
        if len(tail) > limit:
            tail, skipping = b'', True
        if cut or is_end:
            yield block[:cut], is_end
        if is_end:
            return
