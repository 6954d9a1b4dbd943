"""One schema for a split: the card's features first, else one type for each column over all files."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import BinaryIO, NamedTuple

import pyarrow as pa

from transforms.files import storage
from transforms.files.parquet import RowGroup
from transforms.files.storage import FileInfo
from transforms.read_hf.csv_rows import csv_types
from transforms.read_hf.data_files import Split
from transforms.read_hf.features import card_features
from transforms.read_hf.json_kind import HEAD_BYTES, json_kind
from transforms.read_hf.json_types import JsonTypes, add_stream
from transforms.read_hf.kinds import COMPLETE, FROM_CARD, merged, widened
from transforms.read_hf.layouts import Layout, layout_of
from transforms.read_hf.parquet_rows import parquet_schema, read_footer
from transforms.read_hf.rows import ReadLimits, UnitFault
from transforms.read_hf.streams import Stream, open_stream, recoded
from transforms.read_hf.tables import arrow_schema, avro_schema

_FOOTERS_AT_ONCE = 16
FEATURES = b'huggingface'  # under which `datasets` keeps its features in a schema's metadata
# How much of CSV and JSON is looked at for types: all of what lies on this machine up to a limit, else the head of each
# file; of a remote set the heads of some files, for each of their bytes crosses the network a second time.
LOOK_WHOLE, LOOK_HEAD = 1 << 30, 16 << 20
LOOK_REMOTE_HEAD, LOOK_REMOTE_FILES = 1 << 20, 16
_USUAL_RATIO = 4


class SplitTypes(NamedTuple):
    """What was found out about a split: its schema, and by path the row groups of the Parquets whose footers were read."""

    schema: pa.Schema
    row_groups: dict[str, tuple[RowGroup, ...]]


def is_json(split: Split) -> bool:
    """Whether all its files are JSON."""
    return {layout.format for file in split.files if (layout := layout_of(file.path))} == {'json'}


def split_types(root: str, split: Split, card: dict, limits: ReadLimits, heads_only: bool = False,
                limit: int = 0) -> SplitTypes:
    """The columns of a split, with what is known of their types; without columns where a layout has none.

    Metadata: `FROM_CARD` when the card gives them; `COMPLETE` when every value of CSV or JSON was looked at. With
    `heads_only` a few heads of files are enough. With `limit` only the first records of a remote set are wanted, so only
    the files that hold them are looked at.
    """
    formats = {layout.format for file in split.files if (layout := layout_of(file.path))}
    if not formats <= {'parquet', 'json', 'csv', 'tsv', 'arrow', 'avro'}:
        return SplitTypes(pa.schema([]), {})
    features = card_features(card, split.subset)
    if features is not None:
        return SplitTypes(features.with_metadata({FROM_CARD: b''}), {})
    if limit and not storage.is_local(root):
        split = replace(split, files=tuple(_first_files(root, split.files, limits, limit)))
    if formats <= {'json', 'csv', 'tsv'}:
        return SplitTypes(_of_texts(root, split, limits, heads_only), {})
    return _of_headers(root, split.files[:1] if heads_only else split.files, limits)


def _first_files(root: str, files: tuple[FileInfo, ...], limits: ReadLimits, limit: int) -> Iterator[FileInfo]:
    """The first files until their footers say that they hold so many rows; of files that say nothing the first."""
    for file in files:
        yield file
        if layout_of(file.path).format != 'parquet':
            return
        try:
            with storage.open_info(root, file) as source:
                limit -= parquet_schema(root, file, source, limits)[1]
        except (UnitFault, OSError):
            continue  # reading reports it
        if limit <= 0:
            return


def _of_headers(root: str, files: tuple[FileInfo, ...], limits: ReadLimits) -> SplitTypes:
    """From footers and headers; a file with a column type that no earlier file has is refused when it is read."""
    types: dict[str, pa.DataType] = {}
    row_groups: dict[str, tuple[RowGroup, ...]] = {}
    features: set[bytes] = set()
    with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as threads:
        for file, (schema, groups) in zip(files, threads.map(lambda file: _header(root, file, limits), files), strict=True):
            if groups:
                row_groups[file.path] = groups
            if schema is not None:
                features.add((schema.metadata or {}).get(FEATURES, b''))
            for field in schema if schema is not None else ():
                both = widened(types.get(field.name, field.type), field.type)
                types[field.name] = types[field.name] if both is None else both
    return SplitTypes(pa.schema(types.items(), {FEATURES: features.pop()} if len(features) == 1 and b'' not in features else None), row_groups)


def _header(root: str, file: FileInfo, limits: ReadLimits) -> tuple[pa.Schema | None, tuple[RowGroup, ...]]:
    """The schema of one file, and its row groups; None when it cannot be read, which reading reports."""
    layout = layout_of(file.path)
    try:
        with storage.open_info(root, file) as source:
            if layout.format == 'parquet':
                return parquet_schema(root, file, source, limits)[0], read_footer(root, file, source, limits).row_groups
            return arrow_schema(source) if layout.format == 'arrow' else avro_schema(source), ()
    except (UnitFault, OSError):
        return None, ()


def _of_texts(root: str, split: Split, limits: ReadLimits, heads_only: bool) -> pa.Schema:
    json_types, types, complete = JsonTypes(), {}, True
    params = dict(split.params)
    looked = list(_looked_at(root, split.files, heads_only))
    for file, size in looked:
        layout = layout_of(file.path)
        try:
            with storage.open_info(root, file) as source:
                if layout.format == 'json':
                    kind = json_kind(file.path, _text(source, params).read(HEAD_BYTES))
                    source.seek(0)
                    complete &= add_stream(json_types, _text(source, params).read, kind, size,
                                           limits.line_bytes)
                    continue
                schema, whole = csv_types(partial(_from_start, source, params), layout.format, params, size, limits)
        except (UnitFault, OSError):
            complete = False  # reading reports it
            continue
        complete &= whole
        for field in schema:
            both = merged(types.get(field.name, field.type), field.type)
            types[field.name] = pa.string() if both is None else both
    for field in json_types.schema():
        both = merged(types.get(field.name, field.type), field.type)
        types[field.name] = field.type if both is None else both
    complete &= len(looked) == len(split.files)
    return pa.schema(types.items(), {COMPLETE: b''} if complete else None)


def _from_start(source: BinaryIO, params: dict[str, object]) -> Stream:
    source.seek(0)
    return _text(source, params)


def _text(source: object, params: dict[str, object]) -> Stream:
    return recoded(open_stream(source), params)


def unpacked_bytes(layout: Layout, size: int) -> int:
    """Of a file, or a range of it, that has `size` bytes, about."""
    return size * (_USUAL_RATIO if layout.compression else 1)


def _looked_at(root: str, files: tuple[FileInfo, ...], heads_only: bool) -> Iterator[tuple[FileInfo, int]]:
    """(file, how many decompressed bytes of it) for typing."""
    if storage.is_local(root) and not heads_only:
        whole = sum(unpacked_bytes(layout_of(file.path), file.size) for file in files) <= LOOK_WHOLE
        yield from ((file, 1 << 62 if whole else LOOK_HEAD) for file in files)
        return
    step = -(-len(files) // LOOK_REMOTE_FILES) if files else 1
    yield from ((file, LOOK_REMOTE_HEAD) for file in files[::step])
