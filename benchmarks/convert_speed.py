"""Seconds of `convert` beside `datasets` and a plain loop on the same files, and its peak memory.

    python -m benchmarks.convert_speed --work build/convert --megabytes 300
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import run

_LOOP = """
import gzip, json, sys
from pathlib import Path
import pyarrow.parquet as pq
source, target = Path(sys.argv[1]), Path(sys.argv[2])
target.mkdir()
for number, path in enumerate(sorted(source.iterdir())):
    with gzip.open(target / f'train-{number:05d}.jsonl.gz', 'wt', compresslevel=6, encoding='utf-8') as out:
        if path.suffix == '.parquet':
            rows = (row for batch in pq.ParquetFile(path).iter_batches() for row in batch.to_pylist())
        else:
            rows = (json.loads(line) for line in (gzip.open if path.suffix == '.gz' else open)(path, 'rb'))
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + '\\n')
"""
_DATASETS = """
import sys, datasets
loaded = datasets.load_dataset(sys.argv[1], cache_dir=sys.argv[2] + '/cache')['train']
if sys.argv[3] == 'jsonl':
    loaded.to_json(sys.argv[2] + '/train.jsonl.gz', compression='gzip', num_proc=2)
else:
    loaded.to_parquet(sys.argv[2] + '/train.parquet')
"""


def make(folder: Path, kind: str, megabytes: int) -> None:
    """A dataset of texts like web pages, in files of 100 MB of text."""
    words = ('the a of and lantern river morning bridge paper winter market ferry măng trăng sông gió street light garden '
             'seven hours between under through stone voice glass field number station').split()
    chance, left, number = random.Random(0), megabytes << 20, 0
    folder.mkdir(parents=True)
    while left > 0:
        rows, held = [], 0
        while held < min(100 << 20, left):
            text = ' '.join(chance.choices(words, k=chance.randint(50, 900)))
            rows.append({'id': f'{number}-{len(rows)}', 'text': text, 'score': chance.random(), 'meta': {'lang': 'en', 'n': len(text)}})
            held += len(text.encode())
        if kind == 'parquet':
            pq.write_table(pa.Table.from_pylist(rows), folder / f'train-{number:03d}.parquet', row_group_size=10_000, compression='zstd')
        else:
            data = b''.join(json.dumps(row, ensure_ascii=False).encode() + b'\n' for row in rows)
            path = folder / f'train-{number:03d}.{kind}'
            path.write_bytes(gzip.compress(data, 6) if kind.endswith('gz') else data)
        left -= held
        number += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--work', type=Path, required=True)
    parser.add_argument('--megabytes', type=int, default=300)
    parser.add_argument('--kinds', nargs='+', default=['jsonl', 'jsonl.gz', 'parquet'])
    parser.add_argument('--ours_only', action='store_true')
    flags = parser.parse_args()
    print(f"{'input':10} {'output':8} {'by':22} {'seconds':>8} {'CPU s':>7} {'peak MB':>8}")
    for kind in flags.kinds:
        source = flags.work / f'in-{kind}-{flags.megabytes}'
        if not source.exists():
            make(source, kind, flags.megabytes)
        for output in ('jsonl', 'parquet'):
            ours = [sys.executable, '-m', 'beam_pipelines.convert', f'--input={source}', f'--format={output}', '--progress=off']
            tries = {'convert, 1 worker': [*ours, '--num_workers=1'], 'convert': ours}
            if not flags.ours_only:
                tries['datasets'] = [sys.executable, '-c', _DATASETS, str(source)]
                if output == 'jsonl':
                    tries['a plain loop'] = [sys.executable, '-c', _LOOP, str(source)]
            for name, command in tries.items():
                target = flags.work / 'out'
                shutil.rmtree(target, ignore_errors=True)
                if 'convert' in name:
                    command = [*command, f'--output={target}']
                else:
                    if name == 'datasets':
                        target.mkdir()
                    command = [*command, str(target), output]
                used = run(command)
                print(f'{kind:10} {output:8} {name:22} {used.wall:8.1f} {used.cpu:7.1f} {used.peak_mb:8.0f}'
                      f"{'' if not used.returncode else '  failed: ' + used.output[-300:]}", flush=True)


if __name__ == '__main__':
    main()
