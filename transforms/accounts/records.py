"""What happened to one record, and what goes wrong with a whole unit."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

WRITTEN, DROPPED, FAILED = 'written', 'dropped', 'failed'


@dataclass(frozen=True)
class Record:
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
        listed: False when a line for the whole unit tells of this failure already.
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
        """One JSON object."""
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, data: bytes) -> Record:
        """The inverse of `to_json`."""
        return cls(**orjson.loads(data))


@dataclass(frozen=True)
class UnitError:
    """Something wrong with a whole unit: an archive that is missing, a row group that cannot be read.

    Attributes:
        file: the file of the records concerned, relative to the source.
        unit: what is wrong: archive, row group, folder.
        stage: where it was noticed.
        error: error class, as counted in `failed_units`.
        message: what exactly.
        count: how many records it costs, 0 when unknown.
    """

    file: str
    unit: str
    stage: str
    error: str
    message: str
    count: int = 0


@dataclass(frozen=True)
class Tally:
    """A count for one file: `kind` is 'read', an outcome, or 'warning'; `name` the reason within it."""

    file: str
    kind: str
    name: str
    count: int
