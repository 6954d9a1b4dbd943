"""CheckInWorker: workers look whether this is their run, and show that they live.

On a cluster a worker may see another disk than the launcher, run other versions, or belong to a run that was given
up and started anew. So each stage begins with a check, and while a worker is busy it touches a file of its own:
whoever watches the run learns within seconds that a worker is lost, also where no record is finished for minutes.
"""

import os
import platform
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import apache_beam as beam
import orjson

from transforms.files import storage
from transforms.files.font_set import font_set
from transforms.hub import meter
from transforms.hub.settings import HubSettings, configure

ALIVE = 'alive'
MARK = 'run_mark.json'
_BYTE_PACKAGES = ('isal', 'numpy', 'pillow', 'pymupdf', 'pypdfium2')
_BEAT_SECONDS = 2.0
_REMOTE_BEAT_SECONDS = 20.0


def byte_versions() -> dict[str, str]:
    """Versions of the libraries that draw and encode, and the fonts that are installed: they decide bytes."""
    return {**{package: package_version(package) for package in _BYTE_PACKAGES}, 'fonts': font_set()}


def package_version(package: str) -> str:
    """The installed version, or 'not installed'."""
    try:
        return version(package)
    except PackageNotFoundError:
        return 'not installed'


@dataclass(frozen=True)
class Workspace:
    """The folders of one run as its workers must see them.

    Attributes:
        run_id: the run's name; '' switches the checks off.
        output: output folder.
        work: work folder.
        source: input folder or file, '' when there is nothing to look for.
        hub: how workers talk to the Hub.
    """

    run_id: str
    output: str
    work: str
    source: str = ''
    hub: HubSettings = HubSettings()

    def mark(self) -> None:
        """Makes the work folder this run's own; workers of an earlier one find out at their next stage."""
        storage.write_bytes(storage.join(self.work, MARK),
                            orjson.dumps({'run_id': self.run_id, 'versions': self._versions()}))

    @staticmethod
    def _versions() -> dict[str, str]:
        return {'python': '.'.join(platform.python_version_tuple()[:2]),
                'apache-beam': package_version('apache-beam'),
                'beam-training-data': package_version('beam-training-data'), **byte_versions()}

    def is_taken_over(self) -> bool:
        """Whether the work folder is marked as another run's."""
        path = storage.join(self.work, MARK)
        return storage.exists(path) and orjson.loads(storage.read_bytes(path))['run_id'] != self.run_id

    def check(self) -> None:
        """Looks whether this worker sees the run's folders and has its versions.

        Raises:
            RunAborted: it does not; the message says what to do.
        """
        if not self.run_id:
            return
        path, host = storage.join(self.work, MARK), platform.node()
        try:
            mark = orjson.loads(storage.read_bytes(path)) if storage.exists(path) else None
        except (OSError, ValueError) as error:
            raise storage.RunAborted(f'the worker on {host} cannot read {path} ({error})') from error
        if mark is None:
            if self._is_finished():
                return
            raise storage.RunAborted(
                f'the worker on {host} does not see --output {self.output}: it must be a folder that the launcher and '
                'all workers share, under the same path, or a place such as gs:// or s3://')
        if mark['run_id'] != self.run_id:
            raise storage.RunAborted(f'another run has taken over --output {self.output}: this one stops')
        for name, expected in mark['versions'].items():
            if self._versions()[name] != expected:
                raise storage.RunAborted(f'the worker on {host} has {name} {self._versions()[name]}, the launcher '
                                         f'{expected}: install the same on both, for it may decide bytes')
        if self.source and not storage.exists(self.source):
            raise storage.RunAborted(f'the worker on {host} does not see --input {self.source}: it must be a folder '
                                     'that the launcher and all workers share, under the same path')

    def _is_finished(self) -> bool:
        """Whether the run ended and its last step is only run again, as after a lost worker."""
        path = storage.join(self.output, 'run.json')
        return storage.exists(storage.join(self.output, '_SUCCESS')) \
            and orjson.loads(storage.read_bytes(path)).get('run_id') == self.run_id


class _Beat:
    """Touches one file as long as any work of this process is under way."""

    def __init__(self, folder: str) -> None:
        self._folder, self._path = folder, storage.join(folder, uuid.uuid4().hex)
        self._busy = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def enter(self) -> None:
        with self._lock:
            self._busy += 1
            if self._thread is None:
                self._touch(first=True)
                self._thread = threading.Thread(target=self._run, name='alive', daemon=True)
                self._thread.start()

    def leave(self) -> None:
        with self._lock:
            self._busy -= 1

    def _run(self) -> None:
        pause = _BEAT_SECONDS if storage.is_local(self._folder) else _REMOTE_BEAT_SECONDS
        while True:
            time.sleep(pause)
            with self._lock:
                if not self._busy:
                    self._thread = None
                    return
            self._touch(first=False)

    def _touch(self, first: bool) -> None:
        try:
            if not storage.is_local(self._folder):
                if not first and not storage.exists(storage.join(self._folder.rpartition('/')[0], MARK)):
                    return  # finishing has removed the work folder
                storage.write_bytes(self._path, str(time.time()).encode())
            elif first:
                os.makedirs(self._folder, exist_ok=True)
                open(self._path, 'ab').close()
                os.utime(self._path)
            else:
                os.utime(self._path)  # never made anew: finishing may have removed the work folder
        except (OSError, RuntimeError):
            return  # a sign of life, nothing more: who cannot give it is asked no further


_BEATS: dict[str, _Beat] = {}
_BEATS_LOCK = threading.Lock()


@contextmanager
def at_work(work: str) -> Iterator[None]:
    """Shows in the work folder that this process is busy, as long as the block lasts."""
    with _BEATS_LOCK:
        beat = _BEATS.setdefault(work, _Beat(storage.join(work, ALIVE)))
    beat.enter()
    try:
        yield
    finally:
        beat.leave()
        meter.save(work)


class _CheckInFn(beam.DoFn):
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def setup(self) -> None:
        configure(self._workspace.hub)

    def process(self, element: object) -> Iterator[object]:
        self._workspace.check()
        # What follows in the same stage happens within this yield.
        with at_work(self._workspace.work):
            yield element


@dataclass(eq=False)
class CheckInWorker(beam.PTransform):
    """Any PCollection to the same: put before a step whose every element is much work (a file, a tarball, a ledger).

    Args:
        workspace: the run's folders.

    Raises:
        RunAborted: the worker does not see them, has other versions, or the run was taken over by another.
    """

    workspace: Workspace

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, elements: beam.PCollection) -> beam.PCollection:
        return elements | 'CheckIn' >> beam.ParDo(_CheckInFn(self.workspace)).with_output_types(elements.element_type)
