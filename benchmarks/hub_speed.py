"""Reading from a Hub over loopback to records: ReadHF beside a plain loop and beside `datasets`, one process each.

    python -m benchmarks.hub_speed --work /tmp/hub [--rows 200000] [--only parquet]

The server is a process of its own. Texts have 3.5 kB. Plain loop: pyarrow's iter_batches over HfFileSystem; isal and
orjson over HfFileSystem. Start-up (imports, listing, the first request) is a run with --rows of 1 and taken off.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import machine

ROOT = Path(__file__).resolve().parent.parent
NAMES = {'parquet': 'train-00000-of-00001.parquet', 'gz': 'train.jsonl.gz'}
_SERVER = """
import sys, time
from tests.hub_server import HubServer
hub = HubServer()
for name in sys.argv[2:]:
    hub.add('bench/' + name, sys.argv[1] + '/' + name)
print(hub.url, flush=True)
sys.stdin.read()
"""
PLAIN = {
    'parquet': """
import pyarrow.parquet as pq
from huggingface_hub import HfFileSystem
count = 0
with HfFileSystem().open('datasets/bench/{set}/data/{name}') as f:
    for batch in pq.ParquetFile(f).iter_batches(512):
        for row in batch.to_pylist():
            count += 1
""",
    'gz': """
import orjson
from isal import igzip
from huggingface_hub import HfFileSystem
count = 0
with HfFileSystem().open('datasets/bench/{set}/data/{name}') as f, igzip.open(f) as lines:
    for line in lines:
        row = orjson.loads(line)
        count += 1
"""}
DATASETS = """
import datasets
count = 0
for row in datasets.load_dataset('bench/{set}', split='train', streaming=True):
    count += 1
"""
OURS = """
import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
import beam_pipelines
from transforms import ReadHF
class Count(beam.DoFn):
    def start_bundle(self):
        self.count = 0
    def process(self, record):
        self.count += 1
    def finish_bundle(self):
        open('{out}', 'a').write(f'{self.count} ')
open('{out}', 'w').close()
with beam.Pipeline('FnApiRunner', options=PipelineOptions([])) as p:
    read = p | ReadHF('hf://datasets/bench/{set}')
    read.main | beam.ParDo(Count())
count = sum(map(int, open('{out}').read().split()))
"""
_END = """
import re
print(count, int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) // 1024)
"""


def make(folder: Path, kind: str, rows: int) -> None:
    """One file of `rows` records with texts of about 3.5 kB."""
    words = [w.encode() for w in Path(ROOT / 'README.md').read_text().split() if w.isascii()]
    rng = random.Random(7)
    folder.mkdir(parents=True, exist_ok=True)
    if kind == 'parquet':
        with pq.ParquetWriter(folder / NAMES['parquet'], pa.schema([('id', pa.int64()), ('url', pa.string()),
                                                                    ('text', pa.string())])) as writer:
            for start in range(0, rows, 5000):
                part = [_row(i, words, rng) for i in range(start, min(rows, start + 5000))]
                writer.write_table(pa.Table.from_pylist(part, writer.schema))
        return
    from isal import igzip

    with igzip.open(folder / NAMES['gz'], 'wb', 3) as out:
        for i in range(rows):
            out.write(orjson.dumps(_row(i, words, rng), option=orjson.OPT_APPEND_NEWLINE))


def _row(i: int, words: list[bytes], rng: random.Random) -> dict:
    return {'id': i, 'url': f'https://example.org/{i}', 'text': b' '.join(rng.choices(words, k=560)).decode()}


def once(code: str, environment: dict[str, str]) -> tuple[float, int, int]:
    """(wall seconds, rows, peak MiB) of one process."""
    start = time.monotonic()
    done = subprocess.run([sys.executable, '-c', code + _END], cwd=ROOT, env=environment, capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    rows, peak = done.stdout.split()[-2:]
    return time.monotonic() - start, int(rows), int(peak)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--work', type=Path, required=True)
    parser.add_argument('--rows', type=int, default=200_000)
    parser.add_argument('--repeat', type=int, default=3)
    parser.add_argument('--only', choices=('', 'parquet', 'gz'), default='')
    flags = parser.parse_args()
    print(machine())
    sets = []
    for kind in NAMES:
        for name, rows in ((f'{kind}-one', 1), (f'{kind}-tenth', flags.rows // 10), (f'{kind}-all', flags.rows)):
            sets.append(name)
            if not (flags.work / name).exists():
                make(flags.work / name / 'data', kind, rows)
    server = subprocess.Popen([sys.executable, '-c', _SERVER, str(flags.work), *sets], cwd=ROOT, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    environment = {**os.environ, 'HF_ENDPOINT': server.stdout.readline().strip(), 'HF_HOME': str(flags.work / 'home'),
                   'HF_HUB_DISABLE_PROGRESS_BARS': '1'}
    try:
        for kind in NAMES:
            if flags.only in ('', kind):
                compare(kind, flags, environment)
    finally:
        server.kill()


def compare(kind: str, flags: argparse.Namespace, environment: dict[str, str]) -> None:
    """Prints a line for each way; the ways take turns, and the best of the repeats counts."""
    codes = {'plain loop': PLAIN[kind], 'datasets': DATASETS, 'ReadHF': OURS}
    best: dict[str, float] = {}
    peaks: dict[str, dict[str, int]] = {}
    for _ in range(flags.repeat):
        for way, code in codes.items():
            seconds = {}
            for size in ('one', 'tenth', 'all'):
                if size == 'tenth' and way in best:
                    continue
                seconds[size], rows, peak = once(code.replace('{set}', f'{kind}-{size}').replace('{name}', NAMES[kind])
                                                 .replace('{out}', str(flags.work / 'count')), environment)
                peaks.setdefault(way, {})[size] = peak
            best[way] = max(best.get(way, 0.0), (rows - 1) / (seconds['all'] - seconds['one']))
    for way, rate in best.items():
        print(f"{kind:8} {way:12} {rate:9,.0f} rows/s  {rate / best['plain loop']:5.2f} of plain  "
              f"{rate / best['datasets']:5.2f} x datasets  peak MiB {peaks[way]['tenth']} at a tenth, {peaks[way]['all']}",
              flush=True)
    shutil.rmtree(flags.work / 'home', ignore_errors=True)


if __name__ == '__main__':
    main()
