"""What an input folder of a LLaVA pretraining set holds: chat.json, and its images in a zip or a folder."""

from __future__ import annotations

from dataclasses import dataclass

import transforms.hub.filesystem  # noqa: F401 - registers hf:// with Beam
from transforms.files import storage
from transforms.files.abort import InputError
from transforms.files.lfs import IS_POINTER, is_lfs_pointer_at
from transforms.files.storage import FileInfo
from transforms.hub.address import check_is_folder, missing

CHAT = 'chat.json'
_ARCHIVES = ('images.zip', 'image.zip')
_FOLDER = 'images'
_COUNTED_BYTES, _RECORD_BYTES = 1 << 20, 350  # a record's mean in the published chat.json


@dataclass(frozen=True)
class Cc3mInput:
    """A whole input; paths are relative to the root.

    Attributes:
        root: pinned folder.
        chat: the chat.json.
        archive: the zip of the images, None when they lie in a folder.
        folder: folder of the images ('' for the root itself) when there is no archive.
        images: images in the folder, for the plan; 0 when they are in an archive.
        image_bytes: their size.
        digest: of the images' paths, sizes and fingerprints in a folder.
        beside: folder of images beside the archive, which is not read.
    """

    root: str
    chat: FileInfo
    archive: FileInfo | None
    folder: str = ''
    images: int = 0
    image_bytes: int = 0
    digest: str = ''
    beside: str = ''

    @property
    def bytes(self) -> int:
        """Size of the images, or of their archive."""
        return self.archive.size if self.archive else self.image_bytes

    @property
    def expected_records(self) -> int:
        """The number of records: counted in a small chat.json, else by the published set's mean size of one."""
        if self.chat.size > _COUNTED_BYTES:
            return max(1, self.chat.size // _RECORD_BYTES)
        return max(1, storage.read_bytes(storage.join(self.root, self.chat.path)).count(b'"conversations"'))

    @property
    def inputs(self) -> tuple[tuple[str, int, float | str], ...]:
        """(path, bytes, fingerprint) of chat.json and of the archive, or one entry with the digest of a folder's images."""
        chat = (self.chat.path, self.chat.size, self.chat.fingerprint)
        if self.archive:
            return chat, (self.archive.path, self.archive.size, self.archive.fingerprint)
        return chat, (f'{self.images} images, digest {self.digest}', self.image_bytes, 0.0)


def discover(root: str) -> Cc3mInput:
    """Finds chat.json and images.

    Raises:
        InputError: one of them is not there.
    """
    if not storage.exists(root):
        raise InputError(f'--input {missing(root)}. It must be the folder that liuhaotian/LLaVA-CC3M-Pretrain-595K was '
                         'downloaded to, or its place on the Hub')
    check_is_folder(root)
    prefix = len(root.rstrip('/')) + 1
    files = {i.path[prefix:]: FileInfo(i.path[prefix:], i.size, i.modified, i.etag) for i in storage.list_files(root)}
    if CHAT not in files:
        near = sorted(p for p in files if p.endswith(('.json', '.jsonl')))[:5]
        raise InputError(f"--input {root} has no {CHAT} at its top{'; it has ' + ', '.join(near) if near else ''}")
    if pointers := [name for name in (CHAT, *_ARCHIVES) if name in files and is_lfs_pointer_at(storage.join(root, name))]:
        raise InputError(f'--input {storage.join(root, pointers[0])}: {IS_POINTER}')
    within = [i for p, i in files.items() if p.startswith(f'{_FOLDER}/')]
    for name in _ARCHIVES:
        if name in files:
            # A folder beside the zip may be what an unfinished unzip left.
            return Cc3mInput(root, files[CHAT], files[name], beside=_FOLDER if within else '')
    if within:
        return _of_folder(root, files[CHAT], _FOLDER, within)
    loose = [i for p, i in files.items() if p.lower().endswith(('.jpg', '.jpeg', '.png', '.webp'))]
    if loose:
        return _of_folder(root, files[CHAT], '', loose)
    raise InputError(f'--input {root} has neither images.zip nor a folder images/: download all of the dataset')


def _of_folder(root: str, chat: FileInfo, folder: str, images: list[FileInfo]) -> Cc3mInput:
    import hashlib

    digest = hashlib.sha256(repr([(i.path, i.size, i.fingerprint) for i in images]).encode()).hexdigest()[:16]
    return Cc3mInput(root, chat, None, folder, len(images), sum(i.size for i in images), digest)
