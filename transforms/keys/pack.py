"""PackFn: keys of many elements gathered to one array before they are written as a block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.window import GlobalWindows

_HELD_BYTES = 16 << 20


class PackFn(beam.DoFn):
    """Elements to what `pack` makes of their keys, 16 MiB of them at a time and the rest at the end of a bundle.

    Args:
        to_keys: an element's keys as an array.
        pack: called with many of them; gives elements, some perhaps tagged.
        join: makes one array of several, or what stands for an array and has a length and `nbytes`.
    """

    def __init__(self, to_keys: Callable[[Any], Any], pack: Callable[[Any], Iterable[Any]],
                 join: Callable[[list[Any]], Any] = np.concatenate) -> None:
        self._to_keys, self._pack, self._join = to_keys, pack, join

    def start_bundle(self) -> None:
        self._arrays: list[Any] = []
        self._bytes = 0

    def process(self, element: Any) -> Iterable[Any]:
        keys = self._to_keys(element)
        if not len(keys):
            return ()
        self._arrays.append(keys)
        self._bytes += keys.nbytes
        return self._flush() if self._bytes >= _HELD_BYTES else ()

    def finish_bundle(self) -> Iterator[Any]:
        for item in self._flush() if self._arrays else ():
            if isinstance(item, TaggedOutput):
                yield TaggedOutput(item.tag, GlobalWindows.windowed_value(item.value))
            else:
                yield GlobalWindows.windowed_value(item)

    def _flush(self) -> Iterable[Any]:
        keys = self._arrays[0] if len(self._arrays) == 1 else self._join(self._arrays)
        self._arrays, self._bytes = [], 0
        return self._pack(keys)
