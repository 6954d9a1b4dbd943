"""Reading and listing by path, local or on any Beam file system; writing is in `atomic_file`, and reached from here.

A path without a scheme is local and is handled with the operating system's own calls, which can rename atomically. Any
other path goes through `apache_beam.io.filesystems.FileSystems`, where one PUT under the final name is what is atomic.
This module knows no scheme: modules that open hf:// import `transforms.hub.filesystem`, which registers it with Beam.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol, runtime_checkable

from transforms.files.abort import RunAborted
from transforms.files.atomic_file import atomic_writer, storage_errors, write_bytes
from transforms.files.listing import glob_to_regex, walk_files
from transforms.files.paths import is_local, is_unsafe, join

__all__ = ['FileInfo', 'RunAborted', 'Versioned', 'atomic_writer', 'delete_file', 'delete_tree', 'exists',
           'glob_to_regex', 'info_of', 'is_file', 'is_file_within', 'is_local', 'is_unsafe', 'join', 'list_files', 'open_info',
           'open_read', 'pin', 'read_bytes', 'revision_of', 'size_of', 'storage_errors', 'write_bytes']


@dataclass(frozen=True)
class FileInfo:
    """One file that a pattern matched: its path, size in bytes, and modification time (0 if unknown).

    `etag` is the hash of its content where the file system knows one (the Hub).
    """

    path: str
    size: int
    modified: float
    etag: str = ''

    @property
    def fingerprint(self) -> float | str:
        """What changes when the file does, beside its size."""
        return self.etag or self.modified


@runtime_checkable
class Versioned(Protocol):
    """What a Beam file system offers beyond Beam's interface when its files have versions and content hashes."""

    def pin(self, path: str) -> str:
        """The path with its revision resolved to one that cannot change."""

    def revision_of(self, path: str) -> str:
        """The revision of a pinned path."""

    def is_file(self, path: str) -> bool:
        """Whether a file, and no folder, is at `path`."""

    def list_infos(self, folder: str) -> Iterable[FileInfo]:
        """The files below a folder, with their hashes."""

    def open_read(self, path: str) -> BinaryIO:
        """Opens a file for reading, without a buffer."""

    def open_listed(self, path: str, info: FileInfo) -> BinaryIO:
        """Opens a file whose size and hash are known, without asking for them."""


def _beam():
    from apache_beam.io.filesystems import FileSystems

    return FileSystems


def _versioned(path: str) -> Versioned | None:
    """The file system of a path when it has versions.

    Raises:
        ValueError: no file system is registered for the path's scheme.
    """
    if is_local(path):
        return None
    scheme = path.partition('://')[0]
    try:
        system = _beam().get_filesystem(path)
    except ValueError:
        raise ValueError(f'no file system is registered for {scheme}:// ({path}): gs:// needs apache-beam[gcp], s3:// '
                         'apache-beam[aws], hf:// an import of transforms.hub.filesystem') from None
    return system if isinstance(system, Versioned) else None


def exists(path: str) -> bool:
    """True when a file or folder is at `path`."""
    if is_local(path):
        return os.path.exists(path)
    if system := _versioned(path):
        return system.exists(path)
    # An object store has no folders: there is one where an object's name begins so.
    return _beam().exists(path) or bool(_beam().match([f"{_literal(path.rstrip('/'))}/**"], [1])[0].metadata_list)


def size_of(path: str) -> int:
    """Size in bytes of a local file, -1 when there is none."""
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def is_file(path: str) -> bool:
    """True when a file, or a link to one, is at `path`."""
    if is_local(path):
        return os.path.isfile(path)
    system = _versioned(path)
    return system.is_file(path) if system else _beam().exists(path)


def is_file_within(path: str, root: str) -> bool:
    """True when a file is at `path`, and no symbolic link on the way leads out of `root`."""
    if not is_local(path):
        return is_file(path)
    real, base = os.path.realpath(path), os.path.realpath(root)
    return os.path.isfile(real) and real.startswith(base.rstrip('/') + '/')


def open_read(path: str) -> BinaryIO:
    """Opens a file for reading bytes, as it is (no decompression by file name)."""
    if is_local(path):
        return open(path, 'rb')
    if system := _versioned(path):
        return system.open_read(path)
    from apache_beam.io.filesystem import CompressionTypes

    return _beam().open(path, compression_type=CompressionTypes.UNCOMPRESSED)


def open_info(root: str, info: FileInfo) -> BinaryIO:
    """Opens a listed file whose path is relative to `root` ('' for a full path), without asking for its size again."""
    path = join(root, info.path) if root else info.path
    system = _versioned(path) if info.etag else None
    return system.open_listed(path, info) if system else open_read(path)


def read_bytes(path: str) -> bytes:
    """The whole file; for small ones only."""
    with open_read(path) as source:
        return source.read()


def list_files(folder: str, pattern: str = '**') -> list[FileInfo]:
    """Files under `folder` that match the glob `pattern`, sorted by path; `**` also matches no folder."""
    matcher = glob_to_regex(pattern)
    if is_local(folder):
        return sorted((FileInfo(*file) for file in walk_files(folder, matcher)), key=lambda info: info.path)
    prefix, system = folder.rstrip('/') + '/', _versioned(folder)
    infos = system.list_infos(folder) if system else _match(prefix)
    return sorted((info for info in infos if matcher.match(info.path[len(prefix):])), key=lambda info: info.path)


def _match(prefix: str) -> Iterator[FileInfo]:
    for result in _beam().match([f'{_literal(prefix)}**'])[0].metadata_list:
        if result.path.endswith('/') and not result.size_in_bytes:
            continue  # stands for a folder, as consoles of object stores make one
        yield FileInfo(result.path, result.size_in_bytes, result.last_updated_in_seconds or 0.0)


def info_of(path: str) -> FileInfo:
    """The file at `path`, which `is_file`; nothing else is listed on a local disk."""
    if is_local(path):
        stat = os.stat(path)
        return FileInfo(path, stat.st_size, stat.st_mtime)
    folder, _, name = path.rpartition('/')
    return list_files(folder, _literal(name))[0]


def _literal(path: str) -> str:
    """A glob that matches this path alone."""
    return re.sub(r'[\[*?]', r'[\g<0>]', path)


def pin(path: str) -> str:
    """The path with everything resolved that may change: a Hub revision is pinned to its commit."""
    system = _versioned(path)
    return system.pin(path) if system else path


def revision_of(path: str) -> str:
    """The revision (on the Hub a commit) of a pinned path, '' for places without."""
    system = _versioned(path)
    return system.revision_of(path) if system else ''


def delete_file(path: str) -> None:
    """Removes one file; nothing happens where there is none."""
    if is_local(path):
        if os.path.exists(path):
            os.unlink(path)
    elif exists(path):
        _beam().delete([path])


def delete_tree(path: str) -> None:
    """Removes a folder and all in it; nothing happens where there is none."""
    if is_local(path):
        shutil.rmtree(path, ignore_errors=True)
    elif paths := [info.path for info in list_files(path)]:
        _beam().delete(paths)
