"""What readers hand out besides (row number, values): rows that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


class UnitFault(Exception):
    """The rest of a unit cannot be read: `error` is its class in errors.jsonl."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error, self.message = error, message


@dataclass(frozen=True)
class BadRow:
    """Stands for a row that cannot be read: its error class in errors.jsonl, and what exactly is wrong."""

    error: str
    message: str


@dataclass(frozen=True)
class LostPart:
    """A stretch of a unit that cannot be read, `where` says which; what follows it can. `count` rows are lost, 0 when unknown."""

    where: str
    error: str
    message: str
    count: int = 0


@dataclass(frozen=True)
class ReadLimits:
    """What one record may cost.

    Attributes:
        line_bytes: a longer line is one failed record and is never held.
        document_bytes: of a JSON document that can only be read as a whole.
        member_bytes: of a member of an archive.
        footer_bytes: of a Parquet's footer.
        columns: of a Parquet; 100,000 of them take a gigabyte before the first row.
    """

    line_bytes: int = 32 << 20
    document_bytes: int = 256 << 20
    member_bytes: int = 256 << 20
    footer_bytes: int = 32 << 20
    columns: int = 20_000


DEFAULT_LIMITS = ReadLimits()
Rows = Iterator[tuple[int, 'dict | BadRow'] | LostPart]
