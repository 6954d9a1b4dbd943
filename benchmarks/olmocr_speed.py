"""Pages per second of the olmocr pipeline against other ways to render the same pages, in one run.

    python benchmarks/make_large.py --output /tmp/large --pages 5000
    python benchmarks/olmocr_speed.py --input /tmp/large --work /tmp/speed --max_size 1288

Start-up is measured by runs of one page and taken off. Prints a table for docs/performance.md.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.measure import Measured, machine, run

HERE = Path(__file__).resolve().parent


def ours(flags: argparse.Namespace, output: Path, limit: int) -> list[str]:
    """The command of our pipeline."""
    return [sys.executable, '-m', 'beam_pipelines.olmocr', f'--input={flags.input}', f'--output={output}',
            f'--max_size={flags.max_size}', f'--limit={limit}', f'--num_workers={flags.processes}', '--force']


def other(way: str, flags: argparse.Namespace, output: Path, limit: int) -> list[str]:
    """The command of a baseline."""
    return [sys.executable, str(HERE / 'baselines.py'), way, str(flags.input), str(output),
            f'--max_size={flags.max_size}', f'--limit={limit}', f'--processes={flags.processes}']


def timed(command: list[str], output: Path) -> Measured:
    """Runs a command into a fresh folder, and removes what it made."""
    shutil.rmtree(output, ignore_errors=True)
    result = run(command, cwd=str(HERE.parent))
    if result.returncode:
        raise SystemExit(result.output)
    shutil.rmtree(output, ignore_errors=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--input', type=Path, required=True)
    parser.add_argument('--work', type=Path, required=True)
    parser.add_argument('--max_size', type=int, default=1288)
    parser.add_argument('--processes', type=int, default=2)
    parser.add_argument('--slow_pages', type=int, default=400, help='pages for pdftoppm, which is slow')
    parser.add_argument('--ways', default='ours,bare,ours,bare,published,pdftoppm')
    flags = parser.parse_args()
    rows = sum(pq.ParquetFile(p).metadata.num_rows for p in flags.input.glob('*.parquet'))
    print(f'{machine()}\n{rows} pages, longest side {flags.max_size}, {flags.processes} processes')
    print('way        pages   wall s  start s  pages/s  CPU s/page  peak MB')
    rates: dict[str, float] = {}
    for way in flags.ways.split(','):
        pages = flags.slow_pages if way == 'pdftoppm' else rows
        command = ours if way == 'ours' else lambda f, o, n, w=way: other(w, f, o, n)
        output = flags.work / way
        start = timed(command(flags, output, 1), output)
        full = timed(command(flags, output, 0 if pages == rows else pages), output)
        rate = pages / (full.wall - start.wall)
        rates[way] = max(rate, rates.get(way, 0))
        print(f'{way:10} {pages:5}  {full.wall:7.1f}  {start.wall:7.2f}  {rate:7.2f}  {full.cpu / pages:10.4f}  '
              f'{full.peak_mb:7.0f}', flush=True)
    for way, rate in rates.items():
        print(f'ours / {way}: {rates["ours"] / rate:.2f}')


if __name__ == '__main__':
    main()
