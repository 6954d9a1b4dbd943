"""Run: what a run is called, where it reads and writes, and the settings of its workers; it travels with the pipeline."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field, replace
from functools import cache, cached_property

import orjson

from transforms.files import storage
from transforms.files.paths import is_local, join
from transforms.hub.settings import HubSettings
from transforms.run.source import Part, Source
from transforms.run.versions import package_version, versions_of

CLAIM = 'run_claim.json'


@dataclass(frozen=True)
class Run:
    """A run: its names, its folders, its sources and parts, its limits, and what its workers need.

    Attributes:
        pipeline: name of the pipeline, such as 'olmocr'.
        run_id: unique name of this run; of what stays, only run.json holds it. '' switches the workers' checks off.
        output: output folder.
        work: folder for state and intermediate files, removed by finishing.
        sources: what is read, by number.
        parts: how the accounts are cut, by number.
        options: every option that decides bytes, by name; no secrets.
        inputs: the input files as `[path, bytes, fingerprint]`, for telling a changed input.
        versions: of Python, the packages and the native libraries.
        byte_packages: those packages that decide bytes: workers must have the launcher's versions of them.
        seed: of every random choice.
        started: start of the run, ISO 8601, UTC.
        max_failures: more failed records than this fail the run; -1 for no limit.
        max_failure_rate: a larger share of failed records than this fails the run.
        max_failed_units: more files, or parts of files, that could not be read to their end fail the run; -1 for no limit.
        hub: how workers talk to the Hub.
        worker_hints: Beam's resource hints for steps that carry payloads.
        workers_elsewhere: whether workers may run on other machines, so that each flushes what it wrote to its disk.
        inline_blocks: whether blocks of keys travel through the shuffle themselves instead of as files of the work folder.
        publish: hf:// address that the finished output is published to, '' for none.
        retried: failed records of the finished run that this one does again; -1 where it is no retry.
        earlier_seconds: that the runs before took.
    """

    pipeline: str
    run_id: str
    output: str
    work: str
    sources: tuple[Source, ...] = (Source(),)
    parts: tuple[Part, ...] = (Part(),)
    options: dict[str, object] = field(default_factory=dict)
    inputs: tuple[tuple[str, int, float | str], ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    byte_packages: tuple[str, ...] = ()
    seed: int = 0
    started: str = ''
    max_failures: int = -1
    max_failure_rate: float = 0.5
    max_failed_units: int = 0
    hub: HubSettings = HubSettings()
    worker_hints: dict[str, str] = field(default_factory=dict)
    workers_elsewhere: bool = False
    inline_blocks: bool = False
    publish: str = ''
    retried: int = -1
    earlier_seconds: float = 0.0

    @classmethod
    def into(cls, output: str | os.PathLike[str], name: str = 'run') -> Run:
        """A run of a pipeline of your own that writes into a folder, without the launcher: its work folder is `.work` in it.

        WriteImages keeps a journal there, a line for each image. Only a pipeline that hands the run to ListPdfPages too goes on from
        it after a kill; delete `.work` before other settings.

        Args:
            output: folder.
            name: of the pipeline.

        Raises:
            ValueError: the folder has no name.
        """
        output = os.fspath(output)
        if not output:
            raise ValueError("output is empty: name the folder that everything goes to, as in Run.into('out')")
        return cls(name, '', output, join(output, '.work'))

    @property
    def journal(self) -> str:
        """Folder of the journals: a line for each image that was written, or could not be, which a resumed run reads instead of rendering."""
        return join(self.work, 'journal')

    @property
    def fragments(self) -> str:
        """Folder of outcomes and payloads on their way to finishing."""
        return join(self.work, 'fragments')

    @property
    def kept(self) -> str:
        """Folder of the same for parts that are done: it outlives a killed run, as the journal does."""
        return join(self.work, 'kept')

    @property
    def blocks(self) -> str:
        """Folder of the keys on which something is decided over all records."""
        return join(self.work, 'blocks')

    @property
    def inflated(self) -> str:
        """Folder of input files that were inflated so that workers can share them."""
        return join(self.work, 'inflated')

    @property
    def staging_dir(self) -> str:
        """Where images and shards wait for their names, on the disk of the output; '' where that is no local disk."""
        return join(self.work, 'spill') if is_local(self.work) else ''

    def source_of(self, part: int) -> Source:
        """The source whose records a part holds."""
        return self.sources[self.parts[part].source]

    def names_twice(self, number: int) -> bool:
        """Whether another source is the same as this one but for its number."""
        return number in self._twice

    @cached_property
    def _twice(self) -> frozenset[int]:
        numbers: dict[Source, list[int]] = {}
        for source in self.sources:
            numbers.setdefault(replace(source, number=0), []).append(source.number)
        return frozenset(number for same in numbers.values() if same[1:] for number in same)

    def claim(self) -> None:
        """Makes the work folder this run's own; workers of an earlier one find out at their next stage."""
        storage.write_bytes(join(self.work, CLAIM), orjson.dumps({'run_id': self.run_id, 'versions': self._own_versions()}))

    def _own_versions(self) -> dict[str, str]:
        return _worker_versions(self.byte_packages)

    def is_taken_over(self) -> bool:
        """Whether the work folder is claimed by another run."""
        path = join(self.work, CLAIM)
        return storage.exists(path) and orjson.loads(storage.read_bytes(path))['run_id'] != self.run_id

    def check(self) -> None:
        """Checks that this worker sees the run's folders and has its versions.

        Raises:
            RunAborted: it does not; the message says what to do.
        """
        if not self.run_id:
            return
        path, host = join(self.work, CLAIM), platform.node()
        try:
            claim = orjson.loads(storage.read_bytes(path)) if storage.exists(path) else None
        except (OSError, ValueError) as error:
            raise storage.RunAborted(f'the worker on {host} cannot read {path} ({error})') from error
        if claim is None:
            if self.saved_verdict():
                return  # it ended, and a step is only run again, as after a lost worker
            raise storage.RunAborted(
                f'the worker on {host} does not see --output {self.output}: it must be a folder that the launcher and '
                'all workers share, under the same path, or a place such as gs:// or s3://')
        if claim['run_id'] != self.run_id:
            raise storage.RunAborted(f'another run has taken over --output {self.output}: this one stops')
        versions = self._own_versions()
        for name, expected in claim['versions'].items():
            if versions.get(name) != expected:
                raise storage.RunAborted(f'the worker on {host} has {name} {versions.get(name)}, the launcher '
                                         f'{expected}: install the same on both, for it may decide bytes')
        for root in sorted({source.root for source in self.sources if source.root}):
            if not _is_seen(self.run_id, root):
                raise storage.RunAborted(f'the worker on {host} does not see --input {root}: it must be a folder '
                                         'that the launcher and all workers share, under the same path')

    def saved_verdict(self) -> dict:
        """The run.json of this very run when it is done, else {}."""
        if not storage.exists(join(self.output, '_SUCCESS')):
            return {}
        run = orjson.loads(storage.read_bytes(join(self.output, 'run.json')))
        return run if run.get('run_id') == self.run_id else {}


@cache
def _worker_versions(packages: tuple[str, ...]) -> dict[str, str]:
    return {'python': '.'.join(platform.python_version_tuple()[:2]), 'apache-beam': package_version('apache-beam'),
            'beam-training-data': package_version('beam-training-data'), **versions_of(packages)}


_SEEN: set[tuple[str, str]] = set()


def _is_seen(run_id: str, root: str) -> bool:
    """Whether an input is there; each worker looks once in a run."""
    if (run_id, root) not in _SEEN:
        if not storage.exists(root):
            return False
        _SEEN.add((run_id, root))
    return True
