"""SpillingBuffers: items by unit, held within a budget, the rest in files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

Unit = TypeVar('Unit', bound=Hashable)
Item = TypeVar('Item')
Segment = TypeVar('Segment')


class SpillingBuffers(Generic[Unit, Item, Segment]):
    """Buffers items by unit; when they hold more than `budget` bytes the largest buffer goes to a file.

    Args:
        write: writes a buffer to a file, and returns the reference to it.
        budget: bytes held in all.
    """

    def __init__(self, write: Callable[[list[Item]], Segment], budget: int) -> None:
        self._write, self._budget = write, budget
        self._buffers: dict[Unit, list[Item]] = {}
        self._sizes: Counter = Counter()
        self._held = 0
        self._segments: dict[Unit, list[Segment]] = {}

    def add(self, unit: Unit, item: Item, size: int) -> None:
        """Adds an item that takes `size` bytes of memory."""
        self._buffers.setdefault(unit, []).append(item)
        self._sizes[unit] += size
        self._held += size
        if self._held > self._budget:
            self._spill(max(self._sizes, key=self._sizes.__getitem__))

    def _spill(self, unit: Unit) -> None:
        self._segments.setdefault(unit, []).append(self._write(self._buffers.pop(unit)))
        self._held -= self._sizes.pop(unit)

    def finish(self) -> Iterator[tuple[Unit, tuple[Segment, ...]]]:
        """Writes what is left; gives each unit with its files, in the order of units."""
        for unit in list(self._buffers):
            self._spill(unit)
        for unit, segments in sorted(self._segments.items()):
            yield unit, tuple(segments)
