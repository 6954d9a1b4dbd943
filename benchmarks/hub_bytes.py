"""Bytes fetched from a Hub over loopback for a part of a Parquet, beside the bytes of that part.

    python -m benchmarks.hub_bytes --work /tmp/hub_bytes
"""

from __future__ import annotations

import argparse
import os
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.hub_server import serving
from transforms.files.parquet import read_footer
from transforms.read_hf import parquet_rows
from transforms.read_hf.plan import plan_read
from transforms.read_hf.read_unit import read_unit

_COLUMNS, _GROUPS, _ROWS = 20, 100, 400


def make(path: Path) -> None:
    """20 columns, 100 row groups of 400 rows, 1 kB a value that does not compress."""
    rng = random.Random(1)
    schema = pa.schema([(f'c{i:02d}', pa.binary()) for i in range(_COLUMNS)])
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, schema, use_dictionary=False) as writer:
        for _ in range(_GROUPS):
            writer.write_table(pa.table({n: [rng.randbytes(1000) for _ in range(_ROWS)] for n in schema.names}, schema))


def fetched(hub: object, **asked: object) -> tuple[int, int]:
    """(rows, bytes sent) of planning and reading."""
    hub.sent.clear()
    parquet_rows._FOOTERS.clear()
    plan, rows = plan_read('hf://datasets/me/wide', **asked), 0
    for chain in plan.chains:
        for unit in chain.units:
            items = read_unit(unit)
            for _ in items:
                rows += 1
                if rows == asked.get('limit'):
                    break
            items.close()
            if rows == asked.get('limit'):
                break
    return rows, hub.bytes_sent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--work', type=Path, required=True)
    flags = parser.parse_args()
    path = flags.work / 'set' / 'train.parquet'
    if not path.exists():
        make(path)
    os.environ['HF_HOME'] = str(flags.work / 'home')
    with path.open('rb') as source:
        footer = read_footer(source, path.stat().st_size)
    print(f'{path.stat().st_size / 1e6:.1f} MB, {_COLUMNS} columns, {_GROUPS} row groups')
    with serving() as hub:
        os.environ['HF_ENDPOINT'] = hub.url
        hub.add('me/wide', path.parent)
        for name, asked, columns, groups in (
                ('everything', {}, None, None),
                ('2 of 20 columns', {'columns': ('c03', 'c11')}, ('c03', 'c11'), None),
                ('1 of 100 row groups (--limit)', {'limit': _ROWS}, None, (0,)),
                ('both', {'columns': ('c03', 'c11'), 'limit': _ROWS}, ('c03', 'c11'), (0,))):
            part = sum(end - start for start, end in footer.ranges(columns, groups))
            rows, sent = fetched(hub, **asked)
            print(f'{name:30} {rows:6} rows  wanted {part / 1e6:8.2f} MB  fetched {sent / 1e6:8.2f} MB  '
                  f'{sent / part:5.3f} of it, {100 * sent / path.stat().st_size:6.2f} % of the file')


if __name__ == '__main__':
    main()
