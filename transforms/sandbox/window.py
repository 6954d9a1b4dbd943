"""Window: a few tasks under way in a pool, so that every child always has the next one and little is held."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from transforms.sandbox.operation import Operation
from transforms.sandbox.pool import Answer, Pool

Item = TypeVar('Item')
_MAX_BYTES = 256 << 20


class Window(Generic[Item]):
    """Submits tasks, and gives each answer with the item that it belongs to.

    After each `submit` take what `ready` gives: then no more is under way than the limits allow. `rest` waits for all.

    Args:
        pool: does the work.
        tasks: under way at one time, at least.
        in_order: answers come in the order of the tasks; else as they are ready, which keeps more children busy.
        max_bytes: of payloads under way.
    """

    def __init__(self, pool: Pool, tasks: int, in_order: bool = False, max_bytes: int = _MAX_BYTES) -> None:
        self._pool, self._tasks, self._in_order, self._max_bytes = pool, tasks, in_order, max_bytes
        self._ordered: deque = deque()
        self._done: queue.SimpleQueue = queue.SimpleQueue()
        self._count = self._bytes = 0

    def submit(self, item: Item, operation: type[Operation], header: dict, payload: bytes = b'') -> None:
        """Adds a task."""
        self._count += 1
        self._bytes += len(payload)
        future, size = self._pool.submit(operation, header, payload), len(payload)
        if self._in_order:
            self._ordered.append((item, size, future))
        else:
            future.add_done_callback(lambda answered: self._done.put((item, size, answered)))

    def ready(self) -> Iterator[tuple[Item, Answer]]:
        """Answers until there is room for the next task, and those that need no waiting."""
        while self._count and (self._is_full() or self._has_answer()):
            yield self._next()

    def rest(self) -> Iterator[tuple[Item, Answer]]:
        """All answers that are still to come."""
        while self._count:
            yield self._next()

    def _is_full(self) -> bool:
        return self._count > self._tasks or (self._bytes > self._max_bytes and self._count > 1)

    def _has_answer(self) -> bool:
        return self._ordered[0][2].done() if self._in_order else not self._done.empty()

    def _next(self) -> tuple[Item, Answer]:
        item, size, future = self._ordered.popleft() if self._in_order else self._done.get()
        self._count -= 1
        self._bytes -= size
        return item, future.result()
