"""Workspace: the folders of one run as its workers must see them."""

import platform
from dataclasses import dataclass

import orjson

from transforms.files import storage
from transforms.hub.settings import HubSettings
from transforms.run.versions import byte_versions, package_version

CLAIM = 'run_claim.json'


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

    def claim(self) -> None:
        """Makes the work folder this run's own; workers of an earlier one find out at their next stage."""
        storage.write_bytes(storage.join(self.work, CLAIM),
                            orjson.dumps({'run_id': self.run_id, 'versions': self._versions()}))

    @staticmethod
    def _versions() -> dict[str, str]:
        return {'python': '.'.join(platform.python_version_tuple()[:2]),
                'apache-beam': package_version('apache-beam'),
                'beam-training-data': package_version('beam-training-data'), **byte_versions()}

    def is_taken_over(self) -> bool:
        """Whether the work folder is claimed by another run."""
        path = storage.join(self.work, CLAIM)
        return storage.exists(path) and orjson.loads(storage.read_bytes(path))['run_id'] != self.run_id

    def check(self) -> None:
        """Checks that this worker sees the run's folders and has its versions.

        Raises:
            RunAborted: it does not; the message says what to do.
        """
        if not self.run_id:
            return
        path, host = storage.join(self.work, CLAIM), platform.node()
        try:
            claim = orjson.loads(storage.read_bytes(path)) if storage.exists(path) else None
        except (OSError, ValueError) as error:
            raise storage.RunAborted(f'the worker on {host} cannot read {path} ({error})') from error
        if claim is None:
            if self._is_finished():
                return
            raise storage.RunAborted(
                f'the worker on {host} does not see --output {self.output}: it must be a folder that the launcher and '
                'all workers share, under the same path, or a place such as gs:// or s3://')
        if claim['run_id'] != self.run_id:
            raise storage.RunAborted(f'another run has taken over --output {self.output}: this one stops')
        versions = self._versions()
        for name, expected in claim['versions'].items():
            if versions[name] != expected:
                raise storage.RunAborted(f'the worker on {host} has {name} {versions[name]}, the launcher '
                                         f'{expected}: install the same on both, for it may decide bytes')
        if self.source and not storage.exists(self.source):
            raise storage.RunAborted(f'the worker on {host} does not see --input {self.source}: it must be a folder '
                                     'that the launcher and all workers share, under the same path')

    def _is_finished(self) -> bool:
        """Whether the run ended and its last step is only run again, as after a lost worker."""
        path = storage.join(self.output, 'run.json')
        return storage.exists(storage.join(self.output, '_SUCCESS')) \
            and orjson.loads(storage.read_bytes(path)).get('run_id') == self.run_id
