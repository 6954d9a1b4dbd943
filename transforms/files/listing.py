"""Files below a local folder, and globs over relative paths."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from stat import S_ISREG

_ANY_DEPTH = '\ue000'  # stands for a `**` that is not a whole name while fsspec, which refuses it, translates the rest


def glob_to_regex(pattern: str) -> re.Pattern[str]:
    """A glob over relative paths: `*` and `?` stay within a name, `**/` is any folders or none.

    `**.pdf` is any *.pdf below; `[^a]` and `[!a]` are any character but a.

    Raises:
        ValueError: it is no glob.
    """
    from fsspec.utils import glob_translate  # 50 ms, which child processes need not pay

    pattern = pattern.replace('[^', '[!')
    parts = (part if part == '**' else part.replace('**', _ANY_DEPTH) for part in pattern.split('/'))
    try:
        return re.compile(glob_translate('/'.join(parts)).replace(_ANY_DEPTH, '.*'))
    except (re.error, ValueError) as error:
        raise ValueError(f'the pattern {pattern!r} is no glob ({error})') from None


def walk_files(folder: str, matcher: re.Pattern[str]) -> Iterator[tuple[str, int, float]]:
    """(path, bytes, modification time) of the files below a folder whose relative paths match, in no order.

    Linked folders are followed. A link that leads nowhere is a file of no bytes: leaving it out would lose it in silence,
    and opening it reports that it is missing. What a run of ours keeps in `.work` is not listed.
    """
    for base, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if name != '.work' and not _is_circle(os.path.join(base, name), folder)]
        for name in names:
            path = os.path.join(base, name)
            if not matcher.match(os.path.relpath(path, folder)):
                continue
            try:
                stat = os.stat(path)
            except OSError:
                yield path, 0, 0.0
                continue
            if S_ISREG(stat.st_mode):
                yield path, stat.st_size, stat.st_mtime


def _is_circle(path: str, root: str) -> bool:
    """Whether a linked folder leads to one that it is listed within, or to one that the listed folder lies in."""
    if not os.path.islink(path):
        return False
    real = os.path.realpath(path)
    above = {os.path.realpath(root)}
    while (path := os.path.dirname(path)) and len(path) > len(root):
        above.add(os.path.realpath(path))
    return real in above or any(folder.startswith(real.rstrip(os.sep) + os.sep) for folder in above)
