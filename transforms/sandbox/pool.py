"""A pool of sandboxed child processes, each fed by one thread, restarted after a death and reused otherwise.

Whether a page fails must not depend on what its child rendered before. So a death or an out-of-memory in a child
that had served other tasks is no verdict: the task is tried again in a fresh child, and that answer counts.
CPU time is counted from the task's start, so a timeout needs no second try.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import queue
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from transforms.sandbox.cores import usable_cores
from transforms.sandbox.frames import read_frame, write_frame
from transforms.sandbox.limits import HAS_MEMORY_LIMIT
from transforms.sandbox.operation import ErrorNames, Operation, SandboxSettings

_ROOT = Path(__file__).resolve().parents[2]
_CORRUPTION = re.compile(rb'corrupt|invalid|double free|smashing|overflow detected|[Aa]ssert')
_KILLED_TRIES = 3
_WALL_FACTOR = 10
_PIPE_BYTES = 1 << 20
Operations = tuple[type[Operation], ...]


@dataclass(frozen=True)
class Answer:
    """What a child said of one task: its JSON header (with `error` and `message` where it failed), and bytes."""

    header: dict
    body: bytes = b''


class Pool:
    """Runs tasks in `processes` children. `submit` returns a future of Answer; `close` ends the children.

    Args:
        operations: what the children can do.
        settings: of these operations, limits included.
        processes: number of children, at least 1.
    """

    def __init__(self, operations: Operations, settings: SandboxSettings, processes: int) -> None:
        if processes < 1:
            raise ValueError(f'processes is {processes}, must be at least 1')
        self.operations, self.settings, self.processes = operations, settings, processes
        self._tasks: queue.SimpleQueue = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._serve, name=f'sandbox-{i}', daemon=True)
                         for i in range(processes)]
        for thread in self._threads:
            thread.start()

    def submit(self, operation: type[Operation], header: dict, payload: bytes = b'') -> Future:
        """Queues one task. A `Window` bounds how many are under way."""
        future: Future = Future()
        self._tasks.put((operation, header, payload, future))
        return future

    def close(self) -> None:
        """Lets the tasks under way finish, then ends the children."""
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        child = None
        while (task := self._tasks.get()) is not None:
            operation, header, payload, future = task
            try:
                answer, child = self._run(child, operation, header, payload)
                future.set_result(answer)
            except BaseException as error:  # a bug, or no process could be started: the caller must see it
                child = None
                future.set_exception(error)
            del task, payload
        if child:
            child.close()

    def _run(self, child: _Child | None, operation: type[Operation], header: dict,
             payload: bytes) -> tuple[Answer, _Child | None]:
        """Runs one task to its verdict; returns it and the child to go on with (None: start a fresh one)."""
        for attempt in range(1, _KILLED_TRIES + 1):
            child = child or _Child(self.operations, self.settings)
            fresh = child.served == 0
            answer = child.ask(operation, header, payload)
            error = answer.header.get('error')
            if child.dead or answer.header.get('recycle'):
                child.close()
                child = None
            if answer.header.pop('killed', False) and attempt < _KILLED_TRIES:
                continue
            if fresh or error not in (operation.errors.crash, operation.errors.out_of_memory):
                break
        return answer, child


class _Child:
    """One child process and the pipes to it."""

    def __init__(self, operations: Operations, settings: SandboxSettings) -> None:
        self._settings = settings
        self._stderr = tempfile.TemporaryFile()
        environment = {**os.environ, 'PYTHONPATH': str(_ROOT), 'OPENBLAS_NUM_THREADS': '1', 'OMP_NUM_THREADS': '1',
                       'PYMUPDF_SUGGEST_LAYOUT_ANALYZER': '0', 'PYTHONSAFEPATH': '1'}
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'transforms.sandbox.child',
             json.dumps([[operation.path() for operation in operations], asdict(settings)])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, cwd='/', env=environment,
            bufsize=1 << 20)
        for pipe in (self._process.stdin, self._process.stdout):
            _enlarge(pipe)
        self.served = 0
        self.dead = False

    def ask(self, operation: type[Operation], header: dict, payload: bytes) -> Answer:
        """Sends one task and waits for the answer, or for the death that is one."""
        deadline = time.monotonic() + _WALL_FACTOR * self._settings.cpu_seconds
        killed_for = None
        try:
            write_frame(self._process.stdin, {**header, 'operation': operation.path()}, payload)
            killed_for = self._wait(deadline, operation.errors)
            frame = None if killed_for else read_frame(self._process.stdout)
        except BrokenPipeError:
            frame = None
        self.served += 1
        if frame is not None:
            return Answer(*frame)
        return self._post_mortem(killed_for, operation.errors)

    def _wait(self, deadline: float, names: ErrorNames) -> str:
        """'' when an answer can be read (or the child died), else the limit that the child was killed for."""
        step = 600.0 if HAS_MEMORY_LIMIT else 0.2
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                self._process.kill()
                return names.timeout
            if select.select([self._process.stdout], [], [], min(left, step))[0]:
                return ''
            if not HAS_MEMORY_LIMIT and self._resident() > self._settings.memory_bytes:
                self._process.kill()
                return names.out_of_memory

    def _resident(self) -> int:
        import psutil

        try:
            return psutil.Process(self._process.pid).memory_info().rss
        except psutil.Error:
            return 0

    def _post_mortem(self, killed_for: str | None, names: ErrorNames) -> Answer:
        self.dead = True
        code = self._process.wait()
        limits = self._settings
        if killed_for == names.timeout or code == -signal.SIGPROF:
            return _failed(names.timeout, f'over {limits.cpu_seconds:g} s of CPU time')
        if killed_for == names.out_of_memory:
            return _failed(names.out_of_memory, f'over {limits.memory_bytes >> 20} MiB of memory')
        if code == -signal.SIGABRT and not _CORRUPTION.search(self._stderr_tail()):
            # pdfium and the C++ library abort, in silence, when a memory request is refused.
            return _failed(names.out_of_memory, f'over {limits.memory_bytes >> 20} MiB of memory')
        if code == -signal.SIGKILL:
            return Answer({'error': names.crash, 'message': 'the child process was killed', 'killed': True})
        if code < 0:
            return _failed(names.crash, f'the engine died of {signal.Signals(-code).name}')
        if self.served <= 1:
            tail = self._stderr_tail().decode(errors='replace').strip().splitlines() or ['no message']
            raise RuntimeError(f'a child process could not start (exit code {code}): {tail[-1]}')
        return _failed(names.crash, f'the child process ended with code {code}')

    def _stderr_tail(self) -> bytes:
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - 4096))
        return self._stderr.read()

    def close(self) -> None:
        """Ends the child: it leaves when its stdin does."""
        for pipe in (self._process.stdin, self._process.stdout, self._stderr):
            try:
                pipe.close()
            except OSError:
                self.dead = True  # a dead child's pipe cannot take what was buffered for it
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _enlarge(pipe: BinaryIO) -> None:
    """Lets a payload pass in one go where Linux allows it: 100 kB there and back take 220 us instead of 340."""
    with contextlib.suppress(AttributeError, OSError):
        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _failed(name: str, message: str) -> Answer:
    return Answer({'error': name, 'message': message})


_POOLS: dict[tuple[Operations, SandboxSettings, int], list] = {}
_POOLS_LOCK = threading.Lock()


def acquire_pool(operations: Operations, settings: SandboxSettings, processes: int) -> Pool:
    """The one pool of this process for these, started when first asked for; 0 processes are one a core."""
    processes = processes or usable_cores()
    with _POOLS_LOCK:
        entry = _POOLS.setdefault((operations, settings, processes), [None, 0])
        entry[0] = entry[0] or Pool(operations, settings, processes)
        entry[1] += 1
        return entry[0]


def release_pool(pool: Pool) -> None:
    """Gives one claim back; the last one closes the pool."""
    with _POOLS_LOCK:
        key = (pool.operations, pool.settings, pool.processes)
        _POOLS[key][1] -= 1
        if _POOLS[key][1]:
            return
        del _POOLS[key]
    pool.close()
