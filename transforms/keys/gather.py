"""GatherFn: records that come one by one, gathered to arrays."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows

_AT_ONCE = 10_000


class GatherFn(beam.DoFn):
    """Records to what `make` makes of up to 10,000 with one key; elements of another type pass as they are.

    Args:
        kind: the type of a record.
        key: of a record.
        make: called with records of one key, in the order in which they came.
    """

    def __init__(self, kind: type, key: Callable[[Any], Hashable], make: Callable[[list[Any]], Any]) -> None:
        self._kind, self._key, self._make = kind, key, make

    def start_bundle(self) -> None:
        self._held: dict[Hashable, list[Any]] = {}
        self._count = 0

    def process(self, element: Any) -> Iterator[Any]:
        if not isinstance(element, self._kind):
            yield element
            return
        self._held.setdefault(self._key(element), []).append(element)
        self._count += 1
        if self._count >= _AT_ONCE:
            yield from self._flush()

    def finish_bundle(self) -> Iterator[object]:
        yield from map(GlobalWindows.windowed_value, self._flush())

    def _flush(self) -> Iterator[Any]:
        held, self._held, self._count = self._held, {}, 0
        yield from map(self._make, held.values())
