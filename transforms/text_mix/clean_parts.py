"""CleanAndFilter: the documents of each part cleaned, measured and judged; those that stay wait in the work folder for the decision on duplicates."""

from __future__ import annotations

import hashlib
import heapq
import pickle
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import apache_beam as beam

from transforms.accounting.for_each_part import ForEachPart, Said
from transforms.accounting.fragments import FragmentRef
from transforms.accounting.outcome import DROPPED, FAILED, Outcome
from transforms.accounting.table import RecordTable
from transforms.files import storage
from transforms.keys.find_duplicates import UnitHashes, hash_text
from transforms.read_hf.read_hf import HFRecord
from transforms.report.summary import Comparison, Count
from transforms.run.part_stream import PartStream
from transforms.run.run import Run
from transforms.text.filters.language import detect
from transforms.text_mix.clean_document import Cleaned, Cleaner, json_line, with_reason
from transforms.text_mix.documents import (
    KIND,
    DocumentsWriter,
    documents_path,
    documents_schema,
    hashes_of,
    read_documents,
)
from transforms.text_mix.settings import TextSettings

_COMPARED = 12  # documents of all parts that the report shows before and after, three of each at least
_COMPARED_CHARACTERS = 1_500
_LOOKED_AT = 20_000


class CleanedParts(NamedTuple):
    """What CleanAndFilter gives.

    Attributes:
        main: PCollection[UnitHashes]: of the documents that no filter dropped; a part is a unit.
        accounts: for FinishRun.
    """

    main: beam.PCollection
    accounts: tuple[beam.PCollection, ...]


@dataclass(frozen=True)
class _CleanPart:
    settings: TextSettings
    run: Run
    as_json: bool
    keep_dropped: bool

    def __call__(self, part: int, records: Iterator[HFRecord], say: Callable[[Said], None]) -> None:
        settings, run = self.settings, self.run
        cleaner = Cleaner(settings, run.parts[part].source)
        compared = _Compared(part, run.seed, max(3, _COMPARED // len(run.parts)))
        secret, in_sample = hash_secret(run.seed), OneIn(settings.language_every)
        with storage.atomic_writer(documents_path(run, part)) as target:
            writer = DocumentsWriter(run, part, documents_schema(settings), target)
            with closing(writer):
                for record in records:
                    document = cleaner.clean(record.values)
                    file, row = record.origin.file, record.row
                    if document.error:
                        say(Outcome(part, file, row, document.id, FAILED, document.error, document.message, stage='clean'))
                        continue
                    if document.text and in_sample(file, row):
                        document.details['language'] = detect(document.text)[0]
                    if document.reason:
                        say(Outcome(part, file, row, document.id, DROPPED, document.reason, _explained(document), details=document.details))
                        if not self.keep_dropped:
                            continue
                    elif settings.dedup_key:
                        key = document.text.casefold() if settings.dedup_key == 'casefold' else document.text
                        document.details['dedup_key'] = hash_text(key, secret)
                    try:
                        data = self._record(document)
                    except (TypeError, ValueError, RecursionError) as error:
                        say(Outcome(part, file, row, document.id, FAILED, 'NoJsonForm', f'JSON cannot hold it: {error}', stage='write'))
                        continue
                    if not document.reason:
                        compared.add(file, row, document)
                    writer.add(file, row, document.id, document.reason, data, document.details)
        writer.save_files(target.sha256)
        if writer.rows:
            say(writer.ref)
        for name, count in sorted(cleaner.changes.items()):
            say(Count(part, 'view', name, count))
        if cleaner.without_rules:
            say(Count(part, 'warning', 'language_without_quality_rules', cleaner.without_rules))
        if settings.near_asked and part == run.parts[0].number:
            say(Count(part, 'warning', 'near_duplicates_kept', 1))
        for comparison in compared.smallest():
            say(comparison)

    def _record(self, document: Cleaned) -> bytes:
        values = document.values
        if document.reason:
            values = with_reason(values, document.reason, document.message)
        return json_line(values, self.settings.published) if self.as_json or document.reason else pickle.dumps(values, 5)


def _explained(document: Cleaned) -> str:
    start = ' '.join(document.text[:160].split())
    return f'{document.message}: {start}' if start else document.message


def hash_secret(seed: int) -> bytes:
    """The key of the hashes of documents: who does not know the seed cannot make two texts collide."""
    return f'documents {seed}'.encode()


class OneIn:
    """Whether a record, by its file and row, is one of a sample of one in so many; 0: none is."""

    def __init__(self, many: int) -> None:
        self._many, self._file, self._start = many, '', 0

    def __call__(self, file: str, row: int) -> bool:
        if self._many < 2:
            return self._many == 1
        if file != self._file:
            self._file, self._start = file, zlib.crc32(file.encode('utf-8', 'surrogatepass'))
        return zlib.crc32(row.to_bytes(8, 'little'), self._start) % self._many == 0


class _Compared:
    """The documents of a part with the smallest ranks, those first that cleaning changed."""

    def __init__(self, part: int, seed: int, count: int) -> None:
        self._count, self._part, self._secret = count, part, f'comparisons {seed}'.encode()
        self._held: list[tuple[int, int, Comparison]] = []

    def add(self, file: str, row: int, document: Cleaned) -> None:
        if document.raw is document.text:
            return
        rank = int.from_bytes(hashlib.blake2b(f'{file}:{row}'.encode(), digest_size=7, key=self._secret).digest(), 'big')
        if len(self._held) >= self._count and rank >= -self._held[0][0]:
            return
        before, after = around_change(document.raw, document.text)
        item = (-rank, -row, Comparison(self._part, rank, file, row, document.id, before, after))
        (heapq.heappush if len(self._held) < self._count else heapq.heappushpop)(self._held, item)

    def smallest(self) -> list[Comparison]:
        return [comparison for _, _, comparison in sorted(self._held, key=lambda item: (-item[0], -item[1]))]


def around_change(before: str, after: str) -> tuple[str, str]:
    """Stretches of both texts that begin shortly before the first difference."""
    first = next((i for i, (one, two) in enumerate(zip(before[:_LOOKED_AT], after[:_LOOKED_AT], strict=False)) if one != two),
                 min(len(before), len(after), _LOOKED_AT))
    start = max(0, first - 200)
    return before[start:start + _COMPARED_CHARACTERS], after[start:start + _COMPARED_CHARACTERS]


def _hashes(said: tuple[int, object], run: Run, sources: dict[int, int]) -> Iterator[UnitHashes]:
    part, ref = said
    if type(ref) is not FragmentRef or ref.kind != KIND:
        return
    priority = sources.get(run.parts[part].source, 0)
    for batch in read_documents(run, part):
        rows, files, hashes = hashes_of(batch)
        if len(rows):
            yield UnitHashes(part, rows, hashes, priority, files)


@dataclass(eq=False)
class CleanAndFilter(beam.PTransform):
    """PCollection[PartStream] of HFRecord to CleanedParts: documents cleaned and judged, in the order of the input.

    What is dropped or fails is in the accounts then; what stays is in files of the work folder, compressed, until `WriteDocuments` has
    taken it. Memory: a batch of 1,024 documents or 4 MiB for each part under way.

    Args:
        settings: how.
        run: the run.
        table: of the accounts, with the columns of the settings.
        as_json: keep records as lines of JSON; else as Python values, for formats with types.
        keep_dropped: keep what filters drop too.

    Raises:
        RunAborted: the disk is full or the work folder cannot be written.
    """

    settings: TextSettings
    run: Run
    table: RecordTable
    as_json: bool = True
    keep_dropped: bool = False

    def expand(self, parts: beam.PCollection[PartStream]):  # noqa: ANN201 - Beam reads tuples wrongly
        work = _CleanPart(self.settings, self.run, self.as_json, self.keep_dropped)
        cleaned = parts | 'ForEachPart' >> ForEachPart(self.run, work, self.table, 'clean')
        hashes = cleaned.main | 'ReadHashes' >> beam.FlatMap(_hashes, self.run, dict(self.settings.priorities)).with_output_types(UnitHashes)
        return CleanedParts(hashes, cleaned.accounts)
