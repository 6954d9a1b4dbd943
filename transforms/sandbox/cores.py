"""How wide a process may work."""

import os


def usable_cores() -> int:
    """Cores of this process's affinity mask, else of the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
