"""HubReader: a file on the Hub as a seekable file object that reads ahead in proportion to what was read.

A reader that goes on from where it stopped (a tarball, a zip) is a stream. Each stream reads ahead a share of what it has
already read, so stopping early wastes little. Ranges that were declared to be wanted (columns of
a Parquet) are fetched ahead at once and in file order (see `prefetcher`).
"""

from __future__ import annotations

import io
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future

from transforms.hub.prefetcher import Prefetcher

_FIRST = 256 << 10
_LARGEST = 4 << 20
_BUDGET = 32 << 20
_TAIL = 64 << 10
_SHARE = 4
_MAX_STREAMS = 64


class _Stream:
    """Bytes [`at`, `ahead`) that are there or on their way, of a run that ends at `end`."""

    def __init__(self, at: int, end: int) -> None:
        self.at = self.ahead = self.begin = at
        self.end = end
        self.chunks: deque[tuple[int, int, Future]] = deque()

    @property
    def consumed(self) -> int:
        return self.at - self.begin


class HubReader(io.RawIOBase):
    """A file of `size` bytes behind `submit(start, end)`, which gives a future of bytes.

    Memory: 32 MiB for streams and for declared ranges that are read to their end, and the last 64 KiB, which are kept. Safe for several threads.

    Args:
        submit: starts fetching a range.
        size: bytes of the file.
        name: for messages.
    """

    mode = 'rb'

    def __init__(self, submit: Callable[[int, int], Future], size: int, name: str = '') -> None:
        self._submit, self._size, self.name = submit, size, name
        self._position = 0
        self._streams: deque[_Stream] = deque()
        self._prefetcher: Prefetcher | None = None
        self._lock = threading.RLock()
        self._kept: Future | None = None
        self._kept_from = 0 if size <= _FIRST else size - _TAIL

    def prefetch(self, ranges: Iterable[tuple[int, int]], side_by_side: int = 1, eager: bool = True) -> None:
        """Says which ranges [start, end) will be read, each from its start, and if `eager` surely to its end.

        `side_by_side` is how many of them are read at one time.
        """
        with self._lock:
            if self._prefetcher:
                self._prefetcher.close()
            inside = ((start, min(end, self._kept_from)) for start, end in ranges if start < self._kept_from)
            self._prefetcher = Prefetcher(self._submit, inside, _BUDGET, side_by_side, eager)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f'seek to {base + offset}')
        self._position = base + offset
        return self._position

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast('B')
        data = self.read(len(view))
        view[:len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return self.read()

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, fewer only at the end of the file."""
        with self._lock:
            end = self._size if size is None or size < 0 else min(self._size, self._position + size)
            pieces = []
            while self._position < end:
                piece = self._piece(self._position, end)
                self._position += len(piece)
                pieces.append(piece)
        return pieces[0] if len(pieces) == 1 and isinstance(pieces[0], bytes) else b''.join(pieces)

    def _piece(self, at: int, end: int) -> bytes | memoryview:
        if at >= self._kept_from:  # a footer is read more than once, a small file from both ends
            self._kept = self._kept or self._submit(self._kept_from, self._size)
            return memoryview(self._kept.result())[at - self._kept_from:end - self._kept_from]
        end = min(end, self._kept_from)
        if self._prefetcher and (chunk := self._prefetcher.find(at)) >= 0:
            return self._prefetcher.read(chunk, at, end)
        stream = self._stream(at)
        self._read_ahead(stream, end)
        start, stop, future = stream.chunks[0]
        data = future.result()
        upto = min(end, stop)
        stream.at = upto
        if upto == stop:
            stream.chunks.popleft()
            self._read_ahead(stream, stream.at)
        return data if (at, upto) == (start, stop) else memoryview(data)[at - start:upto - start]

    def _stream(self, at: int) -> _Stream:
        for stream in self._streams:
            low = stream.chunks[0][0] if stream.chunks else stream.at
            # A little backwards within a chunk that is still held is no new stream.
            if low <= at <= stream.ahead and (at < stream.ahead or at < stream.end):
                while stream.chunks and stream.chunks[0][1] <= at:
                    stream.chunks.popleft()
                stream.at = at
                self._streams.remove(stream)
                self._streams.appendleft(stream)
                return stream
        stream = _Stream(at, self._kept_from)
        self._streams.appendleft(stream)
        while len(self._streams) > _MAX_STREAMS:
            self._drop(self._streams.pop())
        return stream

    def _read_ahead(self, stream: _Stream, wanted: int) -> None:
        """Starts fetching up to `wanted`, and further as far as the stream has earned."""
        budget = _BUDGET // max(1, len(self._streams))
        earned = min(budget, max(_FIRST, stream.consumed // _SHARE))
        goal = min(stream.end, max(wanted, stream.at + earned))
        chunk = max(_FIRST, min(_LARGEST, budget // 2, earned))
        # Small remainders wait until a whole chunk is due, unless they are wanted now.
        while stream.ahead < goal and (stream.ahead < wanted or goal - stream.ahead >= chunk or goal == stream.end
                                       or not stream.chunks):
            stop = min(stream.end, max(stream.ahead + chunk, min(wanted, stream.ahead + _LARGEST)), max(goal, wanted))
            stream.chunks.append((stream.ahead, stop, self._submit(stream.ahead, stop)))
            stream.ahead = stop

    @staticmethod
    def _drop(stream: _Stream) -> None:
        for _, _, future in stream.chunks:
            future.cancel()
        stream.chunks.clear()

    def close(self) -> None:
        with self._lock:
            for stream in self._streams:
                self._drop(stream)
            self._streams.clear()
            if self._prefetcher:
                self._prefetcher.close()
        super().close()
