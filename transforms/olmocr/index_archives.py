"""IndexArchives: which tarball holds which document, for mix-0225, whose rows do not say.

Every tarball is read once more for this, headers only; the newer dataset does not need it.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import apache_beam as beam
import orjson

from transforms.files import storage
from transforms.files.tar_stream import ArchiveDamaged, Oversized, stream_members
from transforms.olmocr.rows import OlmocrRow


def _stem(member: str) -> str:
    return member.rpartition('/')[2].rpartition('.')[0]


class ArchiveIndex:
    """Document stem to (archive, member); about 0.2 KB a document."""

    def __init__(self, folder: str) -> None:
        self._places: dict[str, tuple[str, str]] = {}
        for info in storage.list_files(folder, '*.json'):
            content = orjson.loads(storage.read_bytes(info.path))
            for member in content['members']:
                self._places.setdefault(_stem(member), (content['archive'], member))

    def locate(self, row: OlmocrRow) -> OlmocrRow:
        """The row with its archive and member; unchanged when no archive holds its document."""
        archive, member = self._places.get(_stem(row.member), ('', row.member))
        return replace(row, archive=archive, member=member)


class _IndexFn(beam.DoFn):
    def __init__(self, root: str, folder: str) -> None:
        self._root, self._folder = root, folder

    def process(self, archive: str) -> Iterator[str]:
        members = []
        with storage.open_read(storage.join(self._root, archive)) as source:
            try:
                members = [m.name for m in stream_members(source, lambda name: False) if m.odd == '']
            except (ArchiveDamaged, Oversized):
                pass  # told when the pages are read; what was listed until here is indexed
        path = storage.join(self._folder, hashlib.sha256(archive.encode()).hexdigest()[:20] + '.json')
        storage.write_bytes(path, orjson.dumps({'archive': archive, 'members': members}))
        yield archive


@dataclass(eq=False)
class IndexArchives(beam.PTransform):
    """PCollection[str] of archives to the same, each after its index file was written into `folder`."""

    root: str
    folder: str

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, archives: beam.PCollection[str]) -> beam.PCollection[str]:
        return archives | 'ListMembers' >> beam.ParDo(_IndexFn(self.root, self.folder))
