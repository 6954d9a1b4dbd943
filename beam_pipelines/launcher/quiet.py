"""Keeps the chatter of worker processes out of the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from transforms.files import storage


@contextmanager
def quiet_workers(work: str, verbose: bool) -> Iterator[None]:
    """Within the block, what worker processes write to their stderr goes to `worker.log` in a local work folder, else nowhere.

    Beam's worker processes log their start and end before any level can be set. Our own stderr stays what it was.
    """
    if verbose or sys.stderr is None or not hasattr(sys.stderr, 'fileno'):
        yield
        return
    try:
        ours = os.dup(sys.stderr.fileno())
    except (OSError, ValueError):  # a replaced stderr, as in notebooks and tests, no child inherits
        yield
        return
    before = sys.stderr
    with open(os.path.join(work, 'worker.log') if storage.is_local(work) else os.devnull, 'ab') as log, os.fdopen(ours, 'w', buffering=1) as terminal:
        saved = os.dup(2)
        os.dup2(log.fileno(), 2)
        sys.stderr = terminal
        try:
            yield
        finally:
            sys.stderr = before
            os.dup2(saved, 2)
            os.close(saved)
