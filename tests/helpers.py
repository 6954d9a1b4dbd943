"""What several tests need: reading outputs, comparing folders, running pipelines as processes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow.parquet as pq

from transforms.files.json_values import iter_items
from transforms.llava.validate import check_image_file, check_sample
from transforms.run.run import Run

ROOT = Path(__file__).resolve().parents[1]
ASIDE = {'run.json', 'report.html'}


def records(output: Path) -> dict[tuple[str, int], dict]:
    """The records table by identity."""
    return {(r['file'], r['row']): r for r in pq.read_table(output / 'records').to_pylist()}


def tree(folder: Path) -> dict[str, bytes]:
    """Every file that must be equal between equal runs, by relative path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob('*'))
            if p.is_file() and p.name not in ASIDE}


def run_in(output: Path | str, **changes: object) -> Run:
    """A run in a folder, of one source with one part unless `changes` say otherwise; it is claimed."""
    run = Run('p', 'id', str(output), str(Path(output) / '.work'), **changes)
    run.claim()
    return run


def validate_chat(output: Path, name: str) -> tuple[int, list[str]]:
    """Reads a chat file as LLaVA's loader would: the number of samples, and what is wrong with them and their images."""
    with open(output / name, 'rb') as file:
        samples = [item.value for item in iter_items(file.read, 64 << 20)]
    problems = [problem for sample in samples
                if (problem := check_sample(sample) or check_image_file(str(output / sample['image'])))]
    if len({sample['id'] for sample in samples}) != len(samples):
        problems.append('ids are not unique')
    return len(samples), problems


def assert_same_output(one: Path, two: Path) -> None:
    """The two folders hold the same files with the same bytes."""
    first, second = tree(one), tree(two)
    assert sorted(first) == sorted(second)
    assert [name for name in first if first[name] != second[name]] == []


def pdf_of_objects(*objects: bytes) -> bytes:
    """A PDF of these objects, numbered from 1; the first is its catalog."""
    out, offsets = b'%PDF-1.5\n', []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b'%d 0 obj\n' % number + body + b'\nendobj\n'
    start = len(out)
    out += b'xref\n0 %d\n0000000000 65535 f \n' % (len(objects) + 1) + b''.join(b'%010d 00000 n \n' % o for o in offsets)
    return out + b'trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF' % (len(objects) + 1, start)


def load(path: Path) -> object:
    return json.loads(path.read_text(encoding='utf-8'))


def assert_balanced(run: dict) -> None:
    """read = written + dropped + failed, for every source and in total."""
    for account in [*run['sources'], run['totals']]:
        assert account['read'] == account['written'] + sum(account['dropped'].values()) \
            + sum(account['failed'].values()), account


def lint(folder: Path) -> subprocess.CompletedProcess:
    """What the linter of imports says of a copy of the project."""
    return subprocess.run([str(Path(sys.executable).parent / 'lint-imports'), '--no-cache'], cwd=folder, capture_output=True,
                          text=True, check=False, env={**os.environ, 'PYTHONPATH': ''})


def command(pipeline: str, *flags: object) -> list[str]:
    return [sys.executable, '-m', f'beam_pipelines.{pipeline}', *map(str, flags)]


def started(pipeline: str, *flags: object) -> subprocess.Popen:
    """A pipeline under way, in a process group of its own."""
    return subprocess.Popen(command(pipeline, *flags), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            start_new_session=True)


def run_process(pipeline: str, *flags: object, **kwargs: object) -> subprocess.CompletedProcess:
    """A pipeline as users start it."""
    environment = {**os.environ, **kwargs.pop('env', {})}
    return subprocess.run(command(pipeline, *flags), cwd=kwargs.pop('cwd', ROOT), capture_output=True, text=True,
                          timeout=600, check=False, env=environment, **kwargs)


def written_images(output: Path) -> dict[str, int]:
    """The time of the last change of each image of an output, also while a run makes and removes its work folder."""
    return _times(path for path in (output / 'images').rglob('*') if path.suffix in ('.png', '.jpg'))


def written_shards(output: Path) -> dict[str, int]:
    """The time of the last change of each shard of an output."""
    return _times(path for path in (output / 'data').rglob('*') if path.is_file() and not path.name.startswith('.'))


def _times(paths: Iterable[Path]) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in paths}


def kill_at_random_moments(start: Callable[[], subprocess.Popen], images: Callable[[], dict[str, int]], total: int,
                           times: int, seed: int, again: int = 0) -> int:
    """Starts a run again and again, and kills its process group each time.

    A moment is a number of new images, at most a third of those that are missing, and a pause on top: so the run is
    amid its work however fast the machine is. No image that was there before may be written again.

    Args:
        start: Starts the run in a process group of its own.
        images: The images that are there, with the time of their last change.
        total: The number of images of a whole run.
        times: How often to kill.
        seed: Of the moments.
        again: How many may be written again, whose journal line the kill came before.

    Returns:
        How often a run was killed before its end.
    """
    moments, killed, seen = random.Random(seed), 0, images()
    for _ in range(times):
        running = start()
        wanted = len(seen) + round((total - len(seen)) * moments.uniform(0, 1 / 3))
        while running.poll() is None and len(images()) < wanted:
            time.sleep(0.02)
        time.sleep(moments.uniform(0, 0.3))
        if running.poll() is not None:
            break
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        killed += 1
        now = images()
        assert sum(now[path] != seen[path] for path in seen) <= again, 'what was finished was written again'
        seen = now
    return killed
