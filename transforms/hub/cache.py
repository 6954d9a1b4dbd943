"""BlockCache: what was read of the Hub, in 1 MiB blocks on the local disk, with a limit, for several processes.

A block is a file of its own under its file's content hash, written aside and renamed, so no process sees half of one, and
ends with a checksum, so one that a crash left damaged is fetched again.
Reading touches it; when the limit is passed, whoever notices removes the blocks that were not touched for longest.
"""

from __future__ import annotations

import os
import re
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path

from transforms.hub.errors import HubMissing
from transforms.hub.settings import is_offline
from transforms.hub.transport import HubFile

BLOCK = 1 << 20
_ETAG = re.compile(r'[0-9a-zA-Z]{20,128}\Z')
_SHRINK_EVERY = 64
_LEFT_AFTER = 0.9
_CHECKSUM = 4


class BlockCache:
    """Blocks under `folder`, at most `limit` bytes of them (passed by what is written between two looks)."""

    def __init__(self, folder: str, limit: int) -> None:
        self._folder, self._limit = Path(folder) / 'blocks', limit
        self._written = 0

    def read(self, file: HubFile, start: int, end: int, fetch: Callable[[int, int], bytes]) -> bytes:
        """The bytes [start, end): from blocks where they are there, else by `fetch(start, end)`, which fills them."""
        if not _ETAG.match(file.etag):
            return fetch(start, end)
        first, last = start // BLOCK, (end - 1) // BLOCK
        blocks = {n: data for n in range(first, last + 1) if (data := self._get(file, n)) is not None}
        missing = [n for n in range(first, last + 1) if n not in blocks]
        if missing and is_offline():
            raise HubMissing(f'{len(missing)} MiB of {file.hub_path} are not in the cache {self._folder.parent}, and '
                             'HF_HUB_OFFLINE is set: unset it, or run once online with the same --hub_cache')
        for run in _runs(missing):
            low, high = run[0] * BLOCK, min(file.size, (run[-1] + 1) * BLOCK)
            data = fetch(low, high)
            for n in run:
                blocks[n] = data[n * BLOCK - low:(n + 1) * BLOCK - low]
                self._put(file, n, blocks[n])
        whole = b''.join(blocks[n] for n in range(first, last + 1))
        return whole[start - first * BLOCK:end - first * BLOCK]

    def _path(self, file: HubFile, block: int) -> Path:
        return self._folder / file.etag[:2] / f'{file.etag}-{file.size}' / f'{block:07}'

    def _get(self, file: HubFile, block: int) -> bytes | None:
        path = self._path(file, block)
        try:
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        whole = len(data) == min(BLOCK, file.size - block * BLOCK) + _CHECKSUM
        return data[:-_CHECKSUM] if whole and _checksum(data[:-_CHECKSUM]) == data[-_CHECKSUM:] else None

    def _put(self, file: HubFile, block: int, data: bytes) -> None:
        path = self._path(file, block)
        temp = path.with_name(f'.{uuid.uuid4().hex}')
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temp.write_bytes(data + _checksum(data))
            os.replace(temp, path)
        except OSError:  # a full disk must not stop a run for the sake of a cache
            temp.unlink(missing_ok=True)
            return
        self._written += 1
        if self._written % _SHRINK_EVERY == 1:
            self.shrink()

    def shrink(self) -> None:
        """Removes the blocks that were not used for longest until the limit holds; one process at a time."""
        from filelock import FileLock, Timeout

        try:
            with FileLock(self._folder.parent / 'shrink.lock', timeout=0):
                self._shrink()
        except (Timeout, OSError):
            return  # another process is at it

    def _shrink(self) -> None:
        blocks = []
        for path in self._folder.rglob('*'):
            try:
                stat = path.stat()
            except OSError:
                continue
            if path.is_file():
                blocks.append((stat.st_mtime, stat.st_size, path))
        total = sum(size for _, size, _ in blocks)
        if total <= self._limit:
            return
        for _, size, path in sorted(blocks):
            path.unlink(missing_ok=True)
            total -= size
            if total <= _LEFT_AFTER * self._limit:
                return


def _checksum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(_CHECKSUM, 'big')


def _runs(numbers: list[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    return runs
