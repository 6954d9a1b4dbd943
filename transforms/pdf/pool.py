"""A pool of sandboxed child processes, each fed by one thread, restarted after a death and reused otherwise.

Whether a page fails must not depend on what its child rendered before. So a death or an out-of-memory in a child
that had served other tasks is no verdict: the task is tried again in a fresh child, and that answer counts.
CPU time is counted from the task's start, so a timeout needs no second try.
"""

from __future__ import annotations

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
from dataclasses import dataclass
from pathlib import Path

from transforms.pdf.frames import read_frame, write_frame
from transforms.pdf.settings import RenderSettings
from transforms.run.cores import usable_cores

_ROOT = Path(__file__).resolve().parents[2]
_CORRUPTION = re.compile(rb'corrupt|invalid|double free|smashing|overflow detected|[Aa]ssert')
_KILLED_TRIES = 3
_WALL_FACTOR = 10
_HAS_MEMORY_LIMIT = sys.platform.startswith('linux')


@dataclass(frozen=True)
class Answer:
    """What a child said of one task: its JSON header, and the image's bytes unless they were spilled."""

    header: dict
    body: bytes = b''


class RenderPool:
    """Runs tasks in `processes` children. `submit` returns a future of Answer; `close` ends the children."""

    def __init__(self, settings: RenderSettings, processes: int) -> None:
        if processes < 1:
            raise ValueError(f'processes is {processes}, must be at least 1')
        self.settings, self.processes = settings, processes
        self._tasks: queue.SimpleQueue = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._serve, name=f'render-{i}', daemon=True)
                         for i in range(processes)]
        for thread in self._threads:
            thread.start()

    def submit(self, header: dict, payload: bytes = b'') -> Future:
        """Queues one task. The caller bounds how many are under way."""
        future: Future = Future()
        self._tasks.put((header, payload, future))
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
            header, payload, future = task
            try:
                answer, child = run_task(child, self.settings, header, payload)
                future.set_result(answer)
            except BaseException as error:  # a bug, or no process could be started: the caller must see it
                child = None
                future.set_exception(error)
            del task, payload
        if child:
            child.close()


def run_task(child: _Child | None, settings: RenderSettings, header: dict,
             payload: bytes) -> tuple[Answer, _Child | None]:
    """Runs one task to its verdict; returns it and the child to go on with (None: start a fresh one)."""
    for attempt in range(1, _KILLED_TRIES + 1):
        child = child or _Child(settings)
        fresh = child.served == 0
        answer = child.ask(header, payload)
        error = answer.header.get('error')
        if child.dead or answer.header.get('recycle'):
            child.close()
            child = None
        if answer.header.pop('killed', False) and attempt < _KILLED_TRIES:
            continue
        if fresh or error not in ('RenderCrash', 'PageOutOfMemory'):
            break
    return answer, child


class _Child:
    """One child process and the pipes to it."""

    def __init__(self, settings: RenderSettings) -> None:
        self._settings = settings
        self._stderr = tempfile.TemporaryFile()
        environment = {**os.environ, 'PYTHONPATH': str(_ROOT), 'OPENBLAS_NUM_THREADS': '1', 'OMP_NUM_THREADS': '1',
                       'PYMUPDF_SUGGEST_LAYOUT_ANALYZER': '0', 'PYTHONSAFEPATH': '1'}
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'transforms.pdf.child', json.dumps(settings.as_dict())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, cwd='/', env=environment,
            bufsize=1 << 20)
        self.served = 0
        self.dead = False

    def ask(self, header: dict, payload: bytes) -> Answer:
        """Sends one task and waits for the answer, or for the death that is one."""
        deadline = time.monotonic() + _WALL_FACTOR * self._settings.cpu_seconds
        verdict = None
        try:
            write_frame(self._process.stdin, header, payload)
            verdict = self._wait(deadline)
            frame = None if verdict else read_frame(self._process.stdout)
        except BrokenPipeError:
            frame = None
        self.served += 1
        if frame is not None:
            return Answer(*frame)
        return self._post_mortem(verdict)

    def _wait(self, deadline: float) -> str:
        """'' when an answer can be read (or the child died), else the limit that the child was killed for."""
        step = 600.0 if _HAS_MEMORY_LIMIT else 0.2
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                self._process.kill()
                return 'PageTimeout'
            if select.select([self._process.stdout], [], [], min(left, step))[0]:
                return ''
            if not _HAS_MEMORY_LIMIT and self._resident() > self._settings.memory_bytes:
                self._process.kill()
                return 'PageOutOfMemory'

    def _resident(self) -> int:
        import psutil

        try:
            return psutil.Process(self._process.pid).memory_info().rss
        except psutil.Error:
            return 0

    def _post_mortem(self, verdict: str) -> Answer:
        self.dead = True
        code = self._process.wait()
        limits = self._settings
        if verdict == 'PageTimeout' or code == -signal.SIGPROF:
            return _failed('PageTimeout', f'over {limits.cpu_seconds:g} s of CPU time')
        if verdict == 'PageOutOfMemory':
            return _failed(verdict, f'over {limits.memory_bytes >> 20} MiB of memory')
        if code == -signal.SIGABRT and not _CORRUPTION.search(self._stderr_tail()):
            # pdfium and the C++ library abort, in silence, when a memory request is refused.
            return _failed('PageOutOfMemory', f'over {limits.memory_bytes >> 20} MiB of memory')
        if code == -signal.SIGKILL:
            return Answer({'error': 'RenderCrash', 'message': 'the render process was killed', 'killed': True})
        if code < 0:
            return _failed('RenderCrash', f'the engine died of {signal.Signals(-code).name}')
        return self._not_started(code)

    def _not_started(self, code: int) -> Answer:
        if self.served <= 1:
            tail = self._stderr_tail().decode(errors='replace').strip().splitlines() or ['no message']
            raise RuntimeError(f'a render process could not start (exit code {code}): {tail[-1]}')
        return _failed('RenderCrash', f'the render process ended with code {code}')

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


def _failed(name: str, message: str) -> Answer:
    return Answer({'error': name, 'message': message})


_POOLS: dict[tuple[RenderSettings, int], list] = {}
_POOLS_LOCK = threading.Lock()


def acquire_pool(settings: RenderSettings, processes: int) -> RenderPool:
    """The one pool of this process for these settings, started when first asked for; 0 processes are one a core."""
    processes = processes or usable_cores()
    with _POOLS_LOCK:
        entry = _POOLS.setdefault((settings, processes), [None, 0])
        entry[0] = entry[0] or RenderPool(settings, processes)
        entry[1] += 1
        return entry[0]


def release_pool(pool: RenderPool) -> None:
    """Gives one claim back; the last one closes the pool."""
    with _POOLS_LOCK:
        key = (pool.settings, pool.processes)
        _POOLS[key][1] -= 1
        if _POOLS[key][1]:
            return
        del _POOLS[key]
    pool.close()
