"""What Python's garbage collector need not look at."""

import gc
from functools import cache


@cache
def freeze_imported() -> None:
    """Excepts all objects that there are from collections, once in a process: those of the imported modules live to its end.

    Half a million of them cost each full collection 0.1 s, and the last one, at the end of a process, 0.25 s.
    """
    gc.freeze()
