"""Seconds and CPU of `text_clean` beside datatrove with the same steps, on the same files.

    python -m venv build/datatrove && build/datatrove/bin/pip install 'datatrove[processing,io]' selectolax
    python -m benchmarks.text_speed --input FOLDER --work build/text --peer build/datatrove/bin/python

FOLDER holds gz JSON lines with `text`. CPU is summed over the tree of processes, twenty times a second: children that a fork server
starts are waited for by nobody.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil

from options.text import load_config

_PEER = Path(__file__).parent / 'peers' / 'datatrove_text.py'


def measure(words: list[str], environment: dict[str, str] | None = None) -> tuple[float, float, float]:
    """(wall seconds, CPU seconds, peak MB of all processes together) of a command."""
    begun, cpu, peak = time.perf_counter(), {}, 0
    process = psutil.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **(environment or {})})
    while process.poll() is None:
        resident = 0
        for one in [process, *process.children(recursive=True)]:
            try:
                times, resident = one.cpu_times(), resident + one.memory_info().rss
                cpu[one.pid, one.create_time()] = times.user + times.system
            except psutil.Error:
                continue
        peak = max(peak, resident)
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f'{" ".join(words)} ended with {process.returncode}')
    return time.perf_counter() - begun, sum(cpu.values()), peak / 1e6


def main() -> None:
    """Prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--input', required=True)
    parser.add_argument('--work', required=True)
    parser.add_argument('--peer', default='', help='Python of an environment with datatrove')
    parser.add_argument('--workers', type=int, default=2)
    flags = parser.parse_args()
    work = Path(flags.work)
    ours = [sys.executable, '-m', 'beam_pipelines.text_clean', '--progress=off', f'--input={flags.input}', f'--output={work}/ours',
            '--direct_running_mode=multi_processing', f'--direct_num_workers={flags.workers}']
    variants = [('text_clean', ours, None), ('text_clean, one document', [*ours, '--limit=1'], None)]
    if flags.peer:
        keywords = json.dumps(load_config('').filtering.exclude_keywords)
        variants.append(('datatrove', [flags.peer, str(_PEER), flags.input, f'{work}/peer', str(flags.workers)], {'KEYWORDS': keywords}))
    for name, words, environment in variants:
        shutil.rmtree(work, ignore_errors=True)
        wall, cpu, peak = measure(words, environment)
        print(f'{name:28} {wall:7.1f} s wall {cpu:7.1f} s CPU {peak:7.0f} MB')


if __name__ == '__main__':
    main()
