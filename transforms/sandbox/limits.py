"""The limits of a child process, which are the kernel's.

RLIMIT_AS for memory, and a CPU timer (ITIMER_PROF) whose signal ends the process wherever it is, in native code too.
"""

from __future__ import annotations

import resource
import signal
import sys

# macOS has no limit on memory: the pool's watchdog on resident memory stands in.
HAS_MEMORY_LIMIT = sys.platform.startswith('linux')


def limit_memory(limit: int) -> None:
    """Refuses this process more than `limit` bytes of address space, and a core dump."""
    try:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ValueError, OSError):
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def start_clock(seconds: float) -> None:
    """Ends this process (SIGPROF) when it has used so much more CPU time; 0 stops the clock."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def resident_bytes() -> int:
    """Memory of this process, 0 where the system does not tell."""
    try:
        with open('/proc/self/statm', 'rb') as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:
        return 0
