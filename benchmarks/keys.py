"""Seconds and peak memory of decisions on generated keys: `python -m benchmarks.keys --work build/keys --keys 10000000 --workers 1 2`."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from benchmarks.measure import run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--work', type=Path, required=True)
    parser.add_argument('--keys', type=int, nargs='+', default=[10_000_000])
    parser.add_argument('--workers', type=int, nargs='+', default=[1, 2])
    parser.add_argument('--decisions', nargs='+', default=['duplicates', 'ranks', 'kth'])
    parser.add_argument('--kinds', nargs='+', default=['random', 'few', 'equal'])
    flags = parser.parse_args()
    print(f"{'decision':11} {'keys':>11} {'kind':7} {'workers':>7} {'seconds':>8} {'CPU s':>7} {'peak MB':>8}  same answer")
    for decision in flags.decisions:
        for count in flags.keys:
            for kind in flags.kinds:
                answers = set()
                for workers in flags.workers:
                    shutil.rmtree(flags.work, ignore_errors=True)
                    flags.work.mkdir(parents=True)
                    many = ['--direct_running_mode=multi_processing', f'--direct_num_workers={workers}'] if workers > 1 else []
                    used = run([sys.executable, '-m', 'tests.decide', decision, kind, str(count), str(flags.work / 'answer'),
                                f'--work={flags.work / "work"}', '--runner=DirectRunner', *many])
                    if used.returncode:
                        raise SystemExit(used.output[-2000:])
                    answers.add((flags.work / 'answer').read_bytes())
                    print(f'{decision:11} {count:11} {kind:7} {workers:7} {used.wall:8.1f} {used.cpu:7.1f} {used.peak_mb:8.0f}'
                          f"  {'yes' if len(answers) == 1 else 'NO'}", flush=True)


if __name__ == '__main__':
    main()
