"""Frames: the rows that an entry of a mixture may give, known from footers and heads of files, before any of it is read."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import numpy as np
import orjson
import pyarrow as pa

from transforms.files import storage
from transforms.files.parquet import Footer
from transforms.files.parquet_footer import column_chunks
from transforms.files.storage import FileInfo
from transforms.hub.errors import HubDenied, HubMissing
from transforms.read_hf.batches import check_names
from transforms.read_hf.card import DatasetError
from transforms.read_hf.data_files import Dataset, Split, find_dataset
from transforms.read_hf.folders import is_media
from transforms.read_hf.layouts import layout_of
from transforms.read_hf.parquet_rows import read_footer
from transforms.read_hf.plan import resolve
from transforms.read_hf.read_unit import open_unit, read_data
from transforms.read_hf.rows import DEFAULT_LIMITS, BadRow, UnitFault
from transforms.read_hf.schemas import is_json, split_types
from transforms.read_hf.units import Origin, ReadUnit
from transforms.text.config.model import Entry
from transforms.text_mix.clean_document import field_at, text_of
from transforms.text_mix.sampling.looked import LookedAt

_AT_ONCE = 16
_PILOT_FILES, _PILOT_BYTES, _PILOT_ROWS = 4, 1 << 20, 1_000
_KEYS = 50
_MORE_FILES = 64  # that are looked at where no row of the first few has a text
_WALKED = 4  # row groups of a footer
_HUB = 'hf://'


class Unavailable(Exception):
    """An entry cannot be read; the message says why and what to do."""


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


@dataclass(frozen=True, eq=False)
class Frame:
    """The rows of one entry, in the order of its files.

    Attributes:
        address: of the dataset, as a user would give it.
        root: pinned.
        revision: Hub commit, '' for files.
        subset, split: as the dataset names them.
        files: of the split.
        params: of their format.
        schema: serialized, of formats that need one.
        path: of a record's text, keys.
        rows: how many there are; an estimate unless `is_known`.
        is_counted: whether footers tell the rows of every file.
        is_known: the same, or all files were small enough to be read for it.
        left_out: data files of the dataset that are in none of its splits, by format.
        mean_tokens: of a text, by a few of them; 0 where no tokens are asked for.
    """

    address: str
    root: str
    revision: str
    subset: str
    split: str
    files: tuple[FileFrame, ...]
    params: tuple[tuple[str, object], ...] = ()
    schema: bytes = b''
    path: tuple[str, ...] = ('text',)
    rows: int = 0
    is_counted: bool = False
    is_known: bool = False
    left_out: tuple[tuple[str, int], ...] = ()
    mean_tokens: float = 0.0

    @property
    def column_names(self) -> list[str]:
        """Of the schema, where the format has one."""
        return pa.ipc.read_schema(pa.BufferReader(self.schema)).names if self.schema else []

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.info.size for file in self.files)

    @property
    def is_remote(self) -> bool:
        """Whether reading is downloading."""
        return not storage.is_local(self.root)


def unit_of(root: str, file: FileInfo, columns: tuple[str, ...] = (), params: tuple = (), schema: bytes = b'', limited: bool = False) -> ReadUnit:
    """A file as one unit of reading."""
    layout = layout_of(file.path)
    columns = () if layout.format in ('webdataset', 'zip', 'tar', 'text') else columns
    return ReadUnit(Origin('', '', '', '', file.path), root, file, layout, 0, file.size, columns, schema, params, limited=limited)


class FrameFinder:
    """Finds the frames of a mixture's entries; what several of them share is looked at once.

    Args:
        base: folder that relative names, such as ./mine, are relative to.
        tokens: how many tokens a text has, where quotas are in tokens.
        tokenizer: names what counts them.
        looked: keeps what is read of files.
    """

    def __init__(self, base: str, tokens: Callable[[str], int] | None = None, tokenizer: str = '', looked: LookedAt | None = None) -> None:
        self._base, self._tokens, self._tokenizer, self._looked = base, tokens, tokenizer, looked or LookedAt()
        self._datasets: dict[str, Dataset] = {}

    def address_of(self, entry: Entry) -> str:
        """Where the dataset of an entry is: a path for ./mine, ../mine and /mine, an address as it is, else a dataset of the Hub."""
        name = entry.name
        if name.startswith(('./', '../')) or name in ('.', '..'):
            path = storage.join(self._base, name)
            return os.path.normpath(path) if storage.is_local(path) else path
        return name if name.startswith('/') or '://' in name else f'{_HUB}datasets/{name}'

    def find(self, entry: Entry) -> Frame:
        """The rows that an entry may give.

        Raises:
            Unavailable: it is missing or gated, has no such configuration or split, or no text.
            HubDown: the Hub does not answer.
        """
        address = self.address_of(entry)
        try:
            split, dataset = self._split(entry, address)
            if is_media(split):
                raise Unavailable('it holds images or sounds, no text')
            return self._frame(entry, address, dataset, split)
        except UnitFault as fault:
            raise Unavailable(f'{fault.error}: {fault.message}') from None
        except (DatasetError, HubMissing, HubDenied, FileNotFoundError, PermissionError, ValueError) as error:
            raise Unavailable(str(error)) from None

    def _dataset(self, root: str) -> Dataset:
        if root not in self._datasets:
            self._datasets[root] = find_dataset(root)
        return self._datasets[root]

    def _split(self, entry: Entry, address: str) -> tuple[Split, Dataset]:
        dataset = self._dataset(resolve(address))
        names = list(dict.fromkeys(split.subset for split in dataset.splits))
        wanted = entry.config or entry.subset or ''
        if not wanted and len(names) > 1:
            try:
                return _joined(dataset.choose('', entry.split), entry.split), dataset
            except DatasetError as error:
                if 'several subsets' not in str(error):
                    raise
                raise DatasetError(f"it has several configurations, choose one with config: {', '.join(names[:12])}"
                                   f"{f' and {len(names) - 12} more' if names[12:] else ''}") from None
        if wanted and wanted not in names and not entry.config and self._has_folder(dataset, wanted):
            dataset = self._dataset(storage.join(dataset.root, wanted))
            wanted = ''
        if wanted and wanted not in names:
            close = difflib.get_close_matches(wanted, names, 1, 0.5)
            raise DatasetError(f"it has no configuration {wanted}; {f'did you mean {close[0]}?' if close else 'it has ' + ', '.join(names[:12])}")
        return _joined(dataset.choose(wanted, entry.split), entry.split), dataset

    @staticmethod
    def _has_folder(dataset: Dataset, folder: str) -> bool:
        return any(file.path.startswith(f'{folder}/') for split in dataset.splits for file in split.files)

    def _frame(self, entry: Entry, address: str, dataset: Dataset, split: Split) -> Frame:
        formats = {layout_of(file.path).format for file in split.files}
        frame = Frame(address, dataset.root, storage.revision_of(dataset.root), split.subset, split.name, tuple(map(FileFrame, split.files)), split.params,
                      left_out=dataset.left_out)
        if formats == {'parquet'}:
            return self._with_footers(frame, entry.text_field)
        if not is_json(split):
            schema = split_types(dataset.root, split, dataset.card, DEFAULT_LIMITS, heads_only=True).schema
            frame = replace(frame, schema=schema.serialize().to_pybytes() if schema.names else b'')
        return self._with_pilots(frame, entry.text_field)

    def _with_footers(self, frame: Frame, text_field: str) -> Frame:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            looked = list(pool.map(lambda file: _look_at_footer(frame.root, file.info, text_field, self._looked), frame.files))
        files = tuple(file for file, _, _ in looked)
        if files and all(faults := [fault for _, _, fault in looked]):
            raise Unavailable(f'none of its files can be read: {files[0].info.path}: {faults[0]}')
        looked = [(file, schema) for file, schema, _ in looked]
        names = next((schema.names for _, schema in looked if schema is not None), [])
        if files and not any(file.has_text for file in files):
            raise Unavailable(_no_text(text_field, names))
        path = path_of(text_field, [name for _, schema in looked if schema is not None for name in schema.names])
        is_counted = all(file.rows >= 0 for file in files)
        frame = replace(frame, files=files, path=path, is_counted=is_counted, is_known=is_counted, rows=sum(max(0, file.rows) for file in files))
        if not is_counted:
            known = [file for file in files if file.rows >= 0]
            per_byte = sum(file.rows for file in known) / max(1, sum(file.info.size for file in known))
            frame = replace(frame, rows=int(per_byte * frame.bytes) + 1)
        first = next((file for file in files if file.rows > 0 and file.has_text), None) if self._tokens else None
        return frame if first is None else replace(frame, mean_tokens=self._head(frame, first.info, path, path[:1]).mean_tokens)

    def _with_pilots(self, frame: Frame, text_field: str) -> Frame:
        step = max(1, -(-len(frame.files) // _PILOT_FILES))
        first = frame.files[::step]
        heads = self._heads(frame, first, text_field)
        if any(head.rows for head in heads) and not any(head.keyed for head in heads):
            # Rows that have no text may lie together: so more is looked at before the entry is refused.
            others = [file for file in frame.files if file not in first]
            heads += self._heads(frame, others[::max(1, -(-len(others) // _MORE_FILES))], text_field)
            if not any(head.records for head in heads):
                raise Unavailable(f'none of the {sum(head.rows for head in heads):,} rows that were looked at can be read: {heads[0].problem}')
            if not any(head.keyed for head in heads):
                raise Unavailable(_no_text(text_field, sorted({key for head in heads for key in head.keys})))
        rows, size = sum(head.rows for head in heads), sum(head.bytes for head in heads)
        is_known = size >= frame.bytes
        return replace(frame, path=path_of(text_field, [key for head in heads for key in head.keys]), is_known=is_known,
                       rows=rows if is_known else round(rows * frame.bytes / size) if size else 0,
                       mean_tokens=sum(head.tokens for head in heads) / max(1, sum(head.texts for head in heads)))

    def _heads(self, frame: Frame, files: Sequence[FileFrame], text_field: str) -> list[_Head]:
        heads, faults = [], []
        for file in files:
            is_open = layout_of(file.info.path).format in ('json', 'arrow', 'avro')  # then a hint can name all columns
            names = frame.column_names
            path = path_of(text_field, names)
            try:
                heads.append(self._head(frame, file.info, () if is_open else path, () if is_open else path[:1], text_field))
            except UnitFault as fault:
                if fault.error == 'ColumnMissing':
                    raise Unavailable(f'{fault.message}: name the one that holds the text with text_field:') from None
                faults.append(f'{file.info.path}: {fault.error}: {fault.message}')  # reading reports it
        if faults and not heads and len(faults) == len(frame.files):
            raise Unavailable(f'none of its files can be read: {faults[0]}')
        return heads

    def _head(self, frame: Frame, file: FileInfo, path: tuple[str, ...], columns: tuple[str, ...], text_field: str = '') -> _Head:
        more = ('.'.join(path), text_field, self._tokenizer if self._tokens else 'rows')
        if (known := self._looked.get('head', frame.root, file, *more)) is not None:
            return _Head(**orjson.loads(known))
        is_parquet = layout_of(file.path).format == 'parquet'
        unit = unit_of(frame.root, file, columns, frame.params, frame.schema, limited=is_parquet)
        head = _read_head(unit, path, text_field, self._tokens, _PILOT_ROWS if is_parquet else 1 << 62)
        self._looked.put(orjson.dumps(head), 'head', frame.root, file, *more)
        return head


def path_of(text_field: str, names: Collection[str]) -> tuple[str, ...]:
    """The keys of a text: a name with dots is a column of that name where there is one, else one within another."""
    return (text_field,) if text_field in names else tuple(text_field.split('.'))


def _no_text(text_field: str, names: Sequence[str]) -> str:
    has = f"; it has {', '.join(names[:20])}" if names else ''
    hint = '. Its rows hold ids only, whose texts are fetched elsewhere' if names and {'blob_id', 'swhid'} & set(names) else ''
    return f"it has no {text_field}{has}{hint}: name the column that holds the text with text_field:"


def _joined(splits: tuple[Split, ...], name: str) -> Split:
    """One split, or all of a configuration as one.

    Raises:
        DatasetError: those of several have other formats or parameters.
    """
    if len(splits) == 1:
        return splits[0]
    if len({split.params for split in splits}) > 1 or len({layout_of(file.path).format for split in splits for file in split.files}) > 1:
        raise DatasetError(f"its splits differ in format, choose one with split: {', '.join(split.name for split in splits)}")
    return Split(splits[0].subset, name, tuple(dict.fromkeys(file for split in splits for file in split.files)), splits[0].params)


def _look_at_footer(root: str, info: FileInfo, text_field: str, looked: LookedAt) -> tuple[FileFrame, pa.Schema | None, str]:
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
class _Head:
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
        return self.tokens / max(1, self.texts)

    def look_at(self, values: dict, path: tuple[str, ...], tokens: Callable[[str], int] | None) -> None:
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


def _read_head(unit: ReadUnit, path: tuple[str, ...], text_field: str, tokens: Callable[[str], int] | None, most: int) -> _Head:
    """Rows of about the first MiB of a file, all of a smaller one, or the first `most`."""
    head, rows, last = _Head(), 0, 0
    with open_unit(unit) as source:
        for item in read_data(unit, source, DEFAULT_LIMITS):
            if type(item) is not tuple or rows >= most:
                break
            if (at := source.tell()) != last:  # all that was read before is handed out
                head.rows, head.bytes = rows, last
                if last >= _PILOT_BYTES:
                    return head
                last = at
            rows += 1
            if type(item[1]) is BadRow:
                head.problem = head.problem or f'{item[1].error}: {item[1].message}'
            elif head.records < _PILOT_ROWS:
                head.look_at(item[1], path or path_of(text_field, item[1]), tokens)
    head.rows, head.bytes = rows, unit.file.size
    return head
