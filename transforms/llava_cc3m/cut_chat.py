"""CutChat: chat.json, read once, to units of records whose images lie together.

The order of chat.json is not that of the images, and an archive on the Hub is best read from its start to its end. So
records are checked by themselves, looked up in the archive's directory, and put into small files by the 64 MiB stretch
of the archive that their image begins in; what goes on is a reference for each stretch.
"""

import hashlib
import posixpath
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Literal

import apache_beam as beam
import orjson
from apache_beam.pvalue import TaggedOutput

import transforms.hub.filesystem  # noqa: F401 - registers hf:// with Beam
from transforms.accounting.fragments import FragmentRef, write_payloads
from transforms.accounting.outcome import DROPPED, FAILED, WRITTEN, Outcome, Payload
from transforms.accounting.step import ACCOUNTS, CollectAccounts, StepOutput
from transforms.files import storage
from transforms.files.json_values import BOM, JsonError, JsonItem, dumps, iter_items, loads
from transforms.files.spill import SpillingBuffers
from transforms.files.zip_index import BadZip, ZipIndex, hash_name
from transforms.image.image_folder import METADATA, metadata_line
from transforms.llava_cc3m.discover import CHAT, Cc3mInput
from transforms.llava_cc3m.rules import check_record, fixed, used_turns, warnings_of
from transforms.report.summary import Count, UnitError
from transforms.run.run import Run
from transforms.run.start_up_check import StartUpCheck

PART = 0  # chat.json cannot be cut: it is one source of one part
_STRETCH = 64 << 20
_FOLDER_UNIT_ROWS = 1000
_HELD_BYTES = 32 << 20
_LONGEST_RECORD = 32 << 20
# What a JSON value's error is among the drop reasons.
_REASONS = {'LoneSurrogate': 'lone_surrogate'}


@dataclass(frozen=True)
class ChatUnit:
    """Records whose images lie together: stretch `number` of the archive, or a thousand rows.

    Attributes:
        number: of the unit.
        segments: files of its records (each payload is a line of JSON {'entry': ...}, then the record).
        end: end of the last image in the archive, 0 for a folder.
    """

    number: int
    segments: tuple[FragmentRef, ...]
    end: int = 0

    @property
    def name(self) -> str:
        """What journals call the unit, such as 'images 000012'."""
        return f'images {self.number:06d}'


class _Names:
    """Names of images that were taken, so that none is both a file and a folder; 8 bytes of hash for each."""

    def __init__(self) -> None:
        self._files: set[int] = set()
        self._folders: set[int] = set()

    def take(self, name: str) -> bool:
        """False when the name cannot stand beside those taken before."""
        parts = name.split('/')
        folders = [hash_name('/'.join(parts[:i])) for i in range(1, len(parts))]
        if hash_name(name) in self._folders or any(folder in self._files for folder in folders):
            return False
        self._files.add(hash_name(name))
        self._folders.update(folders)
        return True


class _PartitionByArchive:
    """Puts records into small files by unit, and ends with unit references."""

    def __init__(self, folder: str) -> None:
        self._ends: Counter = Counter()
        self._buffers = SpillingBuffers(lambda items: write_payloads(folder, PART, 'chat', items), _HELD_BYTES)

    def add(self, unit: int, row: int, payload: bytes, end: int) -> None:
        self._ends[unit] = max(self._ends[unit], end)
        self._buffers.add(unit, (CHAT, row, payload), len(payload) + 300)

    def finish(self) -> Iterator[ChatUnit]:
        for unit, segments in self._buffers.finish():
            yield ChatUnit(unit, segments, self._ends[unit])


def read_chat(root: str, found: Cc3mInput) -> Iterator[tuple[int, JsonItem] | UnitError]:
    """(number, item) of chat.json in order; a UnitError where it stops making sense."""
    row = 0
    with storage.open_info(root, found.chat) as source:
        if not source.read(64).removeprefix(BOM).lstrip().startswith(b'['):
            yield UnitError(PART, CHAT, 'whole file', 'read', 'NotAList', 'chat.json must be one JSON list of records')
            return
        source.seek(0)
        try:
            for item in iter_items(source.read, _LONGEST_RECORD):
                yield row, item
                row += 1
        except JsonError as error:
            yield UnitError(PART, CHAT, f'from record {row}', 'read', error.error, str(error)[:200])


class _CutChatFn(beam.DoFn):
    def __init__(self, found: Cc3mInput, folder: str, fix: str, strict: bool, limit: int) -> None:
        self._found, self._folder, self._fix, self._strict, self._limit = found, folder, fix, strict, limit

    def process(self, _: str) -> Iterator[
            ChatUnit | TaggedOutput[Literal['accounts'], object]]:
        found, partition, seen, used, count = self._found, _PartitionByArchive(self._folder), set(), set(), 0
        names = _Names()
        index = None
        if found.archive:
            try:
                with storage.open_info(found.root, found.archive) as source:
                    index = ZipIndex(source, found.archive.size)
            except BadZip as error:
                yield TaggedOutput(ACCOUNTS, UnitError(PART, CHAT, found.archive.path, 'read', 'DamagedArchive', str(error)))
        for item in read_chat(found.root, found):
            if isinstance(item, UnitError):
                yield TaggedOutput(ACCOUNTS, item)
                break
            if self._limit and count >= self._limit:
                break
            count += 1
            for said in self._assign(*item, index, partition, seen, used, names):
                yield TaggedOutput(ACCOUNTS, said)
        yield from partition.finish()
        yield TaggedOutput(ACCOUNTS, Count(PART, 'read', '', count))
        orphans = (len(index) if index is not None else found.images) - len(used)
        if orphans > 0 and not self._limit and index is not None:
            yield TaggedOutput(ACCOUNTS, Count(PART, 'warning', 'orphan_member', orphans))

    def _assign(self, row: int, item: JsonItem, index: ZipIndex | None, partition: _PartitionByArchive, seen: set,
                used: set, names: _Names) -> Iterator[object]:
        """Puts the record into its unit, or says what becomes of it without an image."""
        record = item.value
        reason, message = (_REASONS.get(item.error, 'bad_record'), item.message) if item.error else check_record(record, self._strict)
        image = posixpath.normpath(record['image']) if isinstance(record, dict) and isinstance(record.get('image'), str) else ''
        entry = index.find(image) if index is not None and image else None
        if entry is not None:
            used.add(entry.offset)
        own_id = _id_of(record)
        if not reason and self._strict:
            mark = hashlib.sha256(own_id.encode('utf-8', 'surrogatepass')).digest()[:8]
            if mark in seen:
                reason, message = 'duplicate_id', 'an earlier record has this id'
            seen.add(mark)
        if not reason and image and not names.take(image):
            reason, message = 'unsafe_image_path', f'image {image[:100]!r} is a folder of another, or the reverse'
        payload = b''
        if not reason:
            try:
                payload = dumps(fixed(record, self._fix))
            except (TypeError, ValueError) as error:
                reason, message = 'bad_record', str(error)[:200]
        own_id = own_id[:200]
        if not reason and image and self._found.archive and entry is None:
            if index is None:
                yield Outcome(PART, CHAT, row, own_id, FAILED, 'ArchiveUnreadable', f'{self._found.archive.path} cannot be read',
                              stage='read', listed=False)
                return
            reason, message = 'image_missing', f'no member {image[:100]} in {self._found.archive.path}'
        if reason:
            yield Outcome(PART, CHAT, row, own_id, DROPPED, reason, message)
            return
        yield from (Count(PART, 'warning', name, 1) for name in ([] if self._strict else warnings_of(record)))
        if not image:  # there is nothing to check but the text
            yield Outcome(PART, CHAT, row, own_id, WRITTEN)
            yield from sample_payloads(CHAT, row, own_id, payload, '')
            return
        where, unit, end = None, row // _FOLDER_UNIT_ROWS, 0
        if entry is not None:
            where = astuple(entry)
            # Behind a member's bytes come at most its data descriptor; before them its name and extra fields.
            unit, end = entry.offset // _STRETCH, entry.offset + entry.packed + 1024
        head = orjson.dumps({'entry': where, 'id': own_id, 'image': image})
        partition.add(unit, row, head + b'\n' + payload, end)


def sample_payloads(file: str, row: int, own_id: str, sample: bytes, output: str) -> Iterator[Payload]:
    """The sample for chat.json as it is, and the line by which `datasets` finds the image with its conversation."""
    yield Payload(PART, file, row, CHAT, sample)
    turns = [{'from': turn['from'], 'value': turn['value']} for turn in loads(sample)['conversations']]
    answer = next(turn['value'] for turn in used_turns(turns) if turn['from'] == 'gpt')
    yield Payload(PART, file, row, METADATA['train'], metadata_line(output, {'id': own_id, 'text': answer, 'conversations': turns}))


def _id_of(record: object) -> str:
    """A record's id as text for the accounts: other types as JSON, '' where there is none."""
    own_id = record.get('id') if isinstance(record, dict) else None
    text = own_id if isinstance(own_id, str) else '' if own_id is None else dumps(own_id).decode()
    return text.encode('utf-8', 'backslashreplace').decode()


@dataclass(eq=False)
class CutChat(beam.PTransform):
    """PBegin to StepOutput: `main` are ChatUnits, records whose images lie together, spread over the workers.

    One worker reads chat.json once; memory is 32 MiB of records, 40 bytes for each member of the archive and about 150
    for each image, and with `strict` for each id.

    Args:
        found: the input.
        run: the run.
        fix: 'none' or 'first_image_token' (see `rules.fixed`).
        strict: whether only records such as the published set has are kept.
        limit: records to read, 0 for all.

    Raises:
        RunAborted: the work folder cannot be written, or the Hub fails.
    """

    found: Cc3mInput
    run: Run
    fix: str = 'none'
    strict: bool = False
    limit: int = 0

    def expand(self, pbegin: beam.pvalue.PBegin):  # noqa: ANN201 - Beam reads tuples wrongly
        cut = (pbegin | 'Chat' >> beam.Create([self.found.chat.path]) | 'Check' >> StartUpCheck(self.run)
               | 'Cut' >> beam.ParDo(_CutChatFn(self.found, storage.join(self.run.work, 'rows'), self.fix, self.strict, self.limit)
                                     ).with_outputs(ACCOUNTS, main='main'))
        return StepOutput(cut.main | 'SpreadUnits' >> beam.Reshuffle(), (cut.accounts | 'Collect' >> CollectAccounts(self.run),))
