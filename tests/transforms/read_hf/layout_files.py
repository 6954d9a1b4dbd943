"""One file of each layout with the same 300 rows, for tests that damage them."""

from __future__ import annotations

import base64
import bz2
import csv
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as ppe
import zstandard

ROWS = [{'id': i, 'text': f'row {i} ' + 'lorem ipsum ă '[: i % 14] * 3} for i in range(300)]


def _lines() -> bytes:
    return b''.join(json.dumps(row, ensure_ascii=False).encode() + b'\n' for row in ROWS)


def _csv(separator: str = ',') -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, ROWS[0], delimiter=separator)
    writer.writeheader()
    writer.writerows(ROWS)
    return out.getvalue().encode()


def _parquet(**how: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), out, row_group_size=60, **how)
    return out.getvalue()


def _arrow(kind: Callable) -> bytes:
    out = io.BytesIO()
    table = pa.Table.from_pylist(ROWS)
    with kind(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=50)
    return out.getvalue()


def _avro(codec: str) -> bytes:
    out = io.BytesIO()
    schema = {'type': 'record', 'name': 'Row', 'fields': [{'name': 'id', 'type': 'long'}, {'name': 'text', 'type': 'string'}]}
    fastavro.writer(out, schema, ROWS, codec=codec, sync_interval=2000)
    return out.getvalue()


def _webdataset(mode: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        for row in ROWS:
            data = json.dumps(row).encode()
            member = tarfile.TarInfo(f"{row['id']:05d}.json")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as archive:
        for part in range(3):
            archive.writestr(f'part-{part}.jsonl', b''.join(
                json.dumps(row).encode() + b'\n' for row in ROWS[part * 100:part * 100 + 100]))
    return out.getvalue()


# By file name: content, and whether the layout has checksums over all that a row is made of.
LAYOUTS: dict[str, tuple[Callable[[], bytes], bool]] = {
    'train.parquet': (lambda: _parquet(write_page_checksum=True), True),
    'plain.parquet': (lambda: _parquet(compression='none', use_dictionary=False), False),
    'train.jsonl': (_lines, False),
    'train.jsonl.gz': (lambda: gzip.compress(_lines()), True),
    'train.jsonl.zst': (lambda: zstandard.ZstdCompressor(write_checksum=True).compress(_lines()), True),
    'train.jsonl.bz2': (lambda: bz2.compress(_lines()), True),
    'train.jsonl.xz': (lambda: lzma.compress(_lines()), True),
    'train.json': (lambda: json.dumps(ROWS, ensure_ascii=False).encode(), False),
    'docs.json': (lambda: b'\n'.join(json.dumps(row, indent=1).encode() for row in ROWS), False),
    'train.csv': (_csv, False),
    'train.csv.gz': (lambda: gzip.compress(_csv()), True),
    'train.tsv': (lambda: _csv('\t'), False),
    'train.txt': (lambda: b''.join(row['text'].encode() + b'\n' for row in ROWS), False),
    'file.arrow': (lambda: _arrow(pa.ipc.new_file), False),
    'stream.arrow': (lambda: _arrow(pa.ipc.new_stream), False),
    'null.avro': (lambda: _avro('null'), False),
    'deflate.avro': (lambda: _avro('deflate'), False),
    'snappy.avro': (lambda: _avro('snappy'), True),
    'train-0.tar': (lambda: _webdataset('w'), False),
    'train-0.tar.gz': (lambda: _webdataset('w:gz'), True),
    'train.zip': (_zip, True),
}


class _Keys(ppe.KmsClient):
    """A key store that keeps keys in the file, under no protection at all."""

    def __init__(self, _: object) -> None:
        super().__init__()

    def wrap_key(self, key: bytes, name: str) -> bytes:
        return base64.b64encode(key)

    def unwrap_key(self, wrapped: bytes, name: str) -> bytes:
        return base64.b64decode(wrapped)


def encrypted_parquet(plaintext_footer: bool) -> bytes:
    """A Parquet of which the column text needs a key; with `plaintext_footer` anybody may read the column id."""
    factory = ppe.CryptoFactory(_Keys)
    how = ppe.EncryptionConfiguration(footer_key='footer', column_keys={'text': ['text']},
                                      plaintext_footer=plaintext_footer)
    out = io.BytesIO()
    table = pa.Table.from_pylist(ROWS)
    with pq.ParquetWriter(out, table.schema, encryption_properties=factory.file_encryption_properties(
            ppe.KmsConnectionConfig(), how)) as writer:
        writer.write_table(table, row_group_size=60)
    return out.getvalue()


def write_layout(folder: Path, name: str) -> Path:
    """The undamaged file of a layout, alone in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(LAYOUTS[name][0]())
    return path


def row_of(values: dict) -> dict:
    """A record as one of ROWS, whatever the layout made of it."""
    values = values.get('json', values)
    return {name: values.get(name) for name in ('id', 'text') if name in values}
