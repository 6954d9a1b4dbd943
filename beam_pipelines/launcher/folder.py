"""The output folder before a run: whose it is, what is in it already, and the lock that keeps others out."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass

import orjson
from filelock import FileLock, Timeout

from beam_pipelines.launcher.human import human_bytes
from beam_pipelines.launcher.spec import UsageError
from transforms.files import storage

WORK = '.work'
_LOCK, _OWNER = 'lock', 'owner'
_TOO_LITTLE = 1 << 20  # free bytes with which not even the verdict may have fitted
_HALF_WRITTEN = re.compile(r'\.[0-9a-f]{32}\.tmp\Z')


@dataclass(frozen=True)
class EarlierRun:
    """What an output folder holds: 'new', 'unfinished' (resume) or 'done', and the run.json if there is one."""

    state: str
    run: dict


def inspect(output: str, pipeline: str, identity: dict, publishes: bool = False, may_differ: frozenset[str] = frozenset()) -> EarlierRun:
    """Compares what is in the folder with what is asked for.

    Args:
        output: output folder.
        pipeline: name of the pipeline.
        identity: all that decides the output's bytes: `options`, `inputs`, `versions`.
        publishes: whether the output is published at the end: then a state that was left says that it was not.
        may_differ: names of options that need not be the same.

    Raises:
        UsageError: the folder is somebody else's, or holds a run with other options or another input.
    """
    run = _read_json(storage.join(output, 'run.json'))
    state = _read_json(storage.join(output, WORK, 'state.json'))
    if not run and not state:
        if _is_empty(output):
            return EarlierRun('new', {})
        raise UsageError(f'--output {output} is not empty and not the output of a pipeline of ours: '
                         'choose another folder')
    # `_SUCCESS` decides: cleaning up afterwards may have failed.
    done = run.get('state') == 'done' and storage.exists(storage.join(output, '_SUCCESS')) and not (state and publishes)
    before = run if done else state or run
    if before.get('pipeline') != pipeline:
        raise UsageError(f"--output {output} holds a run of {before.get('pipeline')}: choose another folder")
    differing = differences(before, identity, with_versions=not done, may_differ=may_differ)
    if differing:
        kind = 'a finished run' if done else 'an unfinished run'
        raise UsageError(f'--output {output} holds {kind} with other options ({"; ".join(differing)}). '
                         'Choose another folder, or --overwrite to delete it and start again')
    return EarlierRun('done' if done else 'unfinished', run)


def differences(before: dict, now: dict, with_versions: bool, may_differ: frozenset[str] = frozenset()) -> list[str]:
    """What differs between two runs' identities, a short text for each difference."""
    lines = []
    for name in sorted({*before.get('options', {}), *now['options']}):
        old, new = before.get('options', {}).get(name), now['options'].get(name)
        if old != new and name not in may_differ:
            lines.append(f'--{name} was {old!r}, now {new!r}')
    old_files = {f[0]: tuple(f[1:]) for f in before.get('inputs', ())}
    new_files = {f[0]: tuple(f[1:]) for f in now['inputs']}
    changed = sorted(path for path in {*old_files, *new_files} if old_files.get(path) != new_files.get(path))
    if changed:
        lines.append(f'input changed: {changed[0]}' + (f' and {len(changed) - 1} more' if changed[1:] else ''))
    if with_versions:
        for name in sorted(now['versions']):
            if before.get('versions', {}).get(name) != now['versions'][name]:
                lines.append(f"{name} was {before.get('versions', {}).get(name)}, now {now['versions'][name]}")
    return lines


def sweep(output: str) -> None:
    """Removes what a run that was killed had half written beside its final names."""
    if not storage.is_local(output):
        return
    for name in os.listdir(output) if os.path.isdir(output) else ():
        if _HALF_WRITTEN.match(name):
            os.unlink(os.path.join(output, name))


def _read_json(path: str) -> dict:
    try:
        content = orjson.loads(storage.read_bytes(path)) if storage.exists(path) else {}
    except (ValueError, OSError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_empty(output: str) -> bool:
    if storage.is_local(output):
        if not os.path.exists(output):
            return True
        if not os.path.isdir(output):
            raise UsageError(f'--output {output} is a file, it must be a folder')
        return not [n for n in os.listdir(output) if n not in (WORK, '.DS_Store')]
    return not storage.list_files(output)


def clear(output: str) -> None:
    """Deletes everything in the folder, but the lock that we hold."""
    if not storage.is_local(output):
        storage.delete_tree(output)
        return
    # In an order that may be cut off anywhere: what says that a run is done goes first, what says whose it is last.
    order = {'_SUCCESS': 0, WORK: 2, 'run.json': 3}
    for name in sorted(os.listdir(output) if os.path.isdir(output) else (), key=lambda name: (order.get(name, 1), name)):
        path = os.path.join(output, name)
        if name == WORK:
            clear_work(path)
        elif os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)


def clear_work(work: str) -> None:
    """Empties a local work folder but for the lock."""
    for name in os.listdir(work) if os.path.isdir(work) else ():
        path = os.path.join(work, name)
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif name not in (_LOCK, _OWNER):
            os.unlink(path)


class OutputLock:
    """Keeps a second run out of a local output folder; a process that dies frees it.

    Raises:
        UsageError: another run holds it, or the folder cannot be written.
    """

    def __init__(self, output: str) -> None:
        self._lock: FileLock | None = None
        if not storage.is_local(output):
            return
        work = os.path.join(output, WORK)
        owner = os.path.join(work, _OWNER)
        try:
            os.makedirs(work, exist_ok=True)
            self._lock = FileLock(os.path.join(work, _LOCK), timeout=0)
            self._lock.acquire()
            storage.write_bytes(owner, str(os.getpid()).encode())
        except Timeout:
            raise UsageError(f'--output {output} is in use by another run (process {_owner(owner)}): '
                             'wait for it, or choose another folder') from None
        except (OSError, storage.RunAborted) as error:
            if self._lock:
                self._lock.release()
            reason = getattr(error, 'strerror', '') or str(error)
            raise UsageError(f'--output {output} cannot be written ({reason}): choose another folder') from None

    def release(self, output: str) -> None:
        """Frees the lock, and removes the work folder when nothing else is in it."""
        if not self._lock:
            return
        work = os.path.join(output, WORK)
        if os.path.isdir(work) and set(os.listdir(work)) <= {_LOCK, _OWNER}:
            shutil.rmtree(work, ignore_errors=True)
        self._lock.release()
        if os.path.isdir(output) and not os.listdir(output):
            os.rmdir(output)


def _owner(path: str) -> str:
    """The process number that a lock's holder has left, 'unknown' when there is none (any more)."""
    try:
        return storage.read_bytes(path).decode(errors='replace') or 'unknown'
    except OSError:
        return 'unknown'


def save_state(output: str, pipeline: str, identity: dict) -> None:
    """Writes .work/state.json: the pipeline's name, and options, inputs and versions of the unfinished run."""
    storage.write_bytes(storage.join(output, WORK, 'state.json'), orjson.dumps({'pipeline': pipeline, **identity}))


def without_verdict(output: str) -> str:
    """Why a run may have ended without a run.json of its own, and what to do."""
    if storage.is_local(output) and shutil.disk_usage(output).free < _TOO_LITTLE:
        return f'no space left on the disk of {output}: free some, then run the same command again to resume'
    return f"the run ended without a verdict in {storage.join(output, 'run.json')}: run the same command again to resume"


def check_space(output: str, needed: int, force: bool) -> None:
    """Refuses to start when the plan needs more than the disk has.

    Raises:
        UsageError: too little free space and not `force`.
    """
    if force or not storage.is_local(output):
        return
    place = os.path.abspath(output)
    while not os.path.exists(place):
        place = os.path.dirname(place)
    there = sum(info.size for info in storage.list_files(output)) if os.path.isdir(output) else 0
    free = shutil.disk_usage(place).free
    if needed - there > free:
        raise UsageError(f'the plan needs about {human_bytes(needed - there)} on the disk of --output {output}, '
                         f'which has {human_bytes(free)} free. Free some, choose another disk, or start with --force')
