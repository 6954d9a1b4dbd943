"""What several tests need: reading outputs, comparing folders, running pipelines as processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[1]
ASIDE = {'run.json', 'report.html'}


def records(output: Path) -> dict[tuple[str, int], dict]:
    """The records table by identity."""
    return {(r['file'], r['row']): r for r in pq.read_table(output / 'records').to_pylist()}


def tree(folder: Path) -> dict[str, bytes]:
    """Every file that must be equal between equal runs, by relative path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob('*'))
            if p.is_file() and p.name not in ASIDE}


def assert_same_output(one: Path, two: Path) -> None:
    """The two folders hold the same files with the same bytes."""
    first, second = tree(one), tree(two)
    assert sorted(first) == sorted(second)
    assert [name for name in first if first[name] != second[name]] == []


def load(path: Path) -> object:
    return json.loads(path.read_text(encoding='utf-8'))


def assert_balanced(run: dict) -> None:
    """read = written + dropped + failed, for every source and in total."""
    for account in [*run['sources'], run['totals']]:
        assert account['read'] == account['written'] + sum(account['dropped'].values()) \
            + sum(account['failed'].values()), account


def command(pipeline: str, *flags: object) -> list[str]:
    return [sys.executable, '-m', f'beam_pipelines.{pipeline}', *map(str, flags)]


def run_process(pipeline: str, *flags: object, **kwargs: object) -> subprocess.CompletedProcess:
    """A pipeline as users start it."""
    environment = {**os.environ, **kwargs.pop('env', {})}
    return subprocess.run(command(pipeline, *flags), cwd=kwargs.pop('cwd', ROOT), capture_output=True, text=True,
                          timeout=600, check=False, env=environment, **kwargs)
