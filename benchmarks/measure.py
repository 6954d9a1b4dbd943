"""Runs a command and reports its wall time, CPU time and the peak memory of its whole process tree."""

from __future__ import annotations

import os
import platform
import subprocess
import threading
import time
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Measured:
    """One run: seconds, CPU seconds of all processes, and peak memory in MB (proportional share, so no double count)."""

    wall: float
    cpu: float
    peak_mb: float
    returncode: int
    output: str


def tree_memory_mb(process: psutil.Process) -> float:
    """PSS of a process and its descendants; RSS where the system has no PSS."""
    total = 0
    for each in [process, *process.children(recursive=True)]:
        try:
            info = each.memory_full_info()
            total += getattr(info, 'pss', info.rss)
        except psutil.Error:
            continue
    return total / 1e6


def run(command: list[str], cwd: str | None = None) -> Measured:
    """Runs `command` to its end."""
    before, start = os.times(), time.monotonic()
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    peak, stop = [0.0], threading.Event()

    def watch() -> None:
        tree = psutil.Process(process.pid)
        while not stop.wait(0.4):
            try:
                peak[0] = max(peak[0], tree_memory_mb(tree))
            except psutil.Error:
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    output = process.communicate()[0]
    wall = time.monotonic() - start
    stop.set()
    watcher.join()
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Measured(wall, cpu, peak[0], process.returncode, output)


def machine() -> str:
    """The machine in a line."""
    memory = psutil.virtual_memory().total / 1e9
    return f'{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB, {platform.platform()}'
