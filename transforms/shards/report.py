"""What the report of an output of shards shows: how large they are, and the first records."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow.parquet as pq

from transforms.files import storage
from transforms.files.json_values import dumps
from transforms.report.page import Report, Section
from transforms.report.summary import Views
from transforms.shards.json_lines import to_json_value
from transforms.shards.names import FOLDER

_SHOWN, _CHARACTERS = 3, 600


def _values(output: str, views: Views, run: Mapping[str, Any]) -> dict | None:
    folder = storage.join(output, FOLDER)
    files = sorted(storage.list_files(folder), key=lambda info: info.path) if storage.exists(folder) else []
    if not files:
        return None
    sizes = [info.size for info in files]
    return {'count': len(sizes), 'bytes': sum(sizes), 'smallest': min(sizes), 'largest': max(sizes),
            'first': files[0].path[len(output):].lstrip('/'), 'records': list(itertools.islice(first_records(files[0].path), _SHOWN))}


def first_records(path: str) -> Iterator[str]:
    """The first records of a shard as short JSON."""
    with storage.open_read(path) as source:
        if path.endswith('.parquet'):
            rows = (row for batch in pq.ParquetFile(source).iter_batches(_SHOWN) for row in batch.to_pylist())
            yield from (_short(dumps(row, to_json_value).decode()) for row in rows)
        else:
            yield from (_short(line.decode().rstrip('\n')) for line in gzip.GzipFile(fileobj=source))


def _short(text: str) -> str:
    return text if len(text) <= _CHARACTERS else f'{text[:_CHARACTERS]} … ({len(text):,} characters)'


SHARD_REPORT = Report(sections=(Section('transforms.shards', 'shards.html', _values),))
