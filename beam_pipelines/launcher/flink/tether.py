"""Runs a command that must not outlive its parent: `python -m beam_pipelines.launcher.flink.tether java ...`.

A job server whose launcher was killed would stay for ever. This module imports nothing of Beam's: the package's
own `__init__` does, so the launcher starts it by its path.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time


def main(command: list[str]) -> int:
    """Runs `command` until it ends or our parent does; returns its exit code."""
    parent = os.getppid()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: child.kill())
    while child.poll() is None:
        if os.getppid() != parent:
            child.kill()
        time.sleep(0.2)
    return child.returncode


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
