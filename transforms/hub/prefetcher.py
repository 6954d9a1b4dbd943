"""Prefetcher: ranges of a file that were declared to be read, fetched ahead in file order within a budget.

A Parquet's columns are read side by side, each from its start to its end, and then those of the next row group. So
chunks are not dropped when another column is read: one is held until its last byte was handed out, once.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable
from concurrent.futures import Future

_LARGEST, _SMALLEST = 4 << 20, 64 << 10


class Prefetcher:
    """Chunks of declared ranges.

    Args:
        submit: starts fetching a range.
        ranges: [start, end) in any order, without overlaps.
        budget: bytes that may be held or under way for what was not asked for yet.
        side_by_side: how many ranges are read at one time; chunks are the smaller the more.
        eager: fetch ahead; else only what is asked for, in chunks of 256 KiB.
    """

    def __init__(self, submit: Callable[[int, int], Future], ranges: Iterable[tuple[int, int]], budget: int,
                 side_by_side: int = 1, eager: bool = True) -> None:
        self._submit, self._budget, self._eager = submit, budget, eager
        size = min(_LARGEST, max(_SMALLEST, budget // (4 * max(1, side_by_side)))) if eager else 256 << 10
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(ranges):
            for at in range(start, end, size):
                self._starts.append(at)
                self._ends.append(min(end, at + size))
        self._under_way: dict[int, Future] = {}
        self._done = bytearray(len(self._starts))
        self._held = self._next = 0

    def find(self, at: int) -> int:
        """The chunk that holds byte `at`, -1 when it was not declared."""
        chunk = bisect.bisect_right(self._starts, at) - 1
        return chunk if chunk >= 0 and at < self._ends[chunk] else -1

    def read(self, chunk: int, at: int, end: int) -> bytes | memoryview:
        """Bytes from `at` on, at most to `end` and to the end of the chunk."""
        future = self._fetch(chunk)
        if self._eager:
            self._fetch_ahead(chunk)
        data = future.result()
        start, stop = self._starts[chunk], self._ends[chunk]
        upto = min(end, stop)
        if upto == stop:
            del self._under_way[chunk]
            self._done[chunk] = 1
            self._held -= stop - start
            if self._eager:
                self._fetch_ahead(chunk)
        return data if (at, upto) == (start, stop) else memoryview(data)[at - start:upto - start]

    def _fetch(self, chunk: int) -> Future:
        if chunk not in self._under_way:
            start, end = self._starts[chunk], self._ends[chunk]
            self._under_way[chunk] = self._submit(start, end)
            self._held += end - start
        return self._under_way[chunk]

    def _fetch_ahead(self, chunk: int) -> None:
        follower = chunk + 1
        if follower < len(self._starts) and self._starts[follower] == self._ends[chunk] \
                and self._held < self._budget and not self._done[follower]:
            self._fetch(follower)
        while self._next < len(self._starts) and self._held < self._budget:
            if not self._done[self._next]:
                self._fetch(self._next)
            self._next += 1

    def close(self) -> None:
        """Gives up what is not under way yet."""
        for future in self._under_way.values():
            future.cancel()
        self._under_way.clear()
