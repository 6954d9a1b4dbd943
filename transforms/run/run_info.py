"""What finishing must know of a run: a small value that travels with the pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field

from transforms.files.paths import is_local, join
from transforms.hub.settings import HubSettings
from transforms.run.workspace import Workspace


@dataclass(frozen=True)
class RunInfo:
    """What identifies a run, its limits, and where it writes.

    Attributes:
        pipeline: name of the pipeline, such as 'olmocr'.
        run_id: unique name of this run; it is in run.json and nowhere else.
        output: output folder.
        work: folder for state and intermediate files, removed by finishing.
        source: the input as given on the command line.
        revision: the Hub commit of the input, '' for files.
        options: every option that decides bytes, by name; no secrets.
        inputs: the input files as `[path, bytes, fingerprint]`, for telling a changed input.
        versions: of Python, the packages and the native libraries.
        seed: of every random choice.
        started: start of the run, ISO 8601, UTC.
        max_failures: more failed records than this fail the run; -1 for no limit.
        max_failure_rate: a larger share of failed records than this fails the run.
        max_failed_units: more files, or parts of files, that could not be read to their end fail the run; -1 for no limit.
        hub: how workers talk to the Hub.
        publish: hf:// address that the finished output is published to, '' for none.
    """

    pipeline: str
    run_id: str
    output: str
    work: str
    source: str
    revision: str = ''
    options: dict[str, object] = field(default_factory=dict)
    inputs: tuple[tuple[str, int, float | str], ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    seed: int = 0
    started: str = ''
    max_failures: int = -1
    max_failure_rate: float = 0.5
    max_failed_units: int = 0
    hub: HubSettings = HubSettings()
    publish: str = ''

    @property
    def staging_dir(self) -> str:
        """Where rendered images wait for their names, on the disk of the output; '' where that is no local disk."""
        return join(self.work, 'spill') if is_local(self.work) else ''

    def workspace(self, source: str = '') -> Workspace:
        """The run's folders as its workers must see them; `source` is the input's folder or file, '' for none to look for."""
        return Workspace(self.run_id, self.output, self.work, source, self.hub)
