"""Two outputs side by side: `python -m benchmarks.compare_outputs ONE TWO`; exit code 1 when they differ.

For changes that must not change what comes out: images, chat files and error logs are compared by their bytes, the manifest
as paths and hashes (without records/), the records tables as rows by source number, file and row (columns that only one side
has are named and passed over), run.json by its accounts of each source, subset and split. Where one side is of an earlier
version, which knew no sources by number, rows go by file and row, and accounts are summed by address.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pyarrow.parquet as pq

_APART = {'run.json', 'report.html', 'manifest.json', '_SUCCESS'}
_SHOWN = 10


def differences(one: Path, two: Path) -> Iterator[str]:
    """A line for each difference."""
    yield from _files(one, two)
    yield from _mappings('manifest.json', *(_manifest(folder) for folder in (one, two)))
    yield from _records(one, two)
    # An output of an earlier version knows no subsets and splits: then accounts are summed by address.
    by_split = all('subset' in source for folder in (one, two) for source in _run(folder)['sources'])
    yield from _mappings('run.json', *(_accounts(folder, by_split) for folder in (one, two)))
    if (one / '_SUCCESS').exists() != (two / '_SUCCESS').exists():
        yield '_SUCCESS is on one side only'


def _names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file()
            and path.name not in _APART and path.relative_to(folder).parts[0] not in ('records', '.work')}


def _files(one: Path, two: Path) -> Iterator[str]:
    first, second = _names(one), _names(two)
    for name in sorted(first ^ second):
        yield f'{name} is in {one if name in first else two} only'
    for name in sorted(first & second):
        if (one / name).read_bytes() != (two / name).read_bytes():
            yield f'{name} has other bytes'


def _manifest(folder: Path) -> dict[str, str]:
    path = folder / 'manifest.json'
    entries = orjson.loads(path.read_bytes()) if path.exists() else []
    return {entry['path']: entry['sha256'] for entry in entries if not entry['path'].startswith('records/')}


def _run(folder: Path) -> dict:
    return orjson.loads((folder / 'run.json').read_bytes())


def _accounts(folder: Path, by_split: bool) -> dict[str, object]:
    """Counts by source, of the units and of the warnings, each under one name."""
    run = _run(folder)
    counts: dict[str, object] = {'state': run['state'], 'exit_code': run['exit_code']}
    for source in run['sources']:
        label = '/'.join(str(source.get(name) or '') for name in ('source', 'subset', 'split')[:3 if by_split else 1])
        for kind in ('read', 'written'):
            counts[f'{label} {kind}'] = counts.get(f'{label} {kind}', 0) + source[kind]
        for kind in ('dropped', 'failed'):
            for name, count in source[kind].items():
                counts[f'{label} {kind} {name}'] = counts.get(f'{label} {kind} {name}', 0) + count
    for kind in ('failed_units', 'warnings'):
        counts.update({f'{kind} {name}': count for name, count in run[kind].items()})
    return counts


def _mappings(what: str, one: dict[str, object], two: dict[str, object]) -> Iterator[str]:
    for name in sorted(one.keys() | two.keys()):
        if one.get(name) != two.get(name):
            yield f'{what}: {name} is {one.get(name)} and {two.get(name)}'


def _records(one: Path, two: Path) -> Iterator[str]:
    tables = [pq.read_table(folder / 'records') if (folder / 'records').exists() else None for folder in (one, two)]
    if None in tables:
        if tables[0] is not tables[1]:
            yield 'records/ is on one side only'
        return
    names = [set(table.column_names) for table in tables]
    if names[0] != names[1]:
        sys.stdout.write(f"note: columns of one records table only: {', '.join(sorted(names[0] ^ names[1]))}\n")
    common = names[0] & names[1]
    if 'source_number' not in common:
        common.discard('split')  # of an earlier version it was the label's
    identity = [name for name in ('source_number', 'file', 'row') if name in common]
    rows = [{tuple(row[name] for name in identity): row for row in table.select(sorted(common)).to_pylist()} for table in tables]
    for key in sorted(rows[0].keys() | rows[1].keys()):
        first, second = (of.get(key, {}) for of in rows)
        if first != second:
            changed = [name for name in sorted(common) if first.get(name) != second.get(name)]
            yield f"records: {':'.join(map(str, key))}: " + '; '.join(
                f'{name} is {first.get(name)!r} and {second.get(name)!r}'[:160] for name in changed[:3])


def main() -> None:
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    found = list(differences(Path(sys.argv[1]), Path(sys.argv[2])))
    for line in found[:_SHOWN]:
        sys.stdout.write(line + '\n')
    if len(found) > _SHOWN:
        sys.stdout.write(f'and {len(found) - _SHOWN} more\n')
    sys.stdout.write('equal\n' if not found else f'{len(found)} differences\n')
    raise SystemExit(1 if found else 0)


if __name__ == '__main__':
    main()
