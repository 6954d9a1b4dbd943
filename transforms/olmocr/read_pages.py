"""ReadArchivePages: units of rows to pages with their documents' bytes, each tarball streamed once."""

import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput

from transforms.accounts.journal import Journal, read_journal
from transforms.accounts.records import DROPPED, Record, Tally, UnitError
from transforms.files import storage
from transforms.files.storage import is_unsafe
from transforms.files.tar_stream import (
    ArchiveDamaged,
    EndMissing,
    Member,
    Oversized,
    TrailingData,
    stream_members,
)
from transforms.olmocr.read_rows import PageUnit
from transforms.olmocr.row_store import RowStore
from transforms.olmocr.rows import ARCHIVE_ENDINGS, OlmocrRow
from transforms.pdf.pages import PageImage, PdfPage

_FOLDERS = ('pdf_tarballs/extracted', 'pdf_tarballs', '')
_MAX_LINKS = 16
_ODD_WARNINGS = {'link': 'odd_member', 'special': 'odd_member'}


class ArchivePages(NamedTuple):
    """The outputs of ReadArchivePages."""

    pages: beam.PCollection
    dropped: beam.PCollection
    tallies: beam.PCollection
    errors: beam.PCollection


def page_of(row: OlmocrRow, unit: PageUnit, turn: bool, data: bytes = b'', path: str = '') -> PdfPage:
    """The page to draw for a row: page 1 of its document, whatever page number the label knows."""
    return PdfPage(file=row.file, row=row.row, name=row.member, data=data, path=path, page=0,
                   rotation=row.rotation if turn else 0, expect_ink=bool(row.text and row.text.strip()),
                   output=row.output, unit=unit.name, context=row)


class _UnitReader:
    """Reads one unit: what the journal knows first, then the tarball or the folder for the rest."""

    def __init__(self, unit: PageUnit, root: str, journal: str, output: str, turn: bool, stop_early: bool,
                 max_bytes: int) -> None:
        self._unit, self._root, self._turn = unit, root, turn
        self._journal, self._stop_early, self._max_bytes = journal, stop_early, max_bytes
        self._store = RowStore(unit.segments)
        self._known = {key: outcome for key, outcome in read_journal(journal, unit.name).items()
                       if key[0] == '' or storage.is_still_there(output, outcome)}
        self._members = frozenset(self._store.members())
        self._left = set(self._members)
        self._warnings: Counter = Counter()
        # Symbolic links to their targets; hard ones to the number of the member that they share bytes with; the numbers of
        # the regular members of each name.
        self._links: dict[str, str] = {}
        self._hard_links: dict[str, int] = {}
        self._numbers: dict[str, list[int]] = {}
        self._archive, self._is_unclear = '', False

    def read(self) -> Iterator[object]:
        notes = self._known.get(('', 0))
        if notes is not None and all((self._unit.file, row) in self._known
                                     for member in self._left for row in self._store.row_numbers(member)):
            for member in sorted(self._left, key=self._store.row_numbers):
                yield from self._outcomes(member, b'')
            self._warnings.update(notes)
        elif self._find_archive():
            yield from self._read_archive()
        else:
            yield from self._read_folder()
        for name, count in sorted(self._warnings.items()):
            yield TaggedOutput('tallies', Tally(self._unit.file, 'warning', name, count))
        self._store.close()

    def _find_archive(self) -> bool:
        """Whether the tarball is there, under its name or packed in another way."""
        if not self._unit.archive or is_unsafe(self._unit.archive):
            return False
        stem = next((self._unit.archive.removesuffix(end) for end in ARCHIVE_ENDINGS if self._unit.archive.endswith(end)), '')
        for name in (self._unit.archive, *(stem + end for end in ARCHIVE_ENDINGS if stem)):
            if storage.is_file(storage.join(self._root, name)):
                self._archive = storage.join(self._root, name)
                return True
        return False

    def _outcomes(self, member: str, data: bytes, path: str = '') -> Iterator[PdfPage | PageImage]:
        for row in self._store.rows(member):
            page = page_of(row, self._unit, self._turn, data, path)
            known = self._known.get((row.file, row.row))
            yield page.outcome(known) if known else page

    def _read_archive(self) -> Iterator[object]:
        damage = ''
        try:
            yield from self._stream()
            if self._left and (self._links or self._hard_links):
                yield from self._stream_links()
        except EndMissing as error:
            self._warnings['archive_without_end'] += 1
            damage = str(error) if self._left else ''
        except TrailingData:
            self._warnings['archive_with_trailing_data'] += 1
        except (ArchiveDamaged, Oversized, PermissionError) as error:
            damage = f'{type(error).__name__}: {error}'
        if damage:
            lost = sum(len(self._store.row_numbers(member)) for member in self._left)
            yield TaggedOutput('errors', UnitError(self._unit.file, self._unit.archive, 'read', 'DamagedArchive',
                                                   damage, lost))
        yield from self._missing(damage)
        if not damage and not self._is_unclear:
            self._note()

    def _members_of_archive(self, wanted: Callable[[str], bool]) -> Iterator[Member]:
        with storage.open_read(self._archive) as source:
            yield from stream_members(source, wanted, self._max_bytes)

    def _stream(self) -> Iterator[object]:
        """The archive once from start to end; of several members of one name the last counts, as for `tar -x`."""
        # Names are looked at beforehand where that costs no network; elsewhere a second one is only compared.
        looked_ahead = storage.is_local(self._archive) and not self._stop_early
        last = self._last_of_each() if looked_ahead else {}
        checksums: dict[str, int] = {}
        for number, member in enumerate(self._members_of_archive(
                self._is_needed if looked_ahead else self._members.__contains__)):
            if not member.odd:
                self._forget_link(member.name)
                self._numbers.setdefault(member.name, []).append(number)
            elif member.odd == 'link':
                self._note_link(member)
            if last.get(member.name, number) != number:
                self._warnings['duplicate_member'] += 1
                continue
            if not looked_ahead and member.data:
                checksum = zlib.crc32(member.data)
                if checksums.setdefault(member.name, checksum) != checksum:
                    yield self._second_version(member.name)
            yield from self._take(member)
            if self._stop_early and not self._left:
                break

    def _forget_link(self, name: str) -> None:
        self._links.pop(name, None)
        self._hard_links.pop(name, None)

    def _note_link(self, member: Member) -> None:
        self._forget_link(member.name)
        target = member.target
        if not member.is_hard:
            self._links[member.name] = target
        elif target in self._hard_links:
            self._hard_links[member.name] = self._hard_links[target]
        elif target in self._numbers:
            self._hard_links[member.name] = self._numbers[target][-1]
        else:
            self._links[member.name] = target  # a hard link to a symbolic one

    def _last_of_each(self) -> dict[str, int]:
        last: dict[str, int] = {}
        try:
            for number, member in enumerate(self._members_of_archive(lambda name: False)):
                if member.name in self._members:
                    last[member.name] = number
        except (ArchiveDamaged, Oversized):
            pass  # reading reports it
        return last

    def _second_version(self, name: str) -> TaggedOutput:
        self._is_unclear = True
        message = f'{name[:200]} comes twice with different bytes, and the last counts: download the archive and run again'
        return TaggedOutput('errors', UnitError(self._unit.file, self._unit.archive, 'read', 'DuplicateMember', message, 1))

    def _stream_links(self) -> Iterator[object]:
        """A second time for members that are links to others; only what they lead to is unpacked.

        A hard link is what its target was by then, a symbolic one what its target is in the end; folders may be links too.
        """
        names: dict[int, list[str]] = {}
        for name in sorted(self._left):
            end = self._resolved(name)
            if end in self._hard_links:
                names.setdefault(self._hard_links[end], []).append(name)
            elif end != name and end in self._numbers:
                names.setdefault(self._numbers[end][-1], []).append(name)
        if not names:
            return
        targets = frozenset(name for name, numbers in self._numbers.items() if not names.keys().isdisjoint(numbers))
        for number, member in enumerate(self._members_of_archive(targets.__contains__)):
            for name in names.get(number, ()):
                self._left.discard(name)
                yield from self._outcomes(name, member.data)

    def _resolved(self, name: str) -> str:
        """Where a path leads by symbolic links, of the member or of a folder on the way."""
        for _ in range(_MAX_LINKS):
            if name in self._hard_links:
                return name
            parts = name.split('/')
            start = next((n for n in range(1, len(parts) + 1) if '/'.join(parts[:n]) in self._links), 0)
            if not start:
                return name
            name = '/'.join([self._links['/'.join(parts[:start])], *parts[start:]])
        return name

    def _is_needed(self, name: str) -> bool:
        return name in self._left and any(
            (self._unit.file, row) not in self._known for row in self._store.row_numbers(name))

    def _take(self, member: Member) -> Iterator[PdfPage | PageImage]:
        if member.odd == 'folder':
            return
        if member.name in self._members and member.name not in self._left:
            self._warnings[_ODD_WARNINGS.get(member.odd, 'duplicate_member')] += 1
        elif member.name not in self._members:
            # With --limit most members belong to rows that nobody read.
            if not self._stop_early and not self._store.is_named(member.name):
                self._warnings[_ODD_WARNINGS.get(member.odd, 'orphan_member')] += 1
        elif member.odd == 'link':
            return  # followed when all other members were read
        elif member.odd in _ODD_WARNINGS:
            self._warnings['odd_member'] += 1
        elif member.odd == 'too_big':
            self._left.discard(member.name)
            message = f'{member.name} has {member.size} bytes, over the limit of {self._max_bytes}'
            for row in self._store.rows(member.name):
                yield page_of(row, self._unit, False).failed('PageTooBig', message)
        else:
            self._left.discard(member.name)
            yield from self._outcomes(member.name, member.data)

    def _missing(self, damage: str) -> Iterator[PageImage]:
        for member in sorted(self._left, key=self._store.row_numbers):
            reason = f'the archive could not be read to its end ({damage})' if damage else \
                f'a link to {self._links[member][:100]}, which leads to no file in {self._unit.archive}' if member in self._links \
                else f'no such member in {self._unit.archive}'
            for row in self._store.rows(member):
                yield page_of(row, self._unit, False).failed('PdfMissing', reason, listed=not damage)

    def _note(self) -> None:
        journal = Journal(self._journal)
        journal.add(self._unit.name, '', 0, dict(self._warnings))
        journal.close()

    def _read_folder(self) -> Iterator[object]:
        places = {member: self._find(member) for member in self._left}
        if self._unit.archive and not any(places.values()):
            yield from self._archive_missing()
            return
        for member in sorted(self._left, key=self._store.row_numbers):
            if path := places[member]:
                data = b'' if storage.is_local(path) else storage.read_bytes(path)
                yield from self._outcomes(member, data, '' if data else path)
                continue
            reason = 'its path leaves the folder' if is_unsafe(member) else f'{member} is not in the input'
            for row in self._store.rows(member):
                yield page_of(row, self._unit, False).failed('PdfMissing', reason)

    def _find(self, member: str) -> str:
        if is_unsafe(member):
            return ''
        spellings = (member,) if member.isascii() else (member, unicodedata.normalize('NFD', member))
        paths = (storage.join(self._root, folder, name) if folder else storage.join(self._root, name)
                 for folder in _FOLDERS for name in spellings)
        return next((path for path in paths if storage.is_file_within(path, self._root)), '')

    def _archive_missing(self) -> Iterator[object]:
        message = f'neither {self._unit.archive} nor its extracted files are in the input'
        for member in sorted(self._left, key=self._store.row_numbers):
            for row in self._store.rows(member):
                yield TaggedOutput('dropped', Record(row.file, row.row, row.id, DROPPED, 'tarball_missing', message,
                                                     details=row.details()))
        self._warnings['tarball_missing'] += 1  # nothing was lost unread: partial downloads are common


class _ReadPagesFn(beam.DoFn):
    def __init__(self, settings: dict) -> None:
        self._settings = settings

    def process(self, unit: PageUnit) -> Iterator[
            PdfPage | PageImage | TaggedOutput[Literal['dropped'], Record] | TaggedOutput[Literal['tallies'], Tally]
            | TaggedOutput[Literal['errors'], UnitError]]:
        yield from _UnitReader(unit, **self._settings).read()


@dataclass(eq=False)
class ReadArchivePages(beam.PTransform):
    """PCollection[PageUnit] to ArchivePages: a PdfPage with bytes (or a path) for each row, or its known outcome.

    Tarballs are streamed once from start to end, documents in a folder are handed on as paths. A row whose outcome
    the journal knows leaves as that outcome, and a unit that is known whole is not opened. Memory: one document and
    the names of the unit's members. The elements carry payloads: RenderPDF must follow without a shuffle.

    Args:
        root: input folder.
        journal: folder of the journals.
        output: output folder, to see whether a journaled image is still there.
        turn: turn pages upright by their label.
        stop_early: leave a tarball when all its rows were found (with --limit).
        max_bytes: size of one document.
    """

    root: str
    journal: str
    output: str
    turn: bool = True
    stop_early: bool = False
    max_bytes: int = 512 << 20

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, units: beam.PCollection[PageUnit]):  # noqa: ANN201 - Beam reads tuples wrongly
        settings = {'root': self.root, 'journal': self.journal, 'output': self.output, 'turn': self.turn,
                    'stop_early': self.stop_early, 'max_bytes': self.max_bytes}
        read = units | 'StreamUnits' >> beam.ParDo(_ReadPagesFn(settings)).with_outputs(
            'dropped', 'tallies', 'errors', main='pages')
        return ArchivePages(read.pages, read.dropped, read.tallies, read.errors)
