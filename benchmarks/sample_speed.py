"""Stage 1 of text_mix: planning from footers, a pass over gz JSON lines, and the race against `datasets`.

    python -m benchmarks.sample_speed plan --work build/sample
    python -m benchmarks.sample_speed pass --work build/sample --gigabytes 10
    python -m benchmarks.sample_speed race --work build/sample --gigabytes 1.5

`plan` plans a million of 10^8 rows in 2,000 files from their footers. `pass` samples 10,000 lines of gz files beside processes that only
decompress them, as many at a time. `race` takes 0.001 % of a Parquet dataset from a Hub over loopback that sends 50 MB/s, beside
`datasets` streaming all rows through a reservoir, which is its only exact way, and beside its shuffle and take. Start-up apart means less
what the same program takes for one row of a dataset of one row.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from isal import igzip, igzip_lib

from benchmarks.text_speed import measure
from tests.hub_server import serving

_HUB_SPEED = 50e6
_ALL_ROWS = """
import random, sys, datasets
random.seed(1)
n, kept = int(sys.argv[2]), []
for i, row in enumerate(datasets.load_dataset(sys.argv[1], split='train', streaming=True, columns=['text'])):
    if i < n: kept.append(row['text'])
    elif (j := random.randint(0, i)) < n: kept[j] = row['text']
print(len(kept))
"""
_SHUFFLED = """
import sys, datasets
n = int(sys.argv[2])
print(len(list(datasets.load_dataset(sys.argv[1], split='train', streaming=True, columns=['text']).shuffle(seed=1, buffer_size=10 * n).take(n))))
"""


def command(work: Path, name: str, samples: int, *flags: str) -> list[str]:
    """Stage 1 on one dataset."""
    (work / 'mix.yaml').write_text(f'datasets:\n  - {{name: {name}, weight: 1}}\n')
    return [sys.executable, '-m', 'beam_pipelines.text_mix', '--stage=1', f'--config={work}/mix.yaml', f'--raw-folder={work}/raw', '--overwrite',
            f'--target-samples={samples}', '--progress=off', *flags]


def make_footers(folder: Path) -> None:
    """2,000 files, each with the footer of 50,000 rows in 50 row groups of ten columns."""
    if folder.exists():
        return
    folder.mkdir(parents=True)
    names = ('text', 'id', 'dump', 'url', 'date', 'file_path', 'language', 'score', 'tokens', 'language_score')
    table = pa.table({name: [name] * 1000 if number < 7 else [1.0] * 1000 for number, name in enumerate(names)})
    with pq.ParquetWriter(folder / 'train-00000-of-02000.parquet', table.schema) as writer:
        for _ in range(50):
            writer.write_table(table)
    for number in range(1, 2000):
        os.link(folder / 'train-00000-of-02000.parquet', folder / f'train-{number:05d}-of-02000.parquet')


def make_lines(folder: Path, size: float, files: int = 8) -> None:
    """Gz files of generated documents of about 2 kB, `size` bytes of JSON lines in all."""
    if folder.exists():
        return
    folder.mkdir(parents=True)
    chance = np.random.default_rng(1)
    words = np.array([f'{a}{b}' for a in ('ba', 'con', 'di', 'fer', 'gral', 'hu', 'i', 'jo') for b in ('n', 'der', 'tion', 's', 'ly', 'ment')])
    documents = [' '.join(chance.choice(words, 350)) for _ in range(2_000)]
    for number in range(files):
        with open(folder / f'train-{number:05d}-of-{files:05d}.jsonl.gz', 'wb') as target:
            written = row = 0
            while written < size / files:
                lines = b''.join(json.dumps({'id': f'{number}-{row + i}', 'text': f'{documents[int(d)]} {row + i}'}).encode() + b'\n'
                                 for i, d in enumerate(chance.integers(0, len(documents), 1_000)))
                written, row = written + len(lines), row + 1_000
                target.write(igzip_lib.compress(lines, 1, flag=igzip_lib.COMP_GZIP))


def decompress(path: str) -> int:
    """Bytes of a gz file."""
    size = 0
    with igzip.open(path, 'rb') as source:
        while data := source.read(1 << 18):
            size += len(data)
    return size


def make_parquet(folder: Path, size: float, files: int = 4) -> int:
    """Files of row groups of 1,000 rows, `size` bytes in all; gives the number of rows."""
    groups = max(1, int(size / files / 330_000))
    if not folder.exists():
        folder.mkdir(parents=True)
        chance = np.random.default_rng(1)
        for number in range(files):
            schema = pa.schema([('text', 'string'), ('url', 'string'), ('score', 'float64')])
            with pq.ParquetWriter(folder / f'train-{number:05d}-of-{files:05d}.parquet', schema) as writer:
                for group in range(groups):
                    texts = [chance.bytes(150).hex() for _ in range(1_000)]
                    writer.write_table(pa.table({'text': texts, 'url': [f'https://example.org/{group}/{i}' for i in range(1_000)],
                                                 'score': [float(i) for i in range(1_000)]}, schema))
    return groups * files * 1_000


def say(name: str, figures: tuple[float, float, float]) -> None:
    """A line of figures."""
    print(f'{name:30} {figures[0]:8.1f} s {figures[1]:8.1f} CPU-s {figures[2]:8.0f} MB', flush=True)


def plan(work: Path) -> None:
    """Seconds and memory of planning."""
    make_footers(work / 'footers')
    say('plan of 10^8 rows', measure(command(work, str(work / 'footers'), 1_000_000, '--plan')))


def one_pass(work: Path, gigabytes: float) -> None:
    """Seconds of a pass, beside decompressing alone."""
    make_lines(work / f'lines-{gigabytes:g}', gigabytes * 1e9)
    make_lines(work / 'one-line', 1, 1)
    paths = sorted(map(str, (work / f'lines-{gigabytes:g}').iterdir()))
    for _ in range(2):
        begun = time.perf_counter()
        with ProcessPoolExecutor(2) as pool:
            size = sum(pool.map(decompress, paths))
        reading = time.perf_counter() - begun
        print(f'decompress {size / 1e9:.2f} GB: {reading:.1f} s, {size / reading / 1e6:.0f} MB/s', flush=True)
    start = measure(command(work, str(work / 'one-line'), 1, '--num_workers=2'))
    ours = measure(command(work, str(work / f'lines-{gigabytes:g}'), 10_000, '--num_workers=2'))
    say('start-up', start)
    say('sample of 10,000', ours)
    print(f'share of the speed of decompressing: {reading / ours[0]:.2f}, start-up apart {reading / (ours[0] - start[0]):.2f}')


def race(work: Path, gigabytes: float) -> None:
    """Seconds of both, start-up apart."""
    rows = make_parquet(work / f'parquet-{gigabytes:g}', gigabytes * 1e9)
    make_parquet(work / 'small', 330_000, 1)
    with serving(speed=_HUB_SPEED) as hub:
        hub.add('me/set', work / f'parquet-{gigabytes:g}')
        hub.add('me/small', work / 'small')
        for path in (*(work / f'parquet-{gigabytes:g}').iterdir(), *(work / 'small').iterdir()):
            hub.etag(path)  # hashed before anybody waits for it
        here = {'HF_ENDPOINT': hub.url, 'HF_TOKEN': '', 'HF_HOME': str(work / 'home')}
        for share in (0.00001, 0.001):
            n = max(1, round(share * rows))
            start = measure(command(work, 'me/small', 1, '--num_workers=1'), here)
            ours = measure(command(work, 'me/set', n, '--num_workers=1'), here)
            say(f'ours, {n:,} of {rows:,}', ours)
            say('ours, start-up', start)
            for name, program in (('all rows', _ALL_ROWS), ('shuffle and take', _SHUFFLED)):
                begins = measure([sys.executable, '-c', program, 'me/small', '1'], here)
                took = measure([sys.executable, '-c', program, 'me/set', str(n)], here)
                say(f'datasets, {name}', took)
                say('datasets, start-up', begins)
                print(f'{name}: {(took[0] - begins[0]) / max(0.05, ours[0] - start[0]):.1f} times ours, start-up apart', flush=True)
    subprocess.run(['rm', '-rf', str(work / 'home')], check=True)


def main() -> None:
    """Prints the figures of one measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('what', choices=('plan', 'pass', 'race'))
    parser.add_argument('--work', type=Path, required=True)
    parser.add_argument('--gigabytes', type=float, default=1.5)
    flags = parser.parse_args()
    work = flags.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    if flags.what == 'plan':
        plan(work)
    elif flags.what == 'pass':
        one_pass(work, flags.gigabytes)
    else:
        race(work, flags.gigabytes)


if __name__ == '__main__':
    main()
