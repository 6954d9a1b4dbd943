"""A real Flink cluster for tests, by deploy/flink/local_cluster.sh."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.helpers import ROOT

SCRIPT = ROOT / 'deploy' / 'flink' / 'local_cluster.sh'
PORT = 8190


class Cluster:
    """One cluster: `up`, `down`, and its processes by name."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = {**os.environ, 'FLINK_DIR': str(folder), 'REST_PORT': str(PORT), 'PYTHON': sys.executable,
                            **environment}
        self.master = f'10.77.{PORT % 250}.1:{PORT}' if os.geteuid() == 0 else f'127.0.0.1:{PORT}'

    def script(self, *words: str, **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run([str(SCRIPT), *words], env={**self.environment, **environment}, capture_output=True,
                              text=True, timeout=400, check=False)

    def up(self) -> None:
        done = self.script('up')
        assert done.returncode == 0, done.stderr + done.stdout

    def down(self) -> None:
        self.script('down')

    @staticmethod
    def namespace(number: int) -> str:
        """The network namespace of a TaskManager and its pool."""
        return f'btd{PORT}-{number}'

    def pid(self, name: str) -> int:
        return int((self.folder / 'pids' / name).read_text())

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Signals a process and all that it started."""
        os.killpg(self.pid(name), number)

    def wake(self, name: str) -> None:
        """Lets a stopped process go on, where it still is one."""
        try:
            self.kill(name, signal.SIGCONT)
        except (ProcessLookupError, FileNotFoundError):
            return

    def restart(self, *names: str, after: float = 8.0) -> None:
        """Kills with -9, and starts again after a while, as a supervisor would."""
        for name in names:
            self.kill(name)
        time.sleep(after)
        for name in names:
            self.script('stop', name)
            done = self.script('start', name)
            assert done.returncode == 0, done.stderr

    def ask(self, path: str) -> dict:
        with urllib.request.urlopen(f'http://{self.master}/{path}', timeout=5) as answer:
            return json.load(answer)

    def jobs(self) -> dict[str, str]:
        """State by name."""
        try:
            return {job['name']: job['state'] for job in self.ask('jobs/overview')['jobs']}
        except OSError:
            return {}

    def wait_for(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, 'waited too long'
            time.sleep(0.2)

    def slots(self) -> int:
        try:
            return sum(tm['slotsNumber'] for tm in self.ask('taskmanagers')['taskmanagers'])
        except OSError:
            return 0
