"""Outcome: what became of one record."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

WRITTEN, DROPPED, FAILED = 'written', 'dropped', 'failed'


@dataclass(frozen=True)
class Outcome:
    """The outcome of one record.

    Attributes:
        file: file of the record relative to its source; with `row` its identity.
        row: 0-based row (for a plain PDF, the page).
        id: the record's own id.
        outcome: 'written', 'dropped' or 'failed'.
        reason: the drop reason or the error class; empty when written.
        message: what exactly was wrong, for people.
        output: what was written, relative to the output folder.
        bytes: size of `output`.
        sha256: hash of `output`.
        details: what filters measured and engines reported, by column name of the records table.
        listed: False when errors.jsonl already has a line for the whole unit.
    """

    file: str
    row: int
    id: str
    outcome: str
    reason: str = ''
    message: str = ''
    output: str = ''
    bytes: int = 0
    sha256: str = ''
    details: dict[str, Any] = field(default_factory=dict)
    listed: bool = True

    def to_json(self) -> bytes:
        """The outcome as one JSON object, the form that fragments hold."""
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, data: bytes) -> Outcome:
        """The inverse of `to_json`."""
        return cls(**orjson.loads(data))
