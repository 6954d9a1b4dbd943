"""Reading and atomic writing by path, local or on any Beam file system.

A path without a scheme is local and is handled with the operating system's own calls, which can rename
atomically. Any other path goes through `apache_beam.io.filesystems.FileSystems`, where one PUT under the
final name is what is atomic.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from stat import S_ISREG
from typing import BinaryIO

from transforms.files.abort import RunAborted
from transforms.files.globs import glob_to_regex

_LOG = logging.getLogger(__name__)
_SCHEME = re.compile(r'^[a-zA-Z][-a-zA-Z0-9+.]*://')


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
    def stamp(self) -> float | str:
        """What changes when the file does, beside its size."""
        return self.etag or self.modified


def is_local(path: str) -> bool:
    """True when `path` has no scheme such as gs:// or hf://."""
    return not _SCHEME.match(path)


def _remote():
    from apache_beam.io.filesystems import FileSystems

    import transforms.hub.filesystem  # noqa: F401 - Beam finds hf:// by the class that this defines

    return FileSystems


def join(base: str, *parts: str) -> str:
    """Joins with '/', whatever the file system."""
    return '/'.join([base.rstrip('/'), *(part.strip('/') for part in parts)])


def spill_folder(work: str) -> str:
    """Where drawn images wait for their names: on the disk of the output; '' where that is no local disk."""
    return join(work, 'spill') if is_local(work) else ''


def exists(path: str) -> bool:
    """True when a file or folder is at `path`."""
    return os.path.exists(path) if is_local(path) else _remote().exists(path)


def size_of(path: str) -> int:
    """Size in bytes of a local file, -1 when there is none."""
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def is_still_there(output: str, outcome: dict) -> bool:
    """Whether what a journal says was written (`output`, `bytes`) is there; a failure needs no file.

    On other than local disks the journal is written after the file and is believed.
    """
    if outcome.get('error') or not is_local(output):
        return True
    return size_of(join(output, outcome['output'])) == outcome['bytes']


def is_unsafe(path: str) -> bool:
    """True when joining `path` to a folder could leave that folder."""
    return path.startswith(('/', '\\')) or '..' in re.split(r'[/\\]', path) or '\0' in path or not path


def is_file(path: str) -> bool:
    """True when a file, or a link to one, is at `path`."""
    if path.startswith('hf://'):
        from transforms.hub.filesystem import is_hub_file

        return is_hub_file(path)
    return os.path.isfile(path) if is_local(path) else exists(path)


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
    if path.startswith('hf://'):
        from transforms.hub.filesystem import open_path

        return open_path(path)
    from apache_beam.io.filesystem import CompressionTypes

    return _remote().open(path, compression_type=CompressionTypes.UNCOMPRESSED)


def open_info(root: str, info: FileInfo) -> BinaryIO:
    """Opens a listed file whose path is relative to `root` ('' for a full path), without asking for its size again."""
    path = join(root, info.path) if root else info.path
    if not path.startswith('hf://') or not info.etag:
        return open_read(path)
    from transforms.hub.filesystem import open_listed

    return open_listed(path, info.size, info.etag)


def read_bytes(path: str) -> bytes:
    """The whole file; for small ones only."""
    with open_read(path) as source:
        return source.read()


def list_files(folder: str, pattern: str = '**') -> list[FileInfo]:
    """Files under `folder` that match the glob `pattern`, sorted by path; `**` also matches no folder."""
    if is_local(folder):
        return _list_local(folder, pattern)
    matcher = glob_to_regex(pattern)
    prefix = folder.rstrip('/') + '/'
    infos = _list_hub(folder) if folder.startswith('hf://') else _list_remote(prefix)
    return sorted((i for i in infos if matcher.match(i.path[len(prefix):])), key=lambda i: i.path)


def _list_remote(prefix: str) -> Iterator[FileInfo]:
    for found in _remote().match([f'{prefix}**'])[0].metadata_list:
        yield FileInfo(found.path, found.size_in_bytes, found.last_updated_in_seconds or 0.0)


def _list_hub(folder: str) -> Iterator[FileInfo]:
    from transforms.hub.filesystem import list_infos

    return list_infos(folder)


def pin(path: str) -> str:
    """The path with everything resolved that may change: a Hub revision is pinned to its commit."""
    if not path.startswith('hf://'):
        return path
    from transforms.hub.filesystem import place_of

    return str(place_of(path))


def revision_of(path: str) -> str:
    """The Hub commit of a pinned path, '' for other places."""
    if not path.startswith('hf://'):
        return ''
    from transforms.hub.place import HubPlace

    return HubPlace.parse(path).revision


def _list_local(folder: str, pattern: str) -> list[FileInfo]:
    """Files below a folder, also through linked folders; a link that leads nowhere is a file of no bytes.

    It is listed because leaving it out would lose it in silence: whoever opens it finds that it is missing.
    """
    matcher, found = glob_to_regex(pattern), []
    for base, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if name != '.work' and not _is_listed_already(os.path.join(base, name), folder)]
        for name in names:
            path = os.path.join(base, name)
            if not matcher.match(os.path.relpath(path, folder)):
                continue
            try:
                stat = os.stat(path)
            except OSError:
                found.append(FileInfo(path, 0, 0.0))
                continue
            if S_ISREG(stat.st_mode):
                found.append(FileInfo(path, stat.st_size, stat.st_mtime))
    return sorted(found, key=lambda info: info.path)


def _is_listed_already(path: str, root: str) -> bool:
    """Whether a linked folder leads into the listed folder, or to one that it lies in, which would be a circle."""
    if not os.path.islink(path):
        return False
    real = os.path.realpath(path).rstrip(os.sep) + os.sep
    here, top = (os.path.realpath(place).rstrip(os.sep) + os.sep for place in (os.path.dirname(path), root))
    return here.startswith(real) or real.startswith(top)


class _HashingFile:
    """A writable file that knows the size and sha256 of what passed through it."""

    def __init__(self, target: BinaryIO, path: str) -> None:
        self._target, self._path = target, path
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        with surroundings(self._path):
            self._target.write(data)
        self._digest.update(data)
        self.size += len(data)
        return len(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


@contextmanager
def surroundings(path: str) -> Iterator[None]:
    """Turns a full disk, missing permission or lost folder into RunAborted with a line that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f'no space left on the disk of {path}: free some, then run the same command again to resume'
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            message = f'no permission to write {path}: fix it, then run the same command again to resume'
        else:
            message = f'cannot write {path}: {error.strerror or error}'
        raise RunAborted(message) from error


@contextmanager
def atomic_writer(path: str) -> Iterator[_HashingFile]:
    """Yields a file that appears under `path` complete when the block ends, or not at all.

    Raises:
        RunAborted: the disk is full, or the place cannot be written.
    """
    if not is_local(path):
        from apache_beam.io.filesystem import CompressionTypes

        with _remote().create(path, compression_type=CompressionTypes.UNCOMPRESSED) as target:
            yield _HashingFile(target, path)
        return
    temp = os.path.join(os.path.dirname(path), f'.{uuid.uuid4().hex}.tmp')
    with surroundings(path):
        os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
        target = open(temp, 'wb')
    try:
        yield _HashingFile(target, path)
        with surroundings(path):
            target.close()
            os.replace(temp, path)
    finally:
        _discard(target, temp)


def _discard(target: BinaryIO, temp: str) -> None:
    """Closes and removes what is left of a file that did not make it to its name."""
    if os.path.exists(temp):
        os.unlink(temp)
    try:
        target.close()
    except OSError as error:  # what was buffered did not fit; it was to be thrown away anyway
        _LOG.debug('closing %s: %s', temp, error)


def write_bytes(path: str, data: bytes) -> None:
    """Writes one small file atomically."""
    with atomic_writer(path) as target:
        target.write(data)


def delete_file(path: str) -> None:
    """Removes one file; nothing happens where there is none."""
    if is_local(path):
        if os.path.exists(path):
            os.unlink(path)
    elif exists(path):
        _remote().delete([path])


def delete_tree(path: str) -> None:
    """Removes a folder and all in it; nothing happens where there is none."""
    if is_local(path):
        shutil.rmtree(path, ignore_errors=True)
    elif found := [info.path for info in list_files(path)]:
        _remote().delete(found)
