"""Ctrl-C: one line that says how to go on, no orphans, exit code 130."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from beam_pipelines.launcher.engine import Engine
from beam_pipelines.launcher.progress import ProgressBar


def end_children() -> None:
    """Ends every process that this one started, and theirs."""
    import psutil

    children = psutil.Process().children(recursive=True)
    for child in children:
        try:
            child.kill()
        except psutil.Error:
            continue


@contextmanager
def interruptible(own_process: bool, bar: ProgressBar, output: str, engine: Engine) -> Iterator[None]:
    """Within the block SIGINT and SIGTERM end the process (when it is ours) with one line.

    The runner turns an interrupt inside a step into an error of its own and waits for its threads, so the handler
    leaves at once: everything under its final name is complete, and the journal is on disk. A job on a cluster is
    cancelled by SIGINT, and left to finish by itself by SIGTERM.
    """
    if not own_process or threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        end_children()
        message = engine.interrupt() if number == signal.SIGINT else engine.detach()
        sys.stderr.write(f'\ninterrupted: {bar.done_so_far()} are kept in {output}; '
                         f'{message or "the same command goes on from there"}\n')
        sys.stderr.flush()
        os._exit(130 if number == signal.SIGINT else 143)

    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
