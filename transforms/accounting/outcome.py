"""What steps say to the accounts: outcomes of records, payloads of one-file products, and files that were written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

WRITTEN, DROPPED, FAILED = 'written', 'dropped', 'failed'


@dataclass(slots=True)
class Outcome:
    """What became of one record; it lives within a stage only, where a `Collector` turns it into columns.

    The collector is that of `CollectAccounts`, or of `ForEachPart` for records that come part by part.

    Attributes:
        part: of the accounts; it belongs to one source, and with `file` and `row` it is the record's identity.
        file: file of the record relative to its source.
        row: 0-based row (for a plain PDF, the page).
        id: the record's own id.
        outcome: 'written', 'dropped' or 'failed'.
        reason: the drop reason or the error class; empty when written.
        message: what exactly was wrong, for people.
        output: what was written, relative to the output folder.
        bytes: size of `output` where it is the record's own, 0 where records share a file.
        sha256: hash of `output` where it is the record's own: that file is then listed in the manifest.
        stage: where it failed, such as 'read' or 'render'.
        details: what filters measured and engines reported, by column of the records table.
        listed: False when errors.jsonl already has a line for the whole unit.
    """

    part: int
    file: str
    row: int
    id: str
    outcome: str
    reason: str = ''
    message: str = ''
    output: str = ''
    bytes: int = 0
    sha256: str = ''
    stage: str = ''
    details: dict[str, Any] = field(default_factory=dict)
    listed: bool = True


@dataclass(slots=True)
class Payload:
    """A record's share of a one-file product, such as its line of chat.json; within a stage only, as `Outcome`.

    Attributes:
        part, file, row: the record's identity.
        kind: which product's, as `JoinedFile.kind`.
        data: the bytes.
    """

    part: int
    file: str
    row: int
    kind: str
    data: bytes


@dataclass(frozen=True)
class OutputFile:
    """A file that holds many records, such as a shard: path relative to the output folder, size, hash; `part` of its first."""

    path: str
    bytes: int
    sha256: str
    part: int = 0


@dataclass(frozen=True)
class ChunkFile:
    """One part's share of a file that several parts share, until they are joined.

    Attributes:
        part: its number.
        path: of the file, relative to the output folder.
        chunk: name of the share in the folder of what outlives a killed run.
        records: how many it has.
    """

    part: int
    path: str
    chunk: str
    records: int
