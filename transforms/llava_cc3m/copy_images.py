"""CopyImages: units of records to checked images under their final names, byte for byte."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import starmap
from typing import BinaryIO, Literal

import apache_beam as beam
import orjson
from apache_beam.pvalue import TaggedOutput

import transforms.hub.filesystem  # noqa: F401 - registers hf:// with Beam
from transforms.accounting.fragments import read_payloads
from transforms.accounting.outcome import DROPPED, WRITTEN, Outcome, Payload
from transforms.accounting.product import JoinedFile
from transforms.accounting.step import ACCOUNTS, CollectAccounts, StepOutput
from transforms.accounting.table import RecordTable
from transforms.files import storage
from transforms.files.paths import spellings
from transforms.files.zip_index import BadZip, ZipEntry, read_member
from transforms.image.check_image import CheckImage, ImageLimits
from transforms.image.sheet import CONTACT_SHEET
from transforms.llava.validate import check_image_exists
from transforms.llava.write_llava import chat_file
from transforms.llava_cc3m.cut_chat import PART, ChatUnit, sample_payloads
from transforms.llava_cc3m.discover import CHAT, Cc3mInput
from transforms.llava_cc3m.rules import check_sample
from transforms.report.page import Histogram, Report
from transforms.run.hints import InOneStage
from transforms.run.journal import is_output_there, read_journal
from transforms.run.run import Run
from transforms.run.start_up_check import StartUpCheck
from transforms.run.write_once import WriteOnce
from transforms.sandbox.pool import Answer, Pool, acquire_pool, release_pool
from transforms.sandbox.window import Window

IMAGES = 'images'
COLUMNS = (('width', 'int32'), ('height', 'int32'), ('format', 'string'))
CC3M_TABLE = RecordTable(COLUMNS, shared_outputs=True)  # two records may name one image
CC3M_REPORT = Report((Histogram('bytes', 'Image file size, bytes'), Histogram('width', 'Image width, pixels'),
                      Histogram('height', 'Image height, pixels'), Histogram('format', 'Format')), (CONTACT_SHEET,))
_AHEAD = 8
_REASONS = {'ImageTooBig': 'image_too_big', 'ImageTimeout': 'image_too_big', 'ImageOutOfMemory': 'image_too_big',
            'ImageTooSmall': 'image_too_small', 'TruncatedImage': 'image_truncated'}


@dataclass(frozen=True)
class _Task:
    """One record, its image, and where that lies."""

    row: int
    id: str
    image: str
    sample: bytes
    entry: ZipEntry | None


def _task(file: str, row: int, payload: bytes) -> _Task:
    head, _, sample = payload.partition(b'\n')
    known = orjson.loads(head)
    return _Task(row, known['id'], known['image'], sample, ZipEntry(*known['entry']) if known['entry'] else None)


class _CopyFn(beam.DoFn):
    def __init__(self, found: Cc3mInput, run: Run, limits: ImageLimits, processes: int) -> None:
        self._found, self._run, self._limits, self._processes = found, run, limits, processes
        self._output = run.output

    def setup(self) -> None:
        self._pool: Pool = acquire_pool((CheckImage,), self._limits, self._processes)
        self._writer = WriteOnce(self._run)

    def teardown(self) -> None:
        release_pool(self._pool)

    def finish_bundle(self) -> None:
        self._writer.close()

    def process(self, unit: ChatUnit) -> Iterator[Payload | TaggedOutput[Literal['accounts'], Outcome]]:
        file = self._found.chat.path
        journaled = {row: outcome for (_, row), outcome in read_journal(self._run.journal, unit.name).items()}
        waiting: list[_Task] = []
        for task in starmap(_task, read_payloads(unit.segments, self._run.fragments)):
            outcome = journaled.get(task.row)
            if outcome and is_output_there(self._output, outcome):
                yield from self._ended(file, task, outcome)
            else:
                waiting.append(task)
        waiting.sort(key=lambda task: (task.entry.offset if task.entry else 0, task.row))
        for task, data, outcome in self._outcomes(unit, waiting):
            path = outcome.get('output', '')
            self._writer.write(unit.name, file, task.row, outcome, path, data if path and self._is_new(path, data) else b'')
            yield from self._ended(file, task, outcome)

    def _is_new(self, path: str, data: bytes) -> bool:
        target = storage.join(self._output, path)
        return not (storage.is_local(target) and storage.size_of(target) == len(data) and storage.read_bytes(target) == data)

    def _ended(self, file: str, task: _Task, outcome: dict) -> Iterator[object]:
        if reason := outcome.get('error'):
            yield TaggedOutput(ACCOUNTS, Outcome(PART, file, task.row, task.id, DROPPED, reason, outcome['message']))
            return
        details = {name: outcome[name] for name, _ in COLUMNS}
        yield TaggedOutput(ACCOUNTS, Outcome(
            PART, file, task.row, task.id, WRITTEN, output=outcome['output'], bytes=outcome['bytes'],
            sha256=outcome['sha256'], details=details))
        yield from sample_payloads(file, task.row, task.id, task.sample, outcome['output'])

    def _outcomes(self, unit: ChatUnit, tasks: list[_Task]) -> Iterator[tuple[_Task, bytes, dict]]:
        """Outcomes in the order of the tasks, some images being checked at one time."""
        if not tasks:
            return
        window: Window[tuple[_Task, bytes]] = Window(self._pool, _AHEAD * self._pool.processes, in_order=True)
        source = self._open_archive(unit, tasks)
        try:
            for task in tasks:
                data = self._read(source, task)
                if isinstance(data, dict):
                    yield task, b'', data
                    continue
                window.submit((task, data), CheckImage, {}, data)
                yield from map(_checked, window.ready())
            yield from map(_checked, window.rest())
        finally:
            if source:
                source.close()

    def _open_archive(self, unit: ChatUnit, tasks: list[_Task]) -> BinaryIO | None:
        if not self._found.archive:
            return None
        source = storage.open_info(self._found.root, self._found.archive)
        if hasattr(source, 'prefetch'):
            source.prefetch([(tasks[0].entry.offset, min(unit.end, self._found.archive.size))])
        return source

    def _read(self, source: BinaryIO | None, task: _Task) -> bytes | dict:
        limit = self._limits.max_bytes
        if source is not None:
            if max(task.entry.size, task.entry.packed) > limit:
                return _dropped('image_too_big', f'it has {task.entry.size} bytes, over the limit of {limit}')
            try:
                return read_member(source, task.entry, task.image)
            except BadZip as error:
                return _dropped('image_undecodable', str(error))
        root = storage.join(self._found.root, self._found.folder) if self._found.folder else self._found.root
        path = next(filter(storage.is_file, spellings(storage.join(root, task.image))), '')
        if not path:
            return _dropped('image_missing', f'no file {task.image[:100]} in {self._found.folder or "the input"}')
        if storage.is_local(path) and storage.size_of(path) > limit:
            return _dropped('image_too_big', f'it has {storage.size_of(path)} bytes, over the limit of {limit}')
        return storage.read_bytes(path)


def _checked(answered: tuple[tuple[_Task, bytes], Answer]) -> tuple[_Task, bytes, dict]:
    (task, data), answer = answered
    header = answer.header
    if error := header.get('error'):
        return task, b'', _dropped(_REASONS.get(error, 'image_undecodable'), header['message'])
    return task, data, {'output': f'{IMAGES}/{task.image}', 'bytes': len(data),
                        'sha256': hashlib.sha256(data).hexdigest(), **{name: header[name] for name, _ in COLUMNS}}


def _dropped(reason: str, message: str) -> dict:
    return {'error': reason, 'message': message}


@dataclass(eq=False)
class CopyImages(beam.PTransform):
    """PCollection[ChatUnit] to StepOutput: `main` are the samples whose image was copied, as Payload for chat.json.

    Each image is decoded in a sandboxed process; the bytes that are written are those that were read. Outcomes that
    the journal knows are used as they are. Memory: eight images for each process.

    Args:
        found: the input.
        run: the run.
        limits: of an image.
        processes: checking processes of each worker, 0 for one on each of its cores.

    Raises:
        RunAborted: the disk is full, or the Hub fails.
    """

    found: Cc3mInput
    run: Run
    limits: ImageLimits
    processes: int = 1

    def expand(self, units: beam.PCollection[ChatUnit]):  # noqa: ANN201 - Beam reads tuples wrongly
        return units | 'InOneStage' >> InOneStage(self._copy, self.run.worker_hints)

    def _copy(self, units: beam.PCollection[ChatUnit]) -> StepOutput:
        """From the check to the accounts all is one fused stage, for it carries images."""
        run = self.run
        copied = units | 'Check' >> StartUpCheck(run) | 'Copy' >> beam.ParDo(
            _CopyFn(self.found, run, self.limits, self.processes)).with_outputs(ACCOUNTS, main='main')
        return StepOutput(copied.main, (copied.main | 'CollectSamples' >> CollectAccounts(run),
                                        copied.accounts | 'CollectOutcomes' >> CollectAccounts(run, CC3M_TABLE)))


def chat_product(strict: bool) -> JoinedFile:
    """chat.json, each sample checked as LLaVA's loader would read it; with `strict` its ids are unique."""
    return chat_file(CHAT, partial(check_sample, strict=strict), IMAGES, check_image_exists, unique_ids=strict)
