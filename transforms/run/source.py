"""Source and Part: where records come from, and how their accounts are cut. Both are fixed before a run starts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

PART_ROWS = 1_000_000
PART_BYTES = 256 << 20


@dataclass(frozen=True)
class Source:
    """An entry of the plan; a mixture may name one dataset twice, as two sources.

    Attributes:
        number: its place in the plan, from 0; records are ordered by it before anything else.
        address: as given on the command line.
        revision: the Hub commit that was read, '' for files.
        subset: '' where there is none.
        split: '' where there is none.
        root: pinned folder or file, as workers must see it; '' for none to look for.
        name: that people know it by, as of an entry of a mixture; '' for none.
    """

    number: int = 0
    address: str = ''
    revision: str = ''
    subset: str = ''
    split: str = ''
    root: str = ''
    name: str = ''

    @property
    def label(self) -> str:
        """For people: the address, with subset and split where it has them."""
        return ' '.join(filter(None, (self.address, self.subset, self.split)))


@dataclass(frozen=True)
class Part:
    """A range of one source's records whose accounts are finished together, by one worker.

    At most `PART_ROWS` rows (olmocr), `PART_BYTES` of files (ReadHF) or 1,024 files (render_pdf). What cannot be cut stays whole.
    Parts are numbered in the order of their records, over all sources.
    """

    number: int = 0
    source: int = 0


def parts_of(counts: Iterable[int]) -> tuple[Part, ...]:
    """As many parts of each source as `counts` says, numbered through."""
    sources = [source for source, count in enumerate(counts) for _ in range(count)]
    return tuple(Part(number, source) for number, source in enumerate(sources))
