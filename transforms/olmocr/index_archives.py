"""IndexArchives: which tarball holds which document, for mix-0225, whose rows do not name it.

Every tarball is read once more for this, headers only; the newer dataset does not need it.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import apache_beam as beam
import orjson
from apache_beam.pvalue import TaggedOutput

import transforms.hub.filesystem  # noqa: F401 - registers hf:// with Beam
from transforms.accounting.step import ACCOUNTS
from transforms.files import storage
from transforms.files.decompress import DecompressionBomb
from transforms.files.tar_stream import ArchiveDamaged, TrailingData, stream_members
from transforms.olmocr.rows import OlmocrRow
from transforms.report.summary import UnitError


def _base(member: str) -> str:
    return member.rpartition('/')[2]


class ArchiveIndex:
    """Document to (archive, member), by its whole path or, where only one has it, its base name."""

    def __init__(self, folder: str) -> None:
        self._members: dict[str, tuple[str, str]] = {}
        self._names: dict[str, list[str]] = {}
        for info in storage.list_files(folder, '*.json'):
            content = orjson.loads(storage.read_bytes(info.path))
            for member in content['members']:
                if member not in self._members:
                    self._members[member] = (content['archive'], member)
                    self._names.setdefault(_base(member), []).append(member)

    def locate(self, row: OlmocrRow) -> OlmocrRow:
        """The row with its archive and member; unchanged when no archive holds its document."""
        named = self._names.get(_base(row.member), [])
        member = row.member if row.member in self._members or len(named) != 1 else named[0]
        archive, member = self._members.get(member, ('', row.member))
        return replace(row, archive=archive, member=member)


class _IndexFn(beam.DoFn):
    def __init__(self, root: str, folder: str) -> None:
        self._root, self._folder = root, folder

    def process(self, archive: str) -> Iterator[str | TaggedOutput[Literal['accounts'], UnitError]]:
        members: list[str] = []
        try:
            with storage.open_read(storage.join(self._root, archive)) as source:
                for member in stream_members(source, lambda name: False):
                    if member.irregular in ('', 'link') and _is_text(member.name):
                        members.append(member.name)
        except TrailingData:
            pass  # all members were listed
        except (ArchiveDamaged, DecompressionBomb, OSError) as error:
            if not members:  # else it is reported when its pages are read
                yield TaggedOutput(ACCOUNTS, UnitError(0, '', archive, 'index', 'DamagedArchive', str(error)))
        path = storage.join(self._folder, hashlib.sha256(archive.encode()).hexdigest()[:20] + '.json')
        storage.write_bytes(path, orjson.dumps({'archive': archive, 'members': members}))
        yield archive


def _is_text(name: str) -> bool:
    """False for names with bytes that are no UTF-8: no row can name such a member."""
    return name.isprintable() or not any('\ud800' <= c <= '\udfff' for c in name)


@dataclass(eq=False)
class IndexArchives(beam.PTransform):
    """PCollection[str] of archives to `main`, the same, each after its index file was written into `folder`, and `accounts`.

    An archive of which nothing can be read is an error; what can be listed of a damaged one is indexed.
    """

    root: str
    folder: str

    def expand(self, archives: beam.PCollection[str]):  # noqa: ANN201 - Beam reads tuples wrongly
        return archives | 'ListMembers' >> beam.ParDo(_IndexFn(self.root, self.folder)).with_outputs(ACCOUNTS, main='main')
