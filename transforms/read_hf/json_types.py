"""The columns of JSON and their types, from as much of a stream as is looked at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.json as paj

from transforms.files.json_values import BOM, JsonError, iter_items, loads_all
from transforms.read_hf.kinds import family, merged

_BLOCK = 8 << 20
# What pyarrow takes for a time, which is what `datasets` takes for one.
_TIME = re.compile(r'\d{4}-\d\d-\d\d([T ]\d\d(:\d\d(:\d\d(\.\d+)?)?)?(Z|[+-]\d\d(:?\d\d)?)?)?\Z')
_TIME_TYPE, _ZONED = pa.timestamp('s'), pa.timestamp('s', tz='UTC')


class JsonTypes:
    """Types by column, put together from many objects; a column that mixes types has type null and stays so."""

    def __init__(self) -> None:
        self._types: dict[str, pa.DataType] = {}
        self._mixed: set[str] = set()

    def schema(self) -> pa.Schema:
        """What was seen so far."""
        return pa.schema([(name, pa.null() if name in self._mixed else kind) for name, kind in self._types.items()])

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
        table = _by_arrow(lines)
        if table is None:
            for line in lines.split(b'\n'):
                try:
                    for value in loads_all(line):
                        self.add_value(value)
                except JsonError:
                    continue  # reading reports it
            return
        for field in table.schema:
            kind = field.type
            if pa.types.is_timestamp(kind):
                kind = _ZONED if _has_zone(field.name, lines) else _TIME_TYPE
            self.add(field.name, kind)

    def add_value(self, value: object) -> None:
        """Takes one record into account."""
        if isinstance(value, str):
            value = {'text': value}
        if isinstance(value, dict):
            for name, inner in value.items():
                self.add(name, _kind(inner))


def _with_times(one: pa.DataType, two: pa.DataType) -> pa.DataType | None:
    families = {family(one), family(two)}
    if families == {'time', 'time with zone'}:
        return _ZONED
    if families in ({'time', 'str'}, {'time with zone', 'str'}):
        return pa.string()
    if families == {'list'}:
        inner = _with_times(one.value_type, two.value_type)
        return pa.list_(pa.null() if inner is None else inner)
    return merged(one, two)


def _kind(value: object) -> pa.DataType:
    if value is None:
        return pa.null()
    for python, kind in ((bool, pa.bool_()), (int, pa.int64()), (float, pa.float64()), (dict, pa.struct([]))):
        if isinstance(value, python):
            return kind
    if isinstance(value, str):
        found = _TIME.match(value)
        return (_ZONED if found[5] else _TIME_TYPE) if found else pa.string()
    kinds = [_kind(v) for v in value]
    if not kinds:
        return pa.list_(pa.null())
    inner = kinds[0]
    for kind in kinds[1:]:
        inner = _with_times(inner, kind) if inner is not None else None
    return pa.list_(pa.null() if inner is None else inner)


def _by_arrow(lines: bytes) -> pa.Table | None:
    try:
        table = paj.read_json(pa.BufferReader(lines), read_options=paj.ReadOptions(block_size=max(1 << 20, len(lines))))
        return table if table.schema.names is not None else None  # names that are no UTF-8 raise here
    except (pa.ArrowException, ValueError, MemoryError):
        return None


def _has_zone(name: str, lines: bytes) -> bool:
    """Whether a text of this column ends with Z or an offset."""
    return re.search(b'"' + re.escape(name.encode()) + rb'"\s*:\s*"[^"]*(?:Z|[+-]\d\d:?(?:\d\d)?)"', lines) is not None


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
