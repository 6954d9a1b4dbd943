"""Peak memory of the olmocr pipeline, all processes together, on inputs of different sizes.

    python benchmarks/make_large.py --output /tmp/x1 --pages 520
    python benchmarks/make_large.py --output /tmp/x10 --pages 5200 --tarballs 40
    python benchmarks/olmocr_memory.py --work /tmp/memory /tmp/x1 /tmp/x10
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.measure import machine, run

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('inputs', nargs='+', type=Path)
    parser.add_argument('--work', type=Path, required=True)
    parser.add_argument('--max_size', type=int, default=1288)
    flags = parser.parse_args()
    print(machine())
    print('input          pages  tarballs   MB in  wall s  busy cores  peak MB')
    for source in flags.inputs:
        shutil.rmtree(flags.work, ignore_errors=True)
        pages = sum(pq.ParquetFile(p).metadata.num_rows for p in source.glob('*.parquet'))
        tarballs = list(source.glob('pdf_tarballs/*'))
        size = sum(p.stat().st_size for p in source.rglob('*') if p.is_file()) / 1e6
        done = run([sys.executable, '-m', 'beam_pipelines.olmocr', f'--input={source}', f'--output={flags.work}',
                    f'--max_size={flags.max_size}', '--force'], cwd=str(HERE.parent))
        if done.returncode:
            raise SystemExit(done.output)
        print(f'{source.name:12} {pages:7} {len(tarballs):9} {size:7.0f} {done.wall:7.1f} {done.cpu / done.wall:11.2f} '
              f'{done.peak_mb:8.0f}', flush=True)
    shutil.rmtree(flags.work, ignore_errors=True)


if __name__ == '__main__':
    main()
