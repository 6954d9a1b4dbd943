"""Looking at files before they are sampled: the footers of Parquets, and the first rows of others."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from transforms.files.parquet import Footer
from transforms.files.parquet_footer import column_chunks
from transforms.files.storage import FileInfo
from transforms.read_hf.batches import check_names
from transforms.read_hf.layouts import layout_of
from transforms.read_hf.parquet_rows import read_footer
from transforms.read_hf.read_unit import open_unit, read_data
from transforms.read_hf.rows import DEFAULT_LIMITS, BadRow, UnitFault
from transforms.read_hf.units import Origin, ReadUnit
from transforms.text_mix.clean_document import field_at, text_of
from transforms.text_mix.sampling.looked import LookedAt

_HEAD_BYTES, _HEAD_ROWS, _KEYS = 1 << 20, 1_000, 50
_WALKED = 4  # row groups of a footer


@dataclass(frozen=True, eq=False)
class FileFrame:
    """What is known of one file.

    Attributes:
        info: path relative to the root, size, fingerprint.
        rows: how many it has, -1 where only reading tells.
        groups: rows of each of its row groups, int64; empty where it has none.
        sizes: about how many bytes the texts of each row group take in the file.
        has_text: whether it has the column of the texts; of one that has not no row is read.
    """

    info: FileInfo
    rows: int = -1
    groups: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    sizes: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    has_text: bool = True


def unit_of(root: str, file: FileInfo, columns: tuple[str, ...] = (), params: tuple = (), schema: bytes = b'', limited: bool = False) -> ReadUnit:
    """A file as one unit of reading."""
    layout = layout_of(file.path)
    columns = () if layout.format in ('webdataset', 'zip', 'tar', 'text') else columns
    return ReadUnit(Origin('', '', '', '', file.path), root, file, layout, 0, file.size, columns, schema, params, limited=limited)


def path_of(text_field: str, names: Collection[str]) -> tuple[str, ...]:
    """The keys of a text: a name with dots is a column of that name where there is one, else one within another."""
    return (text_field,) if text_field in names else tuple(text_field.split('.'))


def look_at_footer(root: str, info: FileInfo, text_field: str, looked: LookedAt) -> tuple[FileFrame, pa.Schema | None, str]:
    """(what a footer says, the schema, what is wrong); a file whose footer cannot be read stays uncounted, and reading reports it."""
    try:
        footer = footer_of(root, info, looked)
        schema, groups = footer.schema, footer.row_groups
        if not groups and footer.metadata.num_rows:
            return FileFrame(info), schema, ''
        check_names(schema.names)
        path = path_of(text_field, schema.names)
        sizes = _sizes(footer, path[0])
    except (UnitFault, ValueError, pa.ArrowException) as error:
        return FileFrame(info), None, str(error)
    rows = np.array([group.rows for group in groups], np.int64)
    return FileFrame(info, int(rows.sum()), rows, np.array(sizes, np.int64), _has_path(schema, path)), schema, ''


def _has_path(schema: pa.Schema, path: tuple[str, ...]) -> bool:
    """Whether a schema has a column, and fields of structs within it, along a path."""
    if path[0] not in schema.names:
        return False
    kind = schema.field(path[0]).type
    for name in path[1:]:
        if not pa.types.is_struct(kind) or kind.get_field_index(name) < 0:
            return False
        kind = kind.field(name).type
    return True


def _sizes(footer: Footer, column: str) -> list[int]:
    """About how many bytes of the file a column takes in each row group: in the first few as the footer says, in others by their share.

    Walking all column chunks would take ten times as long as all else that planning does.
    """
    walked = column_chunks(footer.raw, _WALKED)
    taken = [sum(chunk.end - chunk.start for chunk in chunks if chunk.column == column) for chunks in walked]
    share = sum(taken) / max(1, sum(group.bytes for group in footer.row_groups[:len(walked)]))
    return [*taken, *(round(group.bytes * share) for group in footer.row_groups[len(walked):])]


def footer_of(root: str, info: FileInfo, looked: LookedAt, opened: BinaryIO | None = None) -> Footer:
    """The footer of a Parquet, from what was kept of it where it is on the Hub.

    Raises:
        UnitFault: it cannot be read.
    """
    if (known := looked.get('footer', root, info)) is not None:
        return Footer(known)
    with open_unit(unit_of(root, info)) if opened is None else nullcontext(opened) as source:
        footer = read_footer(root, info, source, DEFAULT_LIMITS)
    looked.put(footer.raw, 'footer', root, info)
    return footer


@dataclass
class Head:
    """What the head of a file says.

    Attributes:
        rows: it has, in its first `bytes` bytes.
        records: those that were looked at, a thousand at most.
        keyed: how many of them have the field of the text, whatever is in it.
        texts: how many of them have a text, with `tokens` in all.
        keys: that they have.
        problem: of the first row that cannot be read.
    """

    rows: int = 0
    bytes: int = 0
    records: int = 0
    keyed: int = 0
    texts: int = 0
    tokens: int = 0
    keys: list[str] = field(default_factory=list)
    problem: str = ''

    @property
    def mean_tokens(self) -> float:
        """Of a text."""
        return self.tokens / max(1, self.texts)

    def look_at(self, values: dict, path: tuple[str, ...], tokens: Callable[[str], int] | None) -> None:
        """Counts a record."""
        self.records += 1
        self.keys = list(dict.fromkeys([*self.keys, *values]))[:_KEYS]
        within = field_at(values, path[:-1])
        self.keyed += isinstance(within, dict) and path[-1] in within
        try:
            text = text_of(field_at(values, path))
        except UnicodeDecodeError:
            return  # reading reports it
        if text is not None:
            self.texts += 1
            self.tokens += tokens(text) if tokens and text else 0


def read_head(unit: ReadUnit, path: tuple[str, ...], text_field: str, tokens: Callable[[str], int] | None, most: int) -> Head:
    """Rows of about the first MiB of a file, all of a smaller one, or the first `most`."""
    head, rows, last = Head(), 0, 0
    with open_unit(unit) as source:
        for item in read_data(unit, source, DEFAULT_LIMITS):
            if type(item) is not tuple or rows >= most:
                break
            if (at := source.tell()) != last:  # all that was read before is handed out
                head.rows, head.bytes = rows, last
                if last >= _HEAD_BYTES:
                    return head
                last = at
            rows += 1
            if type(item[1]) is BadRow:
                head.problem = head.problem or f'{item[1].error}: {item[1].message}'
            elif head.records < _HEAD_ROWS:
                head.look_at(item[1], path or path_of(text_field, item[1]), tokens)
    head.rows, head.bytes = rows, unit.file.size
    return head
