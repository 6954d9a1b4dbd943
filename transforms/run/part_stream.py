"""PartStream: what is read of one part, as one element that lives within a fused stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from apache_beam import coders


@dataclass(slots=True)
class PartStream:
    """The records of one part, in order of file and row, read while they are iterated; once.

    So a step knows when a part is whole, and a part that an earlier try has finished is not even opened. It never leaves its
    stage (a generator cannot be pickled); tests/beam_pipelines/test_stages.py finds a pipeline that lets it.

    Attributes:
        part: of the accounts.
        bytes: of the input that it is read from, about; for progress.
        items: records, and between them what is said to the accounts: Outcome, Count or UnitError of what cannot be read.
        fingerprint: of what else decides what becomes of it, such as a decision over all parts; a part that an earlier try has finished
            under another one is done again.
    """

    part: int
    bytes: int
    items: Iterator[Any]
    fingerprint: str = ''


class _WithinAStage(coders.Coder):
    """Refuses to encode; runners ask for the size of an element now and then, and are told 0."""

    def encode(self, value: PartStream) -> NoReturn:
        raise TypeError(f'part {value.part} would leave its stage as a stream: InOneStage with other hints cuts a stage, and so does a shuffle')

    def decode(self, encoded: bytes) -> NoReturn:
        raise TypeError('a stream of a part cannot come from another stage')

    def estimate_size(self, value: PartStream) -> int:
        return 0

    def is_deterministic(self) -> bool:
        return False

    def to_type_hint(self) -> type:
        return PartStream


coders.registry.register_coder(PartStream, _WithinAStage)
