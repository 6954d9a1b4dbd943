"""ReadArchivePages: units of rows to pages with their documents' bytes, each tarball streamed once."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput

import transforms.hub.filesystem  # noqa: F401 - registers hf:// with Beam
from transforms.accounting.outcome import DROPPED, Outcome
from transforms.accounting.step import ACCOUNTS
from transforms.files import storage
from transforms.files.decompress import DecompressionBomb
from transforms.files.storage import is_unsafe
from transforms.files.tar_stream import ArchiveDamaged, Member
from transforms.olmocr.archive_members import ArchiveMembers
from transforms.olmocr.discover import extracted_path
from transforms.olmocr.read_rows import PageUnit
from transforms.olmocr.row_store import RowStore
from transforms.olmocr.rows import ARCHIVE_ENDINGS, OlmocrRow
from transforms.pdf.pages import PageImage, PdfPage
from transforms.report.summary import Count, UnitError
from transforms.run.journal import Journal, is_output_there, read_journal
from transforms.run.run import Run

_IRREGULAR_WARNINGS = {'link': 'odd_member', 'special': 'odd_member'}


def page_of(row: OlmocrRow, unit: PageUnit, upright: bool, data: bytes = b'', path: str = '') -> PdfPage:
    """The page to render for a row: page 1 of its document, whatever page number the label knows."""
    return PdfPage(part=row.part, file=row.file, row=row.row, name=row.member, data=data, path=path, page=0,
                   rotation=row.rotation if upright else 0, expect_ink=bool(row.text and row.text.strip()),
                   output=row.output, unit=unit.name, context=row)


class _UnitReader:
    """Reads one unit: what the journal knows first, then the tarball or the folder for the rest."""

    def __init__(self, unit: PageUnit, root: str, run: Run, upright: bool, stop_early: bool, max_bytes: int) -> None:
        self._unit, self._root, self._upright, self._file = unit, root, upright, unit.file.name
        self._journal, self._stop_early, self._max_bytes = run.journal, stop_early, max_bytes
        self._store = RowStore(unit.segments)
        self._journaled = {key: outcome for key, outcome in read_journal(run.journal, unit.name).items()
                           if key[0] == '' or is_output_there(run.output, outcome)}
        self._members = frozenset(self._store.members())
        self._left = set(self._members)
        self._warnings: Counter = Counter()

    def read(self) -> Iterator[object]:
        journaled_warnings = self._journaled.get(('', 0))
        if journaled_warnings is not None and all((self._file, row) in self._journaled
                                                  for member in self._left for row in self._store.row_numbers(member)):
            for member in sorted(self._left, key=self._store.row_numbers):
                yield from self._outcomes(member, b'')
            self._warnings.update(journaled_warnings)
        elif path := self._find_archive():
            yield from self._read_archive(path)
        else:
            yield from self._read_folder()
        for name, count in sorted(self._warnings.items()):
            yield TaggedOutput(ACCOUNTS, Count(self._unit.file.first_part, 'warning', name, count))
        self._store.close()

    def _find_archive(self) -> str:
        """Path of the tarball, under its name or packed in another way; '' when it is not there."""
        if not self._unit.archive or is_unsafe(self._unit.archive):
            return ''
        stem = next((self._unit.archive.removesuffix(end) for end in ARCHIVE_ENDINGS if self._unit.archive.endswith(end)), '')
        for name in (self._unit.archive, *(stem + end for end in ARCHIVE_ENDINGS if stem)):
            if storage.is_file(path := storage.join(self._root, name)):
                return path
        return ''

    def _outcomes(self, member: str, data: bytes, path: str = '') -> Iterator[PdfPage | PageImage]:
        for row in self._store.rows(member):
            page = page_of(row, self._unit, self._upright, data, path)
            outcome = self._journaled.get((row.file, row.row))
            yield page.outcome(outcome) if outcome else page

    def _read_archive(self, path: str) -> Iterator[object]:
        damage = ''
        members = ArchiveMembers(path, self._members, self._max_bytes, storage.is_local(path) and not self._stop_early)
        try:
            for member in members.read(self._is_needed):
                yield from self._take(member)
                if self._stop_early and not self._left:
                    break
            for name, member in members.linked(self._left):
                self._left.discard(name)
                yield from self._outcomes(name, member.data)
            if members.without_end and self._left:
                damage = 'it has no end marker: it may have been cut between two members'
        except (ArchiveDamaged, DecompressionBomb, PermissionError) as error:
            damage = f'{type(error).__name__}: {error}'
        self._warnings.update({name: count for name, count in (
            ('duplicate_member', members.duplicates), ('archive_without_end', int(members.without_end)),
            ('archive_with_trailing_data', int(members.with_trailing_data))) if count})
        for name in members.second_versions:
            message = f'{name[:200]} comes twice with different bytes, and the last counts: download the archive and run again'
            yield self._fault('DuplicateMember', message, 1)
        if damage:
            yield self._fault('DamagedArchive', damage, sum(len(self._store.row_numbers(name)) for name in self._left))
        yield from self._missing(members, damage)
        if not damage and not members.second_versions:
            self._journal_warnings()

    def _fault(self, error: str, message: str, lost: int) -> TaggedOutput:
        return TaggedOutput(ACCOUNTS, UnitError(self._unit.file.first_part, self._file, self._unit.archive, 'read', error, message, lost))

    def _is_needed(self, name: str) -> bool:
        return name in self._left and any(
            (self._file, row) not in self._journaled for row in self._store.row_numbers(name))

    def _take(self, member: Member) -> Iterator[PdfPage | PageImage]:
        if member.irregular == 'folder':
            return
        if member.name in self._members and member.name not in self._left:
            self._warnings[_IRREGULAR_WARNINGS.get(member.irregular, 'duplicate_member')] += 1
        elif member.name not in self._members:
            # With --limit most members belong to rows that nobody read.
            if not self._stop_early and not self._store.is_named(member.name):
                self._warnings[_IRREGULAR_WARNINGS.get(member.irregular, 'orphan_member')] += 1
        elif member.irregular == 'link':
            return  # followed when all other members were read
        elif member.irregular in _IRREGULAR_WARNINGS:
            self._warnings['odd_member'] += 1
        elif member.irregular == 'too_big':
            self._left.discard(member.name)
            message = f'{member.name} has {member.size} bytes, over the limit of {self._max_bytes}'
            for row in self._store.rows(member.name):
                yield page_of(row, self._unit, False).failed('PageTooBig', message)
        else:
            self._left.discard(member.name)
            yield from self._outcomes(member.name, member.data)

    def _missing(self, members: ArchiveMembers, damage: str) -> Iterator[PageImage]:
        for member in sorted(self._left, key=self._store.row_numbers):
            if damage:
                reason = f'the archive could not be read to its end ({damage})'
            elif target := members.target_of(member):
                reason = f'a link to {target[:100]}, which leads to no file in {self._unit.archive}'
            else:
                reason = f'no such member in {self._unit.archive}'
            for row in self._store.rows(member):
                yield page_of(row, self._unit, False).failed('PdfMissing', reason, listed=not damage)

    def _journal_warnings(self) -> None:
        journal = Journal(self._journal)
        journal.add(self._unit.name, '', 0, dict(self._warnings))
        journal.close()

    def _read_folder(self) -> Iterator[object]:
        paths = {member: extracted_path(self._root, member) for member in self._left}
        if self._unit.archive and not any(paths.values()):
            yield from self._archive_missing()
            return
        for member in sorted(self._left, key=self._store.row_numbers):
            if path := paths[member]:
                data = b'' if storage.is_local(path) else storage.read_bytes(path)
                yield from self._outcomes(member, data, '' if data else path)
                continue
            reason = 'its path leaves the folder' if is_unsafe(member) else f'{member} is not in the input'
            for row in self._store.rows(member):
                yield page_of(row, self._unit, False).failed('PdfMissing', reason)

    def _archive_missing(self) -> Iterator[object]:
        message = f'neither {self._unit.archive} nor its extracted files are in the input'
        for member in sorted(self._left, key=self._store.row_numbers):
            for row in self._store.rows(member):
                yield TaggedOutput(ACCOUNTS, Outcome(row.part, row.file, row.row, row.id, DROPPED, 'tarball_missing', message,
                                                    details=row.details()))
        self._warnings['tarball_missing'] += 1  # nothing was lost unread: partial downloads are common


class _ReadPagesFn(beam.DoFn):
    def __init__(self, settings: dict) -> None:
        self._settings = settings

    def process(self, unit: PageUnit) -> Iterator[
            PdfPage | PageImage | TaggedOutput[Literal['accounts'], object]]:
        yield from _UnitReader(unit, **self._settings).read()


@dataclass(eq=False)
class ReadArchivePages(beam.PTransform):
    """PCollection[PageUnit] to `main`, a PdfPage with bytes (or a path) for each row or its journaled outcome, and `accounts`.

    Tarballs are streamed once from start to end, documents in a folder are passed on as paths. A row whose outcome
    the journal knows leaves as that outcome, and a unit that is journaled whole is not opened. Memory: one document and
    the names of the unit's members. The elements carry payloads: RenderPDF must follow without a shuffle.

    Args:
        root: input folder.
        run: the run, for its folders: a journaled image that is still there is not made again.
        upright: turn pages upright by their label.
        stop_early: leave a tarball when all its rows were found (with --limit).
        max_bytes: size of one document.
    """

    root: str
    run: Run
    upright: bool = True
    stop_early: bool = False
    max_bytes: int = 512 << 20

    def expand(self, units: beam.PCollection[PageUnit]):  # noqa: ANN201 - Beam reads tuples wrongly
        settings = {'root': self.root, 'run': self.run, 'upright': self.upright, 'stop_early': self.stop_early,
                    'max_bytes': self.max_bytes}
        return units | 'StreamUnits' >> beam.ParDo(_ReadPagesFn(settings)).with_outputs(ACCOUNTS, main='main')
