"""What Python's garbage collector need not look at."""

import gc
import sys
from functools import cache

_WORKER = 'apache_beam.runners.worker.sdk_worker_main'


@cache
def freeze_imported() -> None:
    """Excepts all objects that there are from collections, once in a process of our own: most are those of imported modules.

    Half a million of them cost each full collection 0.1 s, and the last one, at the end of a process, 0.25 s.
    """
    gc.freeze()


def freeze_in_worker() -> None:
    """The same in a worker process of Beam; in the user's own, where a DirectRunner may run its steps too, it does nothing."""
    if getattr(getattr(sys.modules.get('__main__'), '__spec__', None), 'name', '') == _WORKER:
        freeze_imported()
