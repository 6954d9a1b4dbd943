"""Names of shards: planned before the first is written, one for each part, as `datasets` names them."""

from __future__ import annotations

import re
from collections import Counter

from transforms.read_hf.plan import ReadPlan

FOLDER = 'data'
_UNSAFE = re.compile(r'[^\w.-]|^\.+')


def shard_folders(plan: ReadPlan) -> tuple[str, ...]:
    """Where the shards of each chosen split go, with the beginning of their names: 'data/train', or with several subsets 'data/en/train'.

    Names of subsets and splits come from strangers: what is no letter, digit, '.', '-' or '_' becomes '_', and of two that
    are equal then the second gets a number.
    """
    nested = len({split.subset for split in plan.splits}) > 1
    taken: dict[str, tuple[str, ...]] = {}
    found = []
    for split in plan.splits:
        folder = _free(FOLDER + '/' + _safe(split.subset), (split.subset,), taken) if nested else FOLDER
        found.append(_free(f'{folder}/{_safe(split.name)}', (split.subset, split.name), taken))
    return tuple(found)


def _safe(name: str) -> str:
    return _UNSAFE.sub('_', name) or '_'


def _free(path: str, owner: tuple[str, ...], taken: dict[str, tuple[str, ...]]) -> str:
    name, number = path, 1
    while taken.setdefault(name.lower(), owner) != owner:  # some disks do not tell upper case from lower
        number += 1
        name = f'{path}_{number}'
    return name


def shard_names(plan: ReadPlan, extension: str) -> dict[int, str]:
    """By the number of each part the path of its shard below the output, such as data/train-00003-of-00012.jsonl.gz."""
    folders = dict(zip((source.number for source in plan.sources), shard_folders(plan), strict=True))
    totals, counted, names = Counter(part.source for part in plan.parts), Counter(), {}
    for part in plan.parts:
        names[part.number] = f'{folders[part.source]}-{counted[part.source]:05d}-of-{totals[part.source]:05d}{extension}'
        counted[part.source] += 1
    return names
