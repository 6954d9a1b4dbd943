"""Units of work: a file, or a range of one where its format lets several workers share it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import BinaryIO

from transforms.files import storage
from transforms.files.decompress import compression_of
from transforms.files.parquet import RowGroup
from transforms.files.storage import FileInfo
from transforms.read_hf.data_files import Split
from transforms.read_hf.json_kind import HEAD_BYTES, json_kind
from transforms.read_hf.layouts import Layout, layout_of
from transforms.read_hf.rows import UnitFault
from transforms.read_hf.streams import open_stream, other_encoding
from transforms.run.source import PART_ROWS

SPLIT_BYTES = 64 << 20
_GZ_PROBE = 4 << 20


@dataclass(frozen=True)
class Origin:
    """Where records come from; with the row number it is a record's identity.

    Attributes:
        source: the input as given.
        revision: the Hub commit, '' for files.
        subset, split: as the dataset names them.
        file: path relative to the source.
        number: of the source in the plan of a run.
        part: of the accounts, to which the records of this unit belong.
    """

    source: str
    revision: str
    subset: str
    split: str
    file: str
    number: int = 0
    part: int = 0


@dataclass(frozen=True)
class ReadUnit:
    """Bytes [start, end) of one file, or rows by number: what begins in it is read by this unit.

    Attributes:
        origin: of its records.
        root: pinned root that `file.path` is relative to.
        file: the file.
        layout: its format.
        start: first byte.
        end: behind the last one; the file's size for a whole file. With `rows` both are estimates of where these lie.
        block: number of the block of whole lines that holds it, where a step inflates the file before; -1 where none does.
        rows: numbers [first, end) of the rows, where a footer tells how many there are; None for all that begin in the bytes.
        columns: to read; () for all.
        schema: serialized Arrow schema that JSON values are conformed to, b'' for none.
        params: of the format, such as a CSV's `sep`.
        limited: perhaps only its first rows are wanted, so little is read ahead.
    """

    origin: Origin
    root: str
    file: FileInfo
    layout: Layout
    start: int
    end: int
    columns: tuple[str, ...] = ()
    schema: bytes = b''
    params: tuple[tuple[str, object], ...] = ()
    limited: bool = False
    rows: tuple[int, int] | None = None
    block: int = -1

    @property
    def path(self) -> str:
        """Root and relative path; the relative one alone for a member of an archive."""
        return storage.join(self.root, self.file.path) if self.root else self.file.path

    @property
    def is_first(self) -> bool:
        """Whether it begins its file."""
        return self.start == 0

    @property
    def bytes(self) -> int:
        """Of the file that it reads; 0 for references to images or sounds, which are not opened."""
        return 0 if self.layout.format in ('image', 'audio') else self.end - self.start

    @property
    def row_count(self) -> int | None:
        """How many rows it has, None when only reading tells."""
        if self.layout.format in ('image', 'audio'):
            return self.end - self.start
        return self.rows[1] - self.rows[0] if self.rows else None

    @property
    def label(self) -> str:
        """What of the file it is, for people."""
        if self.end - self.start == self.file.size or self.block >= 0:
            return 'whole file'
        return f'rows {self.rows[0]} to {self.rows[1] - 1}' if self.rows else f'bytes {self.start} to {self.end}'


@dataclass(frozen=True)
class UnitChain:
    """Units to read one after the other, until `limit` records are read (0: all)."""

    units: tuple[ReadUnit, ...]
    limit: int = 0

    @property
    def bytes(self) -> int:
        """Of the files, or ranges of files, that its units read."""
        return sum(unit.bytes for unit in self.units)


def plan_units(split: Split, root: str, source: str, revision: str, columns: tuple[str, ...] = (), limit: int = 0,
               split_bytes: int = SPLIT_BYTES, inflates_from: int = 0, schema: bytes = b'',
               row_groups: Mapping[str, tuple[RowGroup, ...]] = MappingProxyType({})) -> list[UnitChain]:
    """The units of a split in order.

    Where `row_groups` (by path) tell how many rows a file has, its units are rows by number. With a limit there are no more
    of them than it takes; where nothing tells, they are one chain, read in order only as far as is needed. Compressed lines of more
    than `inflates_from` bytes, if it is not 0, are inflated by a step before, for no range can be read of them otherwise.
    """
    params = dict(split.params)
    whole = 1 << 62 if other_encoding(params) else 0  # line ends cannot be found in its bytes
    units: list[ReadUnit] = []
    left = limit
    for file in split.files:
        layout, groups = layout_of(file.path), row_groups.get(file.path, ())
        origin = Origin(source, revision, split.subset, split.name, file.path)
        if groups:
            cuts = ((*cut, -1) for cut in _row_ranges(file.size, groups, split_bytes))
        else:
            cuts = _ranges(root, file, layout, whole or split_bytes, 0 if limit else inflates_from)
        for start, end, rows, block in cuts:
            if limit and left > 0 and rows:
                rows = rows[0], min(rows[1], rows[0] + left)
                left -= rows[1] - rows[0]
            units.append(ReadUnit(origin, root, file, layout, start, end, columns, schema, split.params,
                                  limited=bool(limit), rows=rows, block=block))
            if limit and left <= 0 and all(unit.rows for unit in units):
                return [UnitChain((unit,)) for unit in units]
    if limit and not (units and all(unit.rows for unit in units)):
        return [UnitChain(tuple(replace(unit, rows=None) if unit.rows else unit for unit in units), limit)] if units else []
    return [UnitChain((unit,)) for unit in units]


def _row_ranges(size: int, groups: tuple[RowGroup, ...], split_bytes: int) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """(first byte, last, rows) of ranges of whole row groups, which have at most `split_bytes` and `PART_ROWS`."""
    total = sum(group.bytes for group in groups) or 1
    first = row = start = at = 0
    for number, group in enumerate(groups):
        row, at = row + group.rows, at + group.bytes
        following = groups[number + 1] if number + 1 < len(groups) else None
        if following is None:
            yield start * size // total, size, (first, row)
        elif (at + following.bytes - start) * size // total > split_bytes or row + following.rows - first > PART_ROWS:
            yield start * size // total, at * size // total, (first, row)
            first, start = row, at


def _ranges(root: str, file: FileInfo, layout: Layout, split_bytes: int, inflates_from: int) -> Iterator[tuple[int, int, None, int]]:
    """(first byte, last, no rows, block) of the ranges of a file."""
    is_large = file.size > split_bytes
    is_shared = is_large and layout.is_splittable and _can_be_cut(root, file, layout)
    is_inflated = is_large and 0 < inflates_from < file.size and not is_shared and _has_packed_lines(root, file, layout)
    pieces = -(-file.size // split_bytes) if is_shared or is_inflated else 1
    for piece in range(pieces):
        yield piece * split_bytes, file.size if piece == pieces - 1 else (piece + 1) * split_bytes, None, piece if is_inflated else -1


def uncut(units: Iterable[ReadUnit]) -> list[ReadUnit]:
    """The units, but for each file that a step would inflate one that reads all of it as it is."""
    return [replace(unit, end=unit.file.size, block=-1) if unit.block == 0 else unit for unit in units if unit.block <= 0]


def _can_be_cut(root: str, file: FileInfo, layout: Layout) -> bool:
    """Whether a file can really be cut: a gzip of one member cannot, a .json that is one list neither."""
    if layout.format in ('json', 'text') and not layout.compression:
        with storage.open_info(root, file) as source:
            head = source.read(HEAD_BYTES)
        return not compression_of(head) and (layout.format == 'text' or json_kind(file.path, head) == 'lines')
    if layout.compression == 'gz':
        from transforms.read_hf.gz_members import first_member_ends_within

        with storage.open_info(root, file) as source:
            return first_member_ends_within(source, _GZ_PROBE) and _has_packed_lines(root, file, layout)
    return True


def _has_packed_lines(root: str, file: FileInfo, layout: Layout) -> bool:
    """Whether a compressed file is text or JSON lines."""
    if not layout.compression or layout.format not in ('json', 'text'):
        return False
    if layout.format == 'text':
        return True
    with storage.open_info(root, file) as source:
        return json_kind(file.path, _head(source)) == 'lines'


def _head(source: BinaryIO) -> bytes:
    try:
        return open_stream(source).read(HEAD_BYTES)
    except UnitFault:  # reading reports it
        return b''
