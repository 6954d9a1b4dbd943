"""What an input of any PDFs holds: the files of a folder or a glob, in groups of work."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

import transforms.hub.filesystem  # noqa: F401 - registers hf:// with Beam
from transforms.files import storage
from transforms.files.abort import InputError
from transforms.pdf.list_pages import FileGroup, display_name

_GROUP_FILES = 64
_PART_FILES = 16 * _GROUP_FILES  # how many pages a file has is not known beforehand
_LISTED_INPUTS = 1000


@dataclass(frozen=True)
class PdfInput:
    """A whole input.

    Attributes:
        root: folder that file paths are relative to.
        files: the files, with relative paths, in the order of these.
    """

    root: str
    files: tuple[storage.FileInfo, ...]

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(info.size for info in self.files)

    @property
    def inputs(self) -> tuple[tuple[str, int, float | str], ...]:
        """(path, bytes, fingerprint) of each file, or where they are many one entry with their digest.

        run.json is to be read by people.
        """
        entries = tuple((display_name(info.path), info.size, info.fingerprint) for info in self.files)
        if len(entries) <= _LISTED_INPUTS:
            return entries
        digest = hashlib.sha256(repr(entries).encode()).hexdigest()[:16]
        return ((f'{len(entries)} files, digest {digest}', self.bytes, 0.0),)


def discover(pattern: str, besides: str) -> PdfInput:
    """The files of a folder (its *.pdf at any depth), a file or a glob.

    Args:
        pattern: the input as given.
        besides: a folder whose files are left out (the output, where it lies in the input).

    Raises:
        InputError: nothing is there.
    """
    root, infos = _find_files(pattern)
    ours = os.path.abspath(besides) + os.sep
    prefix = len(storage.join(root, 'x')) - 1
    return PdfInput(root, tuple(storage.FileInfo(info.path[prefix:], info.size, info.modified, info.etag) for info in infos
                                if not os.path.abspath(info.path).startswith(ours)))


def group_files(found: PdfInput, limit: int, skips_files: bool) -> tuple[FileGroup, ...]:
    """The files in groups of work; with a limit one group, of no more files than that when each has a record."""
    names = [info.path for info in found.files]
    if limit:
        return (FileGroup('first', tuple(names if skips_files else names[:limit])),)
    return tuple(FileGroup(f'group-{i // _GROUP_FILES:07d}', tuple(names[i:i + _GROUP_FILES]), i // _PART_FILES)
                 for i in range(0, len(names), _GROUP_FILES))


def split_glob(pattern: str) -> tuple[str, str]:
    """(folder, glob relative to it) of a pattern; the folder is what comes before the first wildcard."""
    parts = pattern.split('/')
    wild = next((i for i, part in enumerate(parts) if any(c in part for c in '*?[')), len(parts) - 1)
    return '/'.join(parts[:wild]) or ('/' if pattern.startswith('/') else '.'), '/'.join(parts[wild:])


def _find_files(pattern: str) -> tuple[str, list[storage.FileInfo]]:
    """(root, files) of --input, in the order of their relative paths.

    Raises:
        InputError: nothing is there.
    """
    is_folder = os.path.isdir(pattern) if storage.is_local(pattern) else \
        not any(c in pattern for c in '*?[') and not pattern.lower().endswith('.pdf')
    if is_folder:
        root = pattern.rstrip('/') or '/'
        files = [f for f in storage.list_files(root) if f.path.lower().endswith('.pdf')]
    elif storage.is_local(pattern) and os.path.isfile(pattern):
        root = os.path.dirname(pattern) or '.'
        stat = os.stat(pattern)
        files = [storage.FileInfo(storage.join(root, os.path.basename(pattern)), stat.st_size, stat.st_mtime)]
    else:
        root, glob = split_glob(pattern)
        if not storage.exists(root):
            raise InputError(f'--input {pattern}: there is no folder {root}')
        files = storage.list_files(root, glob)
    if not files:
        raise InputError(f"--input {pattern} matches no file. Give a folder, or a glob in quotes such as 'folder/**/*.pdf'")
    return root, files
