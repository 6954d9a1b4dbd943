"""Outcomes by category of a folder of hostile PDFs, as a Markdown table: one output folder for each engine.

    for e in auto pdfium mupdf; do
      python -m beam_pipelines.render_pdf --input 'hostile/**/*.pdf' --output out/$e --pdf-engine=$e --max_failure_rate=1
    done
    python benchmarks/hostile_table.py out/auto out/pdfium out/mupdf
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow.parquet as pq


def outcomes(output: Path) -> dict[str, Counter]:
    """Outcome of each file's first page, counted by the folder that the file is in."""
    counts: dict[str, Counter] = defaultdict(Counter)
    for record in pq.read_table(output / 'records').to_pylist():
        if record['row'] == 0:
            verdict = f"rendered by {record['engine']}" if record['outcome'] == 'written' else record['reason']
            counts[record['file'].partition('/')[0]][verdict] += 1
    return counts


def main() -> None:
    folders = [Path(name) for name in sys.argv[1:]]
    found = {folder.name: outcomes(folder) for folder in folders}
    print('| category | files | ' + ' | '.join(found) + ' |')
    print('| --- | ---: |' + ' --- |' * len(found))
    for category in sorted(next(iter(found.values()))):
        cells = [', '.join(f'{verdict} {n}' for verdict, n in counts[category].most_common()) for counts in found.values()]
        files = sum(next(iter(found.values()))[category].values())
        print(f'| {category} | {files} | ' + ' | '.join(cells) + ' |')


if __name__ == '__main__':
    main()
