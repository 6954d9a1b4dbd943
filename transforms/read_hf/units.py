"""Units of work: a file, or a range of one where its format lets several workers share it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from transforms.files import storage
from transforms.files.decompress import compression_of
from transforms.files.storage import FileInfo
from transforms.read_hf.data_files import Split
from transforms.read_hf.json_kind import HEAD_BYTES, json_kind
from transforms.read_hf.layouts import Layout, layout_of
from transforms.read_hf.streams import other_encoding

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
    """Bytes [start, end) of one file: what begins in it is read by this unit.

    Attributes:
        origin: of its records.
        root: pinned root that `file.path` is relative to.
        file: the file.
        layout: its format.
        start: first byte.
        end: behind the last one; the file's size for a whole file.
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

    @property
    def path(self) -> str:
        """Root and relative path; the relative one alone for a member of an archive."""
        return storage.join(self.root, self.file.path) if self.root else self.file.path

    @property
    def is_first(self) -> bool:
        """Whether it begins its file."""
        return self.start == 0


@dataclass(frozen=True)
class UnitChain:
    """Units to read one after the other, until `limit` records are read (0: all)."""

    units: tuple[ReadUnit, ...]
    limit: int = 0


def plan_units(split: Split, root: str, source: str, revision: str, columns: tuple[str, ...] = (), limit: int = 0,
               split_bytes: int = SPLIT_BYTES, schema: bytes = b'') -> list[UnitChain]:
    """The units of a split in order. With a limit they are one chain, read in order only as far as is needed."""
    units = []
    whole = 1 << 62 if other_encoding(dict(split.params)) else 0  # line ends cannot be found in its bytes
    for file in split.files:
        layout = layout_of(file.path)
        origin = Origin(source, revision, split.subset, split.name, file.path)
        for start, end in _ranges(root, file, layout, whole or split_bytes):
            units.append(ReadUnit(origin, root, file, layout, start, end, columns, schema, split.params,
                                  limited=bool(limit)))
    if limit:
        return [UnitChain(tuple(units), limit)] if units else []
    return [UnitChain((unit,)) for unit in units]


def _ranges(root: str, file: FileInfo, layout: Layout, split_bytes: int) -> Iterator[tuple[int, int]]:
    parts = max(1, -(-file.size // split_bytes)) if layout.is_splittable and _is_shared(root, file, layout) else 1
    for part in range(parts):
        yield part * split_bytes, file.size if part == parts - 1 else (part + 1) * split_bytes


def _is_shared(root: str, file: FileInfo, layout: Layout) -> bool:
    """Whether a large file can really be cut: a gzip of one member cannot, a .json that is one list neither."""
    if file.size <= SPLIT_BYTES // 8:
        return False
    if layout.format in ('json', 'text') and not layout.compression:
        with storage.open_info(root, file) as source:
            head = source.read(HEAD_BYTES)
        return not compression_of(head) and (layout.format == 'text' or json_kind(file.path, head) == 'lines')
    if layout.compression == 'gz':
        from transforms.read_hf.gz_members import first_member_ends_within

        with storage.open_info(root, file) as source:
            return first_member_ends_within(source, _GZ_PROBE)
    return True
