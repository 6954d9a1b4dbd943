"""Folders of images or sounds: one record for each file, as a reference, with its folder's label or its metadata."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from transforms.files import storage
from transforms.files.lfs import IS_POINTER, is_lfs_pointer, is_lfs_pointer_at
from transforms.files.paths import spellings
from transforms.files.storage import FileInfo
from transforms.files.zip_index import BadZip
from transforms.read_hf.card import DatasetError
from transforms.read_hf.data_files import Split
from transforms.read_hf.layouts import is_metadata, layout_of
from transforms.read_hf.rows import BadRow, LostPart, ReadLimits, Rows, UnitFault
from transforms.read_hf.units import Origin, ReadUnit, UnitChain
from transforms.read_hf.zip_members import ZipMembers

_FILES_PER_UNIT = 1000


def is_media(split: Split) -> bool:
    """Whether a split is a folder of images or sounds, or zips of them with their metadata beside."""
    formats = {layout.format for f in split.files if (layout := layout_of(f.path))}
    return bool(formats & {'image', 'audio'}) or ('zip' in formats and any(is_metadata(f.path) for f in split.files))


def plan_media(split: Split, siblings: tuple[Split, ...], root: str, source: str, revision: str, columns: tuple[str, ...],
               limit: int, schema_of: Callable[[Split], bytes]) -> list[UnitChain]:
    """Units of a media folder: its metadata files where it has some, else groups of 1,000 files.

    Labels are the folders' names in all splits of the subset (`siblings`), when all files are equally deep and there are
    at least two (the rule of `datasets`, folder_based_builder.py).

    Raises:
        DatasetError: a folder has two metadata files, which would double its rows, or there is no such column.
    """
    names = tuple(dict(split.params).get('metadata_filenames', ()))
    metadata = [f for f in split.files if is_metadata(f.path, names)]
    media = [f for f in split.files if f not in metadata]
    kind = next((layout_of(f.path) for f in media if layout_of(f.path).format != 'zip'), None)
    media_name = kind.format if kind else 'image'
    units = []
    if metadata and not dict(split.params).get('drop_metadata'):
        _check_one_a_folder(root, metadata)
        if media and not any(file.size for file in metadata):
            raise DatasetError(f'{root} has {metadata[0].path}, which is empty, beside files that it would name: drop_metadata: true in the '
                               'README.md reads them without it')
        schema = schema_of(replace(split, files=tuple(metadata)))
        archives = tuple(f for f in media if layout_of(f.path).format == 'zip')
        for file in metadata:
            origin = Origin(source, revision, split.subset, split.name, file.path)
            units.append(ReadUnit(origin, root, file, layout_of(file.path), 0, file.size, schema=schema,
                                  params=(('media', media_name), ('wanted', columns), ('archives', archives))))
    else:
        _check_columns(split, columns, media_name)
        everything = [f for s in siblings for f in s.files if not is_metadata(f.path, names)]
        labels = () if metadata else _labels(everything, dict(split.params))  # metadata that is left out leaves no labels either
        params = (('labels', labels), ('media', media_name))
        for start in range(0, len(media), _FILES_PER_UNIT):
            group = tuple(media[start:start + _FILES_PER_UNIT])
            origin = Origin(source, revision, split.subset, split.name, posixpath.dirname(group[0].path) or '.')
            units.append(ReadUnit(origin, root, group[0], kind, start, start + len(group), columns,
                                  params=(*params, ('files', tuple(f.path for f in group)))))
    if limit:
        return [UnitChain(tuple(units), limit)]
    return [UnitChain((unit,)) for unit in units]


def _check_columns(split: Split, columns: tuple[str, ...], media: str) -> None:
    if wrong := [name for name in columns if name not in (media, 'label')]:
        raise DatasetError(f'{split.label} is a folder of files and has no column {wrong[0]}; it has {media}, and perhaps label')


def _check_one_a_folder(root: str, metadata: list[FileInfo]) -> None:
    folder, count = Counter(posixpath.dirname(f.path) for f in metadata).most_common(1)[0]
    if count > 1:
        names = ', '.join(sorted(f.path for f in metadata if posixpath.dirname(f.path) == folder))
        raise DatasetError(f'{root} has {names} in one folder, which would double its rows: keep one of them, or name it by '
                           'metadata_filenames in the README.md')


def _labels(media: list[FileInfo], params: dict[str, object]) -> tuple[str, ...]:
    folders = sorted({posixpath.basename(posixpath.dirname(f.path)) for f in media})
    depths = {f.path.count('/') for f in media}
    wanted = not params['drop_labels'] if params.get('drop_labels') is not None else len(folders) > 1 and len(depths) == 1
    return tuple(folders) if wanted else ()


def read_media(unit: ReadUnit) -> Rows:
    """One record for each file: {'image' or 'audio': {'path', 'bytes': None}, 'label'}."""
    params = dict(unit.params)
    labels = {name: i for i, name in enumerate(params['labels'])}
    for row, path in enumerate(params['files'], unit.start):
        full = storage.join(unit.root, path)
        if storage.is_local(full) and not storage.is_file(full):
            yield row, BadRow('FileMissing', f'{path} is not there (a link to nothing, or removed)')
            continue
        if storage.is_local(full) and is_lfs_pointer_at(full):
            yield row, BadRow('LfsPointer', f'{path}: {IS_POINTER}')
            continue
        record: dict[str, object] = {params['media']: {'path': full, 'bytes': None}}
        if labels:
            record['label'] = labels[posixpath.basename(posixpath.dirname(path))]
        yield row, {n: record.get(n) for n in unit.columns} if unit.columns else record


def read_metadata(unit: ReadUnit, rows: Rows, limits: ReadLimits) -> Rows:
    """Rows of a metadata file, the files that they name replaced by references, or by bytes out of the zips beside it.

    `file_name` becomes `image` (or `audio`), `file_names` `images`, `x_file_name` and `x_file_names` become `x`; in
    objects within a row too.
    """
    params = dict(unit.params)
    wanted = params.get('wanted', ())
    with ZipMembers(unit.root, params.get('archives', ()), limits) as members:
        named = 0

        def reference(name: str) -> dict[str, object]:
            nonlocal named
            named += 1
            return _reference(unit, name, members)

        for item in rows:
            if isinstance(item, LostPart) or isinstance(item[1], BadRow):
                yield item
                continue
            row, values = item
            named = 0
            try:
                record = _replaced(values, params['media'], reference)
            except _NoSuchFile as error:
                yield row, BadRow(error.error, str(error))
                continue
            if not named:
                yield row, BadRow('NoFileName', 'it names no file: file_name, file_names, or a name that ends with _file_name(s)')
                continue
            if missing := [n for n in wanted if n not in record]:
                raise UnitFault('ColumnMissing', f'it has no column {missing[0]}')
            yield row, {n: record[n] for n in wanted} if wanted else record


class _NoSuchFile(Exception):
    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error


def _replaced(value: object, media: str, reference: Callable[[str], dict]) -> object:
    if isinstance(value, list):
        return [_replaced(v, media, reference) for v in value]
    if not isinstance(value, dict):
        return value
    record: dict[str, object] = {}
    for name, inner in value.items():
        if (name == 'file_name' or name.endswith('_file_name')) and isinstance(inner, (str, type(None))):
            record[name[:-len('_file_name')] or media] = None if inner is None else reference(inner)
        elif (name == 'file_names' or name.endswith('_file_names')) and (inner is None or isinstance(inner, list)
                                                                         and all(isinstance(v, (str, type(None))) for v in inner)):
            record[name[:-len('_file_names')] or f'{media}s'] = inner and [v if v is None else reference(v) for v in inner]
        else:
            record[name] = _replaced(inner, media, reference)
    return record


def _reference(unit: ReadUnit, name: str, members: ZipMembers) -> dict[str, object]:
    folder = posixpath.dirname(unit.file.path)
    if storage.is_unsafe(name) or '://' in name:
        raise _NoSuchFile('UnsafePath', f'{name[:100]!r} leaves the folder')
    if members:
        try:
            data = members.read(name)
        except BadZip as error:
            raise _NoSuchFile('DamagedMember', f'{name[:100]}: {error}') from None
        if data is not None:
            if is_lfs_pointer(data):
                raise _NoSuchFile('LfsPointer', f'{name[:100]}: {IS_POINTER}')
            return {'path': name, 'bytes': data}
    path = storage.join(unit.root, storage.join(folder, name) if folder else name)
    if '\\' in name and not (storage.is_local(path) and storage.is_file(path)):  # written on Windows
        path = storage.join(unit.root, folder, name.replace('\\', '/')) if folder else storage.join(unit.root, name.replace('\\', '/'))
    if storage.is_local(path) and not (path := next(filter(storage.is_file, spellings(path)), '')):
        raise _NoSuchFile('FileMissing', f"no member {name[:100]!r} in the zips beside {unit.file.path}, and no such file" if members
                          else f'{name[:100]!r} is not there')
    if storage.is_local(path) and is_lfs_pointer_at(path):
        raise _NoSuchFile('LfsPointer', f'{name[:100]}: {IS_POINTER}')
    return {'path': path, 'bytes': None}
