"""Frames: the rows that an entry of a mixture may give, known from footers and heads of files, before any of it is read."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import orjson
import pyarrow as pa

from transforms.files import storage
from transforms.files.storage import FileInfo
from transforms.hub.errors import HubDenied, HubMissing
from transforms.read_hf.card import DatasetError
from transforms.read_hf.data_files import Dataset, Split, find_dataset
from transforms.read_hf.folders import is_media
from transforms.read_hf.layouts import layout_of
from transforms.read_hf.plan import resolve
from transforms.read_hf.rows import DEFAULT_LIMITS, UnitFault
from transforms.read_hf.schemas import is_json, split_types
from transforms.text.config.model import Entry
from transforms.text_mix.sampling.looked import LookedAt
from transforms.text_mix.sampling.looking import FileFrame, Head, look_at_footer, path_of, read_head, unit_of

_AT_ONCE = 16
_FIRST_FILES, _PARQUET_ROWS = 4, 1_000
_MORE_FILES = 64  # that are looked at where no row of the first few has a text
_HUB = 'hf://'


class Unavailable(Exception):
    """An entry cannot be read; the message says why and what to do."""


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
            scheme, place = re.match('([a-z0-9]+://|)(.*)', storage.join(self._base, name), re.DOTALL).groups()
            return scheme + os.path.normpath(place)
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
            raise Unavailable(str(error).replace('--hub_parquet', f'name: {entry.name}@refs/convert/parquet')) from None

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
        return self._with_heads(frame, entry.text_field)

    def _with_footers(self, frame: Frame, text_field: str) -> Frame:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            looked = list(pool.map(lambda file: look_at_footer(frame.root, file.info, text_field, self._looked), frame.files))
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

    def _with_heads(self, frame: Frame, text_field: str) -> Frame:
        step = max(1, -(-len(frame.files) // _FIRST_FILES))
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

    def _heads(self, frame: Frame, files: Sequence[FileFrame], text_field: str) -> list[Head]:
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

    def _head(self, frame: Frame, file: FileInfo, path: tuple[str, ...], columns: tuple[str, ...], text_field: str = '') -> Head:
        more = ('.'.join(path), text_field, self._tokenizer if self._tokens else 'rows')
        if (known := self._looked.get('head', frame.root, file, *more)) is not None:
            return Head(**orjson.loads(known))
        is_parquet = layout_of(file.path).format == 'parquet'
        unit = unit_of(frame.root, file, columns, frame.params, frame.schema, limited=is_parquet)
        head = read_head(unit, path, text_field, self._tokens, _PARQUET_ROWS if is_parquet else 1 << 62)
        self._looked.put(orjson.dumps(head), 'head', frame.root, file, *more)
        return head


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
    if len({repr(split.params) for split in splits}) > 1 or len({layout_of(file.path).format for split in splits for file in split.files}) > 1:
        raise DatasetError(f"its splits differ in format, choose one with split: {', '.join(split.name for split in splits)}")
    return Split(splits[0].subset, name, tuple(dict.fromkeys(file for split in splits for file in split.files)), splits[0].params)
