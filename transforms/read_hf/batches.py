"""Record batches to rows."""

from __future__ import annotations

import pyarrow as pa

from transforms.files.columns import Unreadable, column_values
from transforms.read_hf.rows import BadRow, Rows

BATCH_ROWS = 512


def batch_rows(batch: pa.RecordBatch, first: int) -> Rows:
    """Rows of a batch, numbered from `first`; a value that Python cannot hold costs its row."""
    names = batch.schema.names
    columns = [column_values(column) for column in batch.columns]
    # column_values gives lists of plain values unless something was wrong.
    spoilt = [any(type(v) is Unreadable for v in column) for column in columns] if any(
        type(column) is not list for column in columns) else ()
    if not any(spoilt):
        for row, values in enumerate(zip(*columns, strict=True), first):
            yield row, dict(zip(names, values, strict=True))
        return
    for row, values in enumerate(zip(*columns, strict=True), first):
        bad = next((n for n, v in zip(names, values, strict=True) if type(v) is Unreadable), None)
        record = dict(zip(names, values, strict=True))
        yield row, BadRow('UnreadableValue', f'{bad} is {record[bad]}') if bad else record


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    words = error.args[0] if error.args else error
    text = words.decode(errors='replace') if isinstance(words, bytes) else str(words)
    return (text.splitlines() or [type(error).__name__])[0][:200]
