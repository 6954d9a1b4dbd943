"""Git LFS pointers: what Git leaves in the place of a file that was not downloaded."""

from __future__ import annotations

import os

_HEAD = b'version https://git-lfs.github.com/spec/'
LONGEST_POINTER = 1024
IS_POINTER = 'it is a Git LFS pointer, not the file itself: download it again (git lfs pull)'


def is_lfs_pointer(head: bytes) -> bool:
    """Whether a file that begins so is a pointer."""
    return head.startswith(_HEAD)


def is_lfs_pointer_at(path: str) -> bool:
    """The same of a local file; one that cannot be read is none."""
    try:
        if os.path.getsize(path) > LONGEST_POINTER:
            return False
        with open(path, 'rb') as source:
            return is_lfs_pointer(source.read(len(_HEAD)))
    except OSError:
        return False
