"""hf:// for every Beam reader, and for `transforms.files.storage`.

Files are read at the commit that the revision is when the path is first used; a path with @COMMIT is read at that one
wherever it is opened. What is created waits on the local disk until `transforms.hub.publish.publish` makes one commit
of it.
"""

import io
import os
import shutil
from collections.abc import Iterator
from functools import lru_cache
from typing import BinaryIO

from apache_beam.io.filesystem import (
    BeamIOError,
    CompressedFile,
    CompressionTypes,
    FileMetadata,
    FileSystem,
)

from transforms.files.storage import FileInfo
from transforms.hub.cache import BlockCache
from transforms.hub.errors import HubMissing
from transforms.hub.path import HubPath
from transforms.hub.reader import HubReader
from transforms.hub.repository import downloaded, find, is_folder, list_folder, pin
from transforms.hub.settings import current, endpoint, is_offline
from transforms.hub.staging import staged_files, staged_path
from transforms.hub.transport import HubFile, transport

_BUFFER = 256 << 10


@lru_cache(1024)
def _pinned(_home: str, hub_path: HubPath) -> HubPath:
    return pin(hub_path)


def resolve(path: str) -> HubPath:
    """What an hf:// path names, at its commit."""
    hub_path = HubPath.parse(path)
    return hub_path if hub_path.is_pinned else _pinned(endpoint(), hub_path)


def _find(path: str) -> HubFile:
    """The file at an hf:// path.

    Raises:
        FileNotFoundError: there is none.
    """
    file = find(resolve(path))
    if file is None:
        raise FileNotFoundError(2, 'no such file on the Hub', path)
    return file


def _open(file: HubFile) -> BinaryIO:
    """The file for reading: from huggingface_hub's cache when it is there whole, else by ranges, through our cache."""
    if path := downloaded(file):
        return open(path, 'rb')
    fetcher, settings = transport(), current()
    if not settings.cache:
        return HubReader(lambda start, end: fetcher.submit(file, start, end), file.size, str(file.hub_path))
    cache = BlockCache(settings.cache, settings.cache_bytes)

    def through_cache(start: int, end: int) -> bytes:
        return cache.read(file, start, end, lambda low, high: fetcher.fetch(file, low, high))

    return HubReader(lambda start, end: fetcher.call(through_cache, start, end), file.size, str(file.hub_path))


class HubFileSystem(FileSystem):
    """hf://datasets/NAMESPACE/NAME[@REVISION]/PATH, and what `transforms.files.storage.Versioned` asks for.

    Importing this module registers it: Beam finds a file system among the subclasses of its own.
    """

    @classmethod
    def scheme(cls) -> str:
        return 'hf'

    def pin(self, path: str) -> str:
        """The path at the commit that its revision is now; HubMissing, HubDenied or HubDown where that cannot be fetched."""
        return str(resolve(path))

    def revision_of(self, path: str) -> str:
        """The commit of a pinned path."""
        return HubPath.parse(path).revision

    def is_file(self, path: str) -> bool:
        """Whether a file, and no folder, is at an hf:// path."""
        hub_path = HubPath.parse(path)
        return bool(hub_path.path) and (os.path.isfile(staged_path(hub_path)) or find(resolve(path)) is not None)

    def list_infos(self, folder: str) -> Iterator[FileInfo]:
        """Files below an hf:// folder, with their content hashes, under the folder's own spelling."""
        asked = HubPath.parse(folder)
        prefix = f'{asked.path}/' if asked.path else ''
        for path, file in list_folder(resolve(folder)).items():
            if path.startswith(prefix):
                yield FileInfo(f"{folder.rstrip('/')}/{path[len(prefix):]}", file.size, 0.0, file.etag)

    def open_read(self, path: str) -> BinaryIO:
        """The file at an hf:// path, read by ranges as they are asked for; FileNotFoundError where there is none."""
        staged = staged_path(HubPath.parse(path))
        return open(staged, 'rb') if os.path.isfile(staged) else _open(_find(path))

    def open_listed(self, path: str, info: FileInfo) -> BinaryIO:
        """A file at a pinned hf:// path whose size and hash are known."""
        return _open(HubFile(HubPath.parse(path), info.size, info.etag))

    def join(self, basepath: str, *paths: str) -> str:
        return '/'.join([basepath.rstrip('/'), *(path.strip('/') for path in paths)])

    def split(self, path: str) -> tuple[str, str]:
        head, _, tail = path.rpartition('/')
        return head, tail

    def mkdirs(self, path: str) -> None:
        """Folders come with their files."""

    def has_dirs(self) -> bool:
        return True

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        asked = HubPath.parse(dir_or_prefix)
        # Spelt as asked for, so that patterns match: a revision may be written with / or with %2F.
        home = dir_or_prefix.rstrip('/').removesuffix(asked.path).rstrip('/')
        for path, file in self._published(dir_or_prefix).items():
            yield FileMetadata(f'{home}/{path}', file.size)
        for path, size in staged_files(asked):
            yield FileMetadata(f'{home}/{path}', size)

    @staticmethod
    def _published(path: str) -> dict[str, HubFile]:
        """What the Hub has there; nothing where the repository is still to be made by publishing."""
        try:
            return list_folder(resolve(path))
        except HubMissing:
            if is_offline() or not any(True for _ in staged_files(HubPath.parse(path).within(''))):
                raise
            return {}

    def create(self, path: str, mime_type: str = 'application/octet-stream',
               compression_type: str = CompressionTypes.AUTO) -> BinaryIO:
        """A file on the local disk until it is published."""
        target = staged_path(HubPath.parse(path))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        return self._compressed(open(target, 'wb'), path, compression_type)

    def open(self, path: str, mime_type: str = 'application/octet-stream',
             compression_type: str = CompressionTypes.AUTO) -> BinaryIO:
        source = self.open_read(path)
        if isinstance(source, HubReader):
            source = io.BufferedReader(source, _BUFFER)
        return self._compressed(source, path, compression_type)

    def _compressed(self, file: BinaryIO, path: str, compression: str) -> BinaryIO:
        kind = FileSystem._get_compression_type(path, compression)
        return file if kind == CompressionTypes.UNCOMPRESSED else CompressedFile(file, kind)

    def copy(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        self._each(source_file_names, destination_file_names, shutil.copyfile)

    def rename(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        self._each(source_file_names, destination_file_names, os.replace)

    def _each(self, sources: list[str], targets: list[str], action: object) -> None:
        faults = {}
        for source, target in zip(sources, targets, strict=True):
            try:
                path = staged_path(HubPath.parse(target))
                os.makedirs(os.path.dirname(path), exist_ok=True)
                action(staged_path(HubPath.parse(source)), path)
            except OSError as error:
                faults[source, target] = error
        if faults:
            raise BeamIOError('only files that are not published yet can be copied or renamed', faults)

    def exists(self, path: str) -> bool:
        hub_path = HubPath.parse(path)
        if os.path.exists(staged_path(hub_path)):
            return True
        try:
            pinned = resolve(path)
        except HubMissing:
            if is_offline():
                raise
            return False
        return not hub_path.path or find(pinned) is not None or is_folder(pinned)

    def size(self, path: str) -> int:
        return self.metadata(path).size_in_bytes

    def last_updated(self, path: str) -> float:
        """0: a commit has no time of its files. `checksum` tells a changed file."""
        return 0.0

    def checksum(self, path: str) -> str:
        return _find(path).etag

    def metadata(self, path: str) -> FileMetadata:
        staged = staged_path(HubPath.parse(path))
        if os.path.isfile(staged):
            return FileMetadata(path, os.path.getsize(staged))
        try:
            return FileMetadata(path, _find(path).size)
        except FileNotFoundError as error:
            raise BeamIOError('no such file', {path: error}) from error

    def delete(self, paths: list[str]) -> None:
        faults = {}
        for path in paths:
            staged = staged_path(HubPath.parse(path))
            try:
                shutil.rmtree(staged) if os.path.isdir(staged) else os.unlink(staged)
            except OSError as error:
                faults[path] = error
        if faults:
            raise BeamIOError('only files that are not published yet can be deleted', faults)
