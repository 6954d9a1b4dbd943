"""PartStream: what is read of one part, as one element that lives within a fused stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class PartStream:
    """The records of one part, in identity order, read while they are iterated; once.

    So a step knows when a part is whole, and a part that an earlier try has finished is not even opened. It never leaves its
    stage (a generator cannot be pickled); tests/beam_pipelines/test_stages.py finds a pipeline that lets it.

    Attributes:
        part: of the accounts.
        bytes: of the input that it is read from, about; for progress.
        items: records, and between them what is said to the accounts: Outcome, Count or UnitError of what cannot be read.
    """

    part: int
    bytes: int
    items: Iterator[Any]
