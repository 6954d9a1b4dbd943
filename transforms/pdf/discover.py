"""What an input of any PDFs holds: the files of a folder or a glob, in groups of work."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass

import transforms.hub.filesystem  # noqa: F401 - registers hf:// with Beam
from transforms.files import storage
from transforms.files.abort import InputError
from transforms.hub.address import missing
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


def discover(inputs: str | tuple[str, ...], besides: str) -> PdfInput:
    """The files of folders (their *.pdf at any depth), files and globs; paths are relative to the folder that all lie in.

    Args:
        inputs: the input as given, one or several.
        besides: a folder whose files are left out (the output, where it lies in the input).

    Raises:
        InputError: nothing is there, or nothing but the output, or several inputs have no folder in common.
    """
    found = [_find_files(pattern) for pattern in ((inputs,) if isinstance(inputs, str) else inputs)]
    root = found[0][0] if len(found) == 1 else _common_folder([root for root, _ in found])
    ours = os.path.abspath(besides) + os.sep
    infos: dict[str, storage.FileInfo] = {}
    for own_root, files in found:
        own = _relative_folder(own_root, root)
        prefix = len(storage.join(own_root, 'x')) - 1
        for info in files:
            if not os.path.abspath(info.path).startswith(ours):
                name = own + info.path[prefix:]
                infos[name] = storage.FileInfo(name, info.size, info.modified, info.etag)
    if not infos:
        raise InputError(f'all files of --input {root} lie in --output {besides}: choose another output folder')
    return PdfInput(root, tuple(infos.values() if len(found) == 1 else (infos[name] for name in sorted(infos))))


def _common_folder(roots: list[str]) -> str:
    if len(set(roots)) == 1:
        return roots[0]
    if all(map(storage.is_local, roots)):
        return os.path.commonpath([os.path.abspath(root) for root in roots])
    common = os.path.commonprefix([root.rstrip('/').split('/') for root in roots])
    if len(common) < 3:  # scheme, nothing, bucket
        raise InputError(f'--input names places that have nothing in common ({roots[0]}, {roots[-1]}): run them one by one')
    return '/'.join(common)


def _relative_folder(folder: str, root: str) -> str:
    """'' or a path that ends with /."""
    if folder == root:
        return ''
    if storage.is_local(folder):
        relative = os.path.relpath(os.path.abspath(folder), root)
        return '' if relative == '.' else f'{relative}/'
    return f"{folder.rstrip('/')[len(root.rstrip('/')):].lstrip('/')}/"


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


def _any_case(glob: str) -> str:
    """A glob of *.pdf that takes *.PDF too, as the folder form does."""
    return re.sub(r'\.(pdf|png|jpg|jpeg)\Z', lambda ending: ''.join(f'[{c.lower()}{c.upper()}]' if c.isalpha() else c for c in ending[0]), glob, flags=re.I)


def _nothing(pattern: str, is_folder: bool) -> str:
    """Why no file was found."""
    if is_folder:
        hint = f"; images need a glob, as in --input '{pattern.rstrip('/')}/*'" if any(storage.list_files(pattern)) else ''
        return f'--input {pattern} holds no PDF{hint}'
    if not any(c in pattern for c in '*?['):
        return f'--input {missing(pattern)}'
    return f"--input {pattern} matches no file. Give a folder, or a glob in quotes such as 'folder/**/*.pdf'"


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
            raise InputError(f'--input {missing(pattern)}: there is no folder {root}')
        files = storage.list_files(root, _any_case(glob))
    if not files:
        raise InputError(_nothing(pattern, is_folder))
    return root, files
