"""Folders of images or sounds: one record for each file, as a reference, with its folder's label or its metadata."""

from __future__ import annotations

import posixpath
from dataclasses import replace

from transforms.files import storage
from transforms.files.storage import FileInfo
from transforms.read_hf.data_files import Split
from transforms.read_hf.layouts import METADATA_NAMES, layout_of
from transforms.read_hf.rows import BadRow, LostPart, ReadLimits, Rows, UnitFault
from transforms.read_hf.units import Origin, ReadUnit, UnitChain

_FILES_PER_UNIT = 1000


def is_media(split: Split) -> bool:
    """Whether a split is a folder of images or sounds."""
    return any((layout := layout_of(f.path)) and layout.format in ('image', 'audio') for f in split.files)


def plan_media(split: Split, siblings: tuple[Split, ...], root: str, source: str, revision: str, columns: tuple[str, ...],
               limit: int) -> list[UnitChain]:
    """Units of a media folder: its metadata files where it has some, else groups of 1,000 files.

    Labels are the folders' names in all splits of the subset (`siblings`), when all files are equally deep and there are
    at least two (the rule of `datasets`, folder_based_builder.py).
    """
    metadata = [f for f in split.files if posixpath.basename(f.path) in METADATA_NAMES]
    media = [f for f in split.files if f not in metadata]
    kind = layout_of(media[0].path)
    units = []
    if metadata:
        for file in metadata:
            origin = Origin(source, revision, split.subset, split.name, file.path)
            units.append(ReadUnit(origin, root, file, replace(layout_of(file.path)), 0, file.size,
                                  params=(('media', kind.format), ('wanted', columns))))
    else:
        everything = [f for s in siblings for f in s.files if posixpath.basename(f.path) not in METADATA_NAMES]
        labels = _labels(everything, dict(split.params))
        params = (('labels', labels), ('media', kind.format))
        for start in range(0, len(media), _FILES_PER_UNIT):
            group = tuple(media[start:start + _FILES_PER_UNIT])
            origin = Origin(source, revision, split.subset, split.name, posixpath.dirname(group[0].path) or '.')
            units.append(ReadUnit(origin, root, group[0], kind, start, start + len(group), columns,
                                  params=(*params, ('files', tuple(f.path for f in group)))))
    if limit:
        return [UnitChain(tuple(units), limit)]
    return [UnitChain((unit,)) for unit in units]


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
        record: dict[str, object] = {params['media']: {'path': storage.join(unit.root, path), 'bytes': None}}
        if labels:
            record['label'] = labels[posixpath.basename(posixpath.dirname(path))]
        yield row, {n: record.get(n) for n in unit.columns} if unit.columns else record


def read_metadata(unit: ReadUnit, rows: Rows, limits: ReadLimits) -> Rows:
    """Rows of a metadata file, their `file_name` replaced by a reference to the file it names."""
    media, folder = dict(unit.params)['media'], posixpath.dirname(unit.file.path)
    wanted = dict(unit.params).get('wanted', ())
    for item in rows:
        if isinstance(item, LostPart) or isinstance(item[1], BadRow):
            yield item
            continue
        row, values = item
        record: dict[str, object] = {}
        bad = None
        for name, value in values.items():
            key = media if name == 'file_name' else name.removesuffix('_file_name')
            if key == name or not isinstance(value, str):
                record[name] = value
            elif storage.is_unsafe(value) or '://' in value:
                bad = BadRow('UnsafePath', f'{name} {value[:100]!r} leaves the folder')
            else:
                path = storage.join(folder, value) if folder else value
                record[key] = {'path': storage.join(unit.root, path), 'bytes': None}
        if missing := [n for n in wanted if n not in record]:
            raise UnitFault('ColumnMissing', f'it has no column {missing[0]}')
        yield row, bad or ({n: record[n] for n in wanted} if wanted else record)
