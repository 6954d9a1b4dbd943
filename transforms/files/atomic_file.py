"""Files that appear under their names complete, or not at all."""

from __future__ import annotations

import errno
import hashlib
import io
import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from transforms.files.abort import RunAborted
from transforms.files.paths import is_local
from transforms.files.remote_file import remote_writer

_LOG = logging.getLogger(__name__)


class HashingWriter(io.RawIOBase):
    """A writable file that counts and hashes what passes through it to another; closing it leaves that one open.

    Attributes:
        size: bytes written so far.
    """

    def __init__(self, target: BinaryIO, path: str) -> None:
        self._target, self._path = target, path
        self._digest = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        """True: it is write-only."""
        return True

    def write(self, data: bytes) -> int:
        """Writes all of it, counts and hashes it; returns its length in bytes.

        Raises:
            RunAborted: the disk is full, or the place cannot be written.
            ValueError: it was closed.
        """
        if self.closed:
            raise ValueError(f'{self._path} is closed')
        with storage_errors(self._path):
            self._target.write(data)
        self._digest.update(data)
        written = len(data) if type(data) is bytes else memoryview(data).nbytes
        self.size += written
        return written

    @property
    def sha256(self) -> str:
        """Of what was written so far, in hexadecimal."""
        return self._digest.hexdigest()


@contextmanager
def storage_errors(path: str) -> Iterator[None]:
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
def atomic_writer(path: str, staging_dir: str = '') -> Iterator[HashingWriter]:
    """Yields a file that appears under `path` complete when the block ends, or not at all.

    Args:
        path: of the file.
        staging_dir: folder of the same disk in which it lies until then; '' for that of the file.

    Raises:
        RunAborted: the disk is full, or the place cannot be written.
    """
    if not is_local(path):
        with remote_writer(path) as target:
            yield HashingWriter(target, path)
        return
    temp = os.path.join(staging_dir or os.path.dirname(path), f'.{uuid.uuid4().hex}.tmp')
    with storage_errors(path):
        for folder in (os.path.dirname(path), staging_dir):
            os.makedirs(folder or '.', exist_ok=True)
        target = open(temp, 'wb')
    try:
        yield HashingWriter(target, path)
        with storage_errors(path):
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
