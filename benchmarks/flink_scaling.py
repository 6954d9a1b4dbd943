"""The olmocr pipeline on a local Flink cluster beside the DirectRunner: pages a second, overhead, memory by kind of process.

    python -m benchmarks.make_large --output /tmp/x1 --pages 2600 --tarballs 8
    python -m benchmarks.make_large --output /tmp/x10 --pages 26000 --tarballs 80
    python -m benchmarks.flink_scaling --work /tmp/flink /tmp/x1 /tmp/x10

Needs what `deploy/flink/local_cluster.sh` needs: Java, a job server jar, and root for two TaskManagers. Every row is
the same work by as many render processes; a slot has one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import orjson
import psutil
import pyarrow.parquet as pq

from benchmarks.measure import machine

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / 'deploy' / 'flink' / 'local_cluster.sh'
PORT = 8191
MASTER = f'10.77.{PORT % 250}.1:{PORT}' if os.geteuid() == 0 else f'127.0.0.1:{PORT}'
KINDS = {'TaskManagerRunner': 'TaskManagers', 'SdkHarness': 'workers', 'transforms.sandbox.child': 'rendering',
         'StandaloneSession': 'JobManager', 'job-server': 'job server', 'beam_pipelines.olmocr': 'launcher'}


class MemoryByKind:
    """Peak resident memory (proportional share) of each kind of process while the block lasts, in MB."""

    def __init__(self) -> None:
        self.peak: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryByKind:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(1.0):
            now: dict[str, float] = {}
            for process in psutil.process_iter():
                try:
                    words = ' '.join(process.cmdline())
                    kind = next((name for mark, name in KINDS.items() if mark in words), '')
                    if kind:
                        now[kind] = now.get(kind, 0.0) + process.memory_full_info().pss / 1e6
                except psutil.Error:
                    continue
            for kind, size in now.items():
                self.peak[kind] = max(self.peak.get(kind, 0.0), size)


def cluster(action: str, work: Path, managers: int) -> None:
    environment = {**os.environ, 'FLINK_DIR': str(work / 'cluster'), 'REST_PORT': str(PORT), 'PYTHON': sys.executable,
                   'TASKMANAGERS': str(managers), 'SLOTS': '1'}
    subprocess.run([str(SCRIPT), action], env=environment, check=True, stdout=subprocess.DEVNULL)


def once(source: Path, output: Path, flags: list[str]) -> tuple[float, float, dict[str, float]]:
    """(wall seconds, seconds of the run by its own account, memory) of one run into a fresh folder."""
    shutil.rmtree(output, ignore_errors=True)
    start = time.monotonic()
    with MemoryByKind() as memory:
        done = subprocess.run([sys.executable, '-m', 'beam_pipelines.olmocr', f'--input={source}', f'--output={output}',
                               '--max_size=1288', '--force', *flags], cwd=ROOT, capture_output=True, text=True,
                              check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    run = orjson.loads((output / 'run.json').read_bytes())
    return time.monotonic() - start, run['seconds'], memory.peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('inputs', nargs='+', type=Path)
    parser.add_argument('--work', type=Path, required=True)
    parser.add_argument('--only', default='', help='rows whose name holds this')
    flags = parser.parse_args()
    remote = ['--runner=FlinkRunner', f'--flink_master={MASTER}', '--render_processes=1']
    rows = [('DirectRunner, 1 render process', 0, ['--render_processes=1']),
            ('DirectRunner, 2 render processes', 0, ['--render_processes=2']),
            ('embedded Flink, 2 render processes', 0, ['--runner=FlinkRunner', '--render_processes=2']),
            ('cluster, 1 slot', 1, [*remote, '--parallelism=1']),
            ('cluster, 2 slots, 2 TaskManagers', 2, [*remote, '--parallelism=2'])]
    print(machine())
    for name, managers, words in rows:
        if flags.only not in name:
            continue
        if managers:
            cluster('up', flags.work, managers)
            once(flags.inputs[0], flags.work / 'out', [*words, '--limit=1'])  # the first job loads Java's classes
        tiny, _, _ = once(flags.inputs[0], flags.work / 'out', [*words, '--limit=1'])
        for source in flags.inputs:
            pages = sum(pq.ParquetFile(p).metadata.num_rows for p in source.glob('*.parquet'))
            wall, _, memory = once(source, flags.work / 'out', words)
            sizes = ', '.join(f'{kind} {size:.0f}' for kind, size in sorted(memory.items()))
            print(f'{name:36} {pages:6} pages  {wall:6.1f} s  start-up {tiny:5.1f} s  '
                  f'{pages / (wall - tiny):6.1f} pages/s  MB: {sizes}', flush=True)
        if managers:
            cluster('down', flags.work, managers)
    shutil.rmtree(flags.work, ignore_errors=True)


if __name__ == '__main__':
    main()
