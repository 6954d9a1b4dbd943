"""LookedAt: what planning has read of files of the Hub, kept so that neither workers nor another try of the run fetch it again."""

from __future__ import annotations

import hashlib
import tempfile
import threading

from transforms.files import storage
from transforms.files.storage import FileInfo


class LookedAt:
    """Footers, and what heads of files say, by the file's identity; in a temporary folder until the run has a work folder of its own.

    For several threads.

    Args:
        folder: where an earlier try of the run has left them, and where `save` leaves them; '' for nowhere.

    Attributes:
        folder: the same.
    """

    def __init__(self, folder: str = '') -> None:
        self.folder = folder
        self._temporary: tempfile.TemporaryDirectory | None = None
        self._names: list[str] = []
        self._lock = threading.Lock()

    def get(self, kind: str, root: str, file: FileInfo, *more: str) -> bytes | None:
        """What is known of a file; None for nothing, and of a file on this machine, which is read again instead."""
        path = storage.join(self.folder, _name(kind, root, file, more))
        return storage.read_bytes(path) if self.folder and not storage.is_local(root) and storage.exists(path) else None

    def put(self, data: bytes, kind: str, root: str, file: FileInfo, *more: str) -> None:
        """Keeps what was read of a file of the Hub."""
        if not self.folder or storage.is_local(root):
            return
        with self._lock:
            self._temporary = self._temporary or tempfile.TemporaryDirectory(prefix='beam-looked-')
        name = _name(kind, root, file, more)
        storage.write_bytes(storage.join(self._temporary.name, name), data)
        self._names.append(name)

    def save(self) -> None:
        """Moves what was kept to the folder.

        Raises:
            RunAborted: the disk is full or the work folder cannot be written.
        """
        for name in self._names:
            storage.write_bytes(storage.join(self.folder, name), storage.read_bytes(storage.join(self._temporary.name, name)))
        self._names = []
        if self._temporary:
            self._temporary.cleanup()
            self._temporary = None


def _name(kind: str, root: str, file: FileInfo, more: tuple[str, ...]) -> str:
    identity = '\0'.join((root, file.path, str(file.size), str(file.fingerprint), *more))
    return f"{kind}-{hashlib.blake2b(identity.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"
