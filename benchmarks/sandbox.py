"""What it costs to hand bytes to a child process and get as many back: `python -m benchmarks.sandbox [--bytes 100000]`."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

from transforms.sandbox.operation import ErrorNames, Operation
from transforms.sandbox.pool import Pool
from transforms.sandbox.window import Window


@dataclass(frozen=True)
class Limits:
    """Of a task that does nothing."""

    cpu_seconds: float = 20.0
    memory_bytes: int = 1 << 30


class Echo(Operation):
    """Answers with the payload."""

    Settings = Limits
    errors = ErrorNames('Timeout', 'OutOfMemory', 'Crash', 'Damaged')

    def run(self, task: dict, payload: bytes) -> tuple[dict, bytes]:
        return {}, payload


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('--bytes', type=int, default=100_000)
    parser.add_argument('--tasks', type=int, default=5000)
    flags = parser.parse_args()
    payload = bytes(flags.bytes)
    # Imported by its name: what runs as __main__ cannot be found by a child.
    from benchmarks.sandbox import Echo as operation

    pool = Pool((operation,), Limits(), 1)
    pool.submit(operation, {}, payload).result()
    start = time.perf_counter()
    for _ in range(flags.tasks):
        pool.submit(operation, {}, payload).result()
    one_by_one = (time.perf_counter() - start) / flags.tasks
    window: Window[None] = Window(pool, 3)
    start = time.perf_counter()
    for _ in range(flags.tasks):
        window.submit(None, operation, {}, payload)
        list(window.ready())
    list(window.rest())
    in_a_window = (time.perf_counter() - start) / flags.tasks
    pool.close()
    print(f'{flags.bytes:,} bytes there and back: {one_by_one * 1e6:.0f} us one by one, {in_a_window * 1e6:.0f} us in a window')


if __name__ == '__main__':
    main()
