"""Document: what cleaning and filters work on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


@dataclass
class Document:
    """A text and what is known of it.

    Attributes:
        text: UTF-8, cleaned where measures look at it.
        id: its own id, '' for none.
        metadata: the other fields of its record; `url` is what the lists of addresses look at.
        source: name of the entry of the mixture that it belongs to.
        language: code by ISO 639-1 such as 'vi', once detected; '' before.
        memo: what measures that look for the same share, by a name of theirs.
    """

    text: str
    id: str = ''
    metadata: Mapping[str, object] = field(default_factory=dict)
    source: str = ''
    language: str = ''
    memo: dict[object, Any] = field(default_factory=dict)

    @cached_property
    def data(self) -> bytes:
        """The text in UTF-8."""
        return self.text.encode()

    @cached_property
    def lower(self) -> str:
        """The text in lower case."""
        return self.text.lower()

    @cached_property
    def words(self) -> list[str]:
        """The text cut at white space."""
        return self.text.split()

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the text."""
        return self.text.split('\n')
