"""Seconds and CPU of `text_clean` beside datatrove and a plain script with the same steps, on the same files.

    python -m venv build/datatrove && build/datatrove/bin/pip install 'datatrove[processing,io]' selectolax
    python -m benchmarks.text_speed --input FOLDER --work build/text --peer build/datatrove/bin/python

FOLDER holds JSON lines with `text`; the script and datatrove take gz. CPU is summed over the tree of processes, twenty times a second: children that a fork server
starts are waited for by nobody.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil

from options.text import load_config

_PEERS = Path(__file__).parent / 'peers'


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


def one_document(folder: str, work: Path) -> str:
    """A folder with the first document alone: what a run of it takes is start-up."""
    first = work / 'one'
    first.mkdir(parents=True, exist_ok=True)
    with (gzip.open if (path := sorted(Path(folder).iterdir())[0]).suffix == '.gz' else open)(path, 'rb') as source:
        (first / 'part-00000.jsonl.gz').write_bytes(gzip.compress(source.readline()))
    return str(first)


def main() -> None:
    """Prints a line for each, and the same without what a run of one document takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--input', required=True)
    parser.add_argument('--work', required=True)
    parser.add_argument('--peer', default='', help='Python of an environment with datatrove')
    parser.add_argument('--no_script', action='store_true', help='leave the plain script out')
    parser.add_argument('--workers', type=int, default=2)
    flags = parser.parse_args()
    work, workers = Path(flags.work), str(flags.workers)
    out = str(work / 'out')
    variants = {'text_clean': (lambda source: [sys.executable, '-m', 'beam_pipelines.text_clean', '--progress=off', f'--input={source}', f'--output={out}',
                                               '--direct_running_mode=multi_processing', f'--direct_num_workers={workers}'], None)}
    if not flags.no_script:
        variants['plain script'] = (lambda source: [sys.executable, str(_PEERS / 'plain_text.py'), source, out, workers], {'PYTHONPATH': os.getcwd()})
    if flags.peer:
        keywords = json.dumps(load_config('').filtering.exclude_keywords)
        variants['datatrove'] = (lambda source: [flags.peer, str(_PEERS / 'datatrove_text.py'), source, out, workers], {'KEYWORDS': keywords})
    print(f'{"":14} {"seconds":>9} {"CPU":>9} {"MB":>7}   without start-up: seconds, CPU')
    for name, (words, environment) in variants.items():
        figures = []
        for source in (one_document(flags.input, work), flags.input):
            shutil.rmtree(out, ignore_errors=True)
            figures.append(measure(words(source), environment))
        (start, start_cpu, _), (wall, cpu, peak) = figures
        print(f'{name:14} {wall:9.1f} {cpu:9.1f} {peak:7.0f} {wall - start:20.1f} {cpu - start_cpu:9.1f}', flush=True)


if __name__ == '__main__':
    main()
