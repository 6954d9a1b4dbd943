"""Documents of a part between the two steps, as a file of the work folder: only references to it cross a shuffle."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import orjson
import pyarrow as pa

from transforms.accounting.fragments import FragmentRef
from transforms.files import storage
from transforms.keys.find_duplicates import HASH_BYTES
from transforms.run.run import Run
from transforms.text_mix.settings import TextSettings

KIND = 'documents'
_BATCH_ROWS, _BATCH_BYTES = 1024, 4 << 20
_FIXED = (('file', 'uint32'), ('row', 'int64'), ('id', 'string'), ('reason', 'string'), ('record', 'binary'))


def documents_schema(settings: TextSettings) -> pa.Schema:
    """Columns of the file: identity, reason where it is dropped, the record, and what is known of it."""
    return pa.schema([(name, pa.type_for_alias(kind)) for name, kind in (*_FIXED, *settings.columns)])


def detail_names(schema: pa.Schema) -> list[str]:
    """The columns behind the identity and the record: what is known of a document."""
    return schema.names[len(_FIXED):]


def documents_path(run: Run, part: int) -> str:
    """Where the documents of a part lie; a part that is done again ends with the same bytes under the same name."""
    return storage.join(run.kept, f'{KIND}-{part:05d}.arrow')


@dataclass(frozen=True)
class PartFiles:
    """What is known of the documents of a part: its files by number, and a fingerprint of the documents."""

    files: tuple[str, ...]
    fingerprint: str


def read_part_files(run: Run, part: int) -> PartFiles:
    """What `DocumentsWriter` saved beside a part's documents."""
    saved = orjson.loads(storage.read_bytes(f'{documents_path(run, part)}.json'))
    return PartFiles(tuple(saved['files']), saved['fingerprint'])


class DocumentsWriter:
    """Writes the documents of a part.

    Args:
        run: the run.
        part: its number.
        schema: of `documents_schema`.
        target: what `storage.atomic_writer` gave for `documents_path`.
    """

    def __init__(self, run: Run, part: int, schema: pa.Schema, target: object) -> None:
        self._run, self._part, self._schema = run, part, schema
        self._writer = pa.ipc.new_stream(pa.PythonFile(target, 'w'), schema, options=pa.ipc.IpcWriteOptions(compression='lz4'))
        self._details = detail_names(schema)
        self._rows: list[tuple] = []
        self._held = 0
        self._files: dict[str, int] = {}
        self.rows = 0
        self.first: tuple[str, int] = ('', 0)

    def add(self, file: str, row: int, name: str, reason: str, record: bytes, details: dict) -> None:
        """Adds a document."""
        if not self.rows:
            self.first = (file, row)
        number = self._files.setdefault(file, len(self._files))
        self._rows.append((number, row, name, reason, record, *map(details.get, self._details)))
        self._held += len(record)
        self.rows += 1
        if len(self._rows) >= _BATCH_ROWS or self._held >= _BATCH_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            columns = zip(*self._rows, strict=True)
            self._writer.write_batch(pa.record_batch([pa.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)],
                                                     schema=self._schema))
        self._rows, self._held = [], 0

    def close(self) -> None:
        """Writes what is held."""
        self._flush()
        self._writer.close()

    def save_files(self, sha256: str) -> None:
        """Saves what `read_part_files` gives, once the documents are whole."""
        saved = {'files': list(self._files), 'fingerprint': hashlib.sha256(f'{sha256} {list(self._files)}'.encode('utf-8', 'surrogatepass')).hexdigest()}
        storage.write_bytes(f'{documents_path(self._run, self._part)}.json', orjson.dumps(saved))

    @property
    def ref(self) -> FragmentRef:
        """What the journal keeps of it."""
        return FragmentRef(self._part, KIND, documents_path(self._run, self._part), self.first, self.rows)


def read_documents(run: Run, part: int) -> Iterator[pa.RecordBatch]:
    """The documents of a part, in the order in which they were added."""
    with storage.open_read(documents_path(run, part)) as source:
        yield from pa.ipc.open_stream(source)


def hashes_of(batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows, numbers of files, hashes) of those documents of a batch that no filter dropped."""
    keys = batch['dedup_key']
    kept = np.asarray(keys.is_valid())
    hashes = np.frombuffer(b''.join(keys.drop_null().to_pylist()), '<u8').reshape(-1, HASH_BYTES // 8)
    return batch['row'].to_numpy()[kept], batch['file'].to_numpy()[kept].astype(np.int64), hashes
