"""What an input folder holds: Parquet files by configuration and split, tarballs, or an annotations.json."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate

import transforms.hub.filesystem  # noqa: F401 - registers hf:// with Beam
from transforms.files import storage
from transforms.files.abort import InputError
from transforms.files.json_values import BOM, JsonItem, iter_items
from transforms.files.paths import spellings
from transforms.hub.address import check_is_folder, missing
from transforms.olmocr.rows import ARCHIVE_ENDINGS, COLUMNS_0225, COLUMNS_1025
from transforms.run.source import PART_ROWS

_NEW_NAME = re.compile(r'^(?P<config>.+)_(?P<split>train|eval)\.parquet$')
_OLD_NAME = re.compile(r'^(?P<split>(?:train|eval)-(?P<kind>.+))\.parquet$')
_OLD_CONFIGS = {'s2pdf': '00_documents', 'iabooks': '01_books'}
ANNOTATIONS = 'annotations.json'
_FOLDERS = ('pdf_tarballs/extracted', 'pdf_tarballs', '')
_LONGEST_RECORD = 64 << 20


@dataclass(frozen=True)
class RowFile:
    """One file of rows.

    Attributes:
        path: full path.
        name: path relative to the input.
        config: such as '00_documents'.
        split_name: as the dataset names it, 'train' or, in mix-0225, 'train_s2pdf'.
        split: 'train' or 'eval'.
        rows: number of rows by the footer.
        bytes: size of the file.
        fingerprint: modification time, or on the Hub the content's hash.
        kind: '1025', '0225' or 'annotations'.
        first_part: number of the first part of its accounts.
    """

    path: str
    name: str
    config: str
    split_name: str
    split: str
    rows: int
    bytes: int
    fingerprint: float | str
    kind: str
    first_part: int = 0

    @property
    def parts(self) -> int:
        """In how many parts its accounts are cut."""
        return max(1, -(-self.rows // PART_ROWS))

    def part_of(self, row: int) -> int:
        """The part of a row; one that its footer does not know belongs to the last."""
        return self.first_part + min(row // PART_ROWS, self.parts - 1)


@dataclass(frozen=True)
class OlmocrInput:
    """A whole input: files of rows in order, each a source, and tarballs by their path relative to the input."""

    root: str
    files: tuple[RowFile, ...]
    archives: dict[str, storage.FileInfo]

    @property
    def needs_index(self) -> bool:
        """True when rows do not name their tarball (mix-0225)."""
        return any(file.kind == '0225' for file in self.files)

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.files)

    @property
    def archive_bytes(self) -> int:
        """Size of the tarballs that will be read: of mix-1025 those whose name begins as a file of rows does."""
        stems = tuple(file.name.removesuffix('.parquet') for file in self.files)
        return sum(info.size for name, info in self.archives.items()
                   if self.needs_index or name.rpartition('/')[2].startswith(stems))

    @property
    def inputs(self) -> tuple[tuple[str, int, float | str], ...]:
        """(path, bytes, fingerprint) of each file of rows and each tarball."""
        return (*((file.name, file.bytes, file.fingerprint) for file in self.files),
                *((name, info.size, info.fingerprint) for name, info in sorted(self.archives.items())))


def classify(name: str) -> tuple[str, str, str] | None:
    """(config, split name, split) of a Parquet file's name; None when it is not one of the dataset's."""
    if match := _OLD_NAME.match(name):
        kind = match['kind']
        return _OLD_CONFIGS.get(kind, kind), match['split'].replace('-', '_'), match['split'].partition('-')[0]
    if match := _NEW_NAME.match(name):
        return match['config'], match['split'], match['split']
    return None


def discover(root: str, subsets: tuple[str, ...], split: str) -> OlmocrInput:
    """Finds and checks the rows and tarballs of a downloaded dataset.

    Args:
        root: input folder.
        subsets: names such as '00_documents' or 'documents'; empty for all.
        split: 'train', 'eval' or 'all'.

    Raises:
        InputError: no such folder, no fitting file, a Parquet that cannot be read or lacks columns.
    """
    if not storage.exists(root):
        raise InputError(f'--input {missing(root)}. It must be the folder that allenai/olmOCR-mix-1025 was downloaded to, or its place '
                         'on the Hub; without --input an embedded sample is taken')
    check_is_folder(root)
    candidates = [(info, named) for info in storage.list_files(root, '*.parquet')
                  if (named := classify(info.path.rpartition('/')[2]))]
    if not candidates:
        raise InputError(f'--input {root} holds no file named like 00_documents_train.parquet. '
                         'It must be the folder that the dataset was downloaded to')
    chosen = [(info, named) for info, named in candidates
              if _is_subset(named[0], subsets) and split in ('all', named[2])]
    _check_subsets(subsets, sorted({named[0] for _, named in candidates}))
    if not chosen:
        raise InputError(f'--input {root} has no {split} rows of {", ".join(subsets) or "any subset"}. '
                         f'It has {", ".join(sorted(i.path.rpartition("/")[2] for i, _ in candidates))}')
    files = _with_parts([_row_file(info, named) for info, named in chosen])
    prefix = len(root.rstrip('/')) + 1
    archives = {info.path[prefix:]: info for info in storage.list_files(root, 'pdf_tarballs/**')
                if info.path.endswith(ARCHIVE_ENDINGS)}
    return OlmocrInput(root, files, archives)


def _with_parts(files: list[RowFile]) -> tuple[RowFile, ...]:
    firsts = accumulate((file.parts for file in files), initial=0)
    return tuple(replace(file, first_part=first) for file, first in zip(files, firsts, strict=False))


def _is_subset(config: str, subsets: tuple[str, ...]) -> bool:
    return not subsets or any(wanted in (config, config.partition('_')[2]) for wanted in subsets)


def _check_subsets(subsets: tuple[str, ...], present: list[str]) -> None:
    for wanted in subsets:
        if not any(_is_subset(config, (wanted,)) for config in present):
            close = difflib.get_close_matches(wanted, present, 1, 0.4)
            hint = f'did you mean {close[0]}?' if close else f'there are {", ".join(present)}'
            raise InputError(f'--subset {wanted} is not in the input; {hint}')


def _row_file(info: storage.FileInfo, named: tuple[str, str, str]) -> RowFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    name = info.path.rpartition('/')[2]
    try:
        with storage.open_read(info.path) as source:
            parquet = pq.ParquetFile(source)
            columns, rows = set(parquet.schema_arrow.names), parquet.metadata.num_rows
    except PermissionError:
        raise InputError(f'{info.path} cannot be read: no permission') from None
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise InputError(f'{info.path} cannot be read as Parquet ({str(error).splitlines()[0][:120]}). '
                         'Download it again') from None
    kind = '0225' if 'response' in columns else '1025'
    missing = [c for c in (COLUMNS_0225 if kind == '0225' else COLUMNS_1025[:2] + ('natural_text',))
               if c not in columns]
    if missing:
        raise InputError(f'{info.path} lacks the columns {", ".join(missing)}; it has {", ".join(sorted(columns))}')
    return RowFile(info.path, name, *named, rows, info.size, info.fingerprint, kind)


def discover_annotations(root: str) -> OlmocrInput:
    """Finds the annotations.json that `--stage=extract` made.

    Raises:
        InputError: it is not there, or is no JSON list.
    """
    path = storage.join(root, ANNOTATIONS)
    if not storage.is_file(path):
        raise InputError(f'--input {root} has no {ANNOTATIONS}. --stage=convert needs the output of --stage=extract')
    info = next(i for i in storage.list_files(root, ANNOTATIONS))
    try:
        rows = sum(1 for _ in read_annotations(path))
    except ValueError as error:
        raise InputError(f'{path} cannot be read as a JSON list ({error})') from None
    return OlmocrInput(root, (RowFile(path, ANNOTATIONS, '', '', '', rows, info.size, info.fingerprint, 'annotations'),), {})


def extracted_path(root: str, member: str) -> str:
    """Where a member of a tarball lies that was extracted, '' where it does not."""
    if storage.is_unsafe(member):
        return ''
    places = (storage.join(root, folder, name) if folder else storage.join(root, name) for folder in _FOLDERS for name in spellings(member))
    return next((path for path in places if storage.is_file_within(path, root)), '')


def read_annotations(path: str) -> Iterator[JsonItem]:
    """The records of an annotations.json, one at a time.

    Raises:
        ValueError: where it is no JSON list any more.
    """
    with storage.open_read(path) as file:
        if not file.read(64).removeprefix(BOM).lstrip().startswith(b'['):
            raise ValueError('it does not begin with [')
        file.seek(0)
        yield from iter_items(file.read, _LONGEST_RECORD)
