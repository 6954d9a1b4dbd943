"""What of an input is read: the documented folders of a raw mixture, or any layout that ReadHF knows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from transforms.files import storage
from transforms.read_hf.plan import ReadPlan, number_plans, plan_read, resolve, usual_part_bytes
from transforms.text.config.model import Entry

_RAW = re.compile(r'(?:^|/)raw_data\.jsonl(?:\.gz)?$')
_RESERVED = ('records', 'run.json', 'manifest.json', 'errors.jsonl', 'report.html', 'README.md', '_SUCCESS')  # names that the output has itself
_OWN = frozenset({'errors.jsonl'})  # what stage 1 writes beside the documents


@dataclass(frozen=True)
class RawMixture:
    """The documented folders of an input.

    Attributes:
        plans: one for each folder, numbered through.
        folders: relative to the input, in the order of the plans.
        priorities: of the folders' documents among equal ones: by the YAML, then by name.
        entries: of the YAML, None for a folder that none names.
        others: files that are not read.
    """

    plans: tuple[ReadPlan, ...]
    folders: tuple[str, ...]
    priorities: tuple[int, ...]
    entries: tuple[Entry | None, ...]
    others: tuple[str, ...] = ()


def folders_of(entries: Sequence[Entry], published: bool = False) -> tuple[str, ...]:
    """The folder of each entry: its name with `_config`, else `_subset`; equal ones get `_2`, `_3` in the order of the YAML.

    `published`: without the subset, as the published program names them.
    """
    folders = dict.fromkeys(_RESERVED)
    for entry in entries:
        folder = name = entry.folder_without_subset if published else entry.folder
        number = 1
        while name in folders:
            number += 1
            name = f'{folder}_{number}'
        folders[name] = None
    return tuple(folders)[len(_RESERVED):]


def find_raw_mixture(source: str, entries: Mapping[str, Entry], limit: int, part_bytes: int, json_as_is: bool) -> RawMixture | None:
    """The folders that hold a raw_data.jsonl or raw_data.jsonl.gz; None where there is none. `entries` are those of the YAML by folder.

    Raises:
        ValueError: a folder cannot be read as JSON lines.
    """
    root = resolve(source)
    if not storage.exists(root) or storage.is_file(root):
        return None
    sizes = {info.path[len(root):].lstrip('/'): info.size for info in storage.list_files(root)}
    names = sorted(sizes)
    raw = [name for name in names if _RAW.search(name)]
    if not raw:
        return None
    folders = sorted({name.rpartition('/')[0] for name in raw})
    places = {folder: number for number, folder in enumerate(entries)}
    part_bytes = part_bytes or usual_part_bytes(sum(map(sizes.get, raw)))
    plans = [_plan(source, folder, [name.rpartition('/')[2] for name in raw if name.rpartition('/')[0] == folder], limit, part_bytes, json_as_is)
             for folder in folders]
    by_priority = sorted(folders, key=lambda folder: (places.get(folder, len(places)), folder))
    priorities = {folder: number for number, folder in enumerate(by_priority)}
    plans = [replace(plan, sources=tuple(replace(source, name=folder) for source in plan.sources)) for plan, folder in zip(plans, folders, strict=True)]
    return RawMixture(number_plans(plans), tuple(folders), tuple(priorities[folder] for folder in folders),
                      tuple(map(entries.get, folders)),
                      tuple(name for name in names if name not in raw and name.endswith(('.jsonl', '.jsonl.gz')) and name not in _OWN))


def _plan(source: str, folder: str, files: list[str], limit: int, part_bytes: int, json_as_is: bool) -> ReadPlan:
    place = storage.join(source, folder) if folder else source
    return plan_read(place, '', 'all', (), files[0] if len(files) == 1 else 'raw_data.jsonl*', limit, part_bytes=part_bytes, inflates=True, json_as_is=json_as_is)


def output_names(folders: Sequence[str], plans: Sequence[ReadPlan], extension: str, shards: bool, name: str = 'cleaned_data') -> dict[int, str]:
    """By the number of each part the file that its documents go to, in the documented folders.

    Args:
        folders: of the plans.
        plans: numbered through.
        extension: such as '.jsonl.gz'.
        shards: a file for each part; else one for each folder.
        name: of the files.
    """
    names = {}
    for folder, plan in zip(folders, plans, strict=True):
        for place, part in enumerate(plan.parts):
            number = f'-{place:05d}-of-{len(plan.parts):05d}' if shards else ''
            names[part.number] = storage.join(folder, f'{name}{number}{extension}') if folder else f'{name}{number}{extension}'
    return names
