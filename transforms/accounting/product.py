"""JoinedFile: a product of a run that is one file, made part by part and joined by its bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from transforms.accounting.outcome import OutputFile
from transforms.files import storage

LIST_SEPARATOR = b',\n'
_COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class Chunk:
    """One part's share of a product: a file of the work folder, how many items it holds, and where their ids' hashes are."""

    path: str
    items: int
    ids: str = ''


class Product(Protocol):
    """What FinishRun makes unless a part has a problem."""

    path: str

    def join(self, output: str, chunks: list[Chunk]) -> OutputFile:
        """Writes the file below the output folder; chunks are in the order of parts."""


@dataclass(frozen=True)
class JoinedFile:
    """One file of all payloads of a kind, in order of file and row.

    Attributes:
        path: relative to the output folder.
        kind: of the payloads.
        head, separator, tail: what comes before, between and behind them.
        empty: the content without any.
        parse: of a payload, what the three functions below take.
        check: what is wrong with an item, given the output folder; '' when a loader can read it.
        identify: of an item, the id that must be unique in the file; None where none must.
        excerpt: of an item, the text that the report shows.
    """

    path: str
    kind: str = ''
    head: bytes = b''
    separator: bytes = b''
    tail: bytes = b''
    empty: bytes = b''
    parse: Callable[[bytes], Any] | None = None
    check: Callable[[str, Any], str] | None = None
    identify: Callable[[Any], str] | None = None
    excerpt: Callable[[Any], str] | None = None

    def join(self, output: str, chunks: Iterable[Chunk]) -> OutputFile:
        """Joins the chunks; nothing is parsed."""
        filled = [chunk for chunk in chunks if chunk.items]
        with storage.atomic_writer(storage.join(output, self.path)) as target:
            target.write(self.head if filled else self.empty)
            for number, chunk in enumerate(filled):
                if number:
                    target.write(self.separator)
                for data in _blocks(chunk.path):
                    target.write(data)
            target.write(self.tail if filled else b'')
        return OutputFile(self.path, target.size, target.sha256)


def _blocks(path: str) -> Iterator[bytes]:
    with storage.open_read(path) as source:
        while data := source.read(_COPY_BYTES):
            yield data


def json_list(path: str, kind: str = '', **checks: Callable) -> JoinedFile:
    """A JSON list, an item a line."""
    return JoinedFile(path, kind, b'[\n', LIST_SEPARATOR, b'\n]\n', b'[]\n', **checks)
