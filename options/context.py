"""Context: what the launcher has decided before a pipeline's settings are made."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass

from transforms.files import storage
from transforms.run.source import Source


@dataclass(frozen=True)
class Context:
    """What settings are made from.

    Attributes:
        flags: the pipeline's own flags, parsed.
        address: `--input` as given, or what the embedded sample is called.
        input: `--input` (else the embedded sample) as workers must be given it, '' for none; a tuple where it names several places.
        output: output folder.
        work: work folder.
        local_workers: Beam worker processes on this machine, 0 when they are elsewhere.
        cores: cores of this machine that this process may use.
    """

    flags: argparse.Namespace
    address: str
    input: str | tuple[str, ...]
    output: str
    work: str
    local_workers: int
    cores: int

    def source(self, root: str, number: int = 0, subset: str = '', split: str = '') -> Source:
        """An entry of the plan that lies in `root`, at the place and with the revision of `--input`."""
        return Source(number, self.address, storage.revision_of(root), subset, split, self.input and root)

    @property
    def render_processes(self) -> int:
        """Child processes of each Beam worker: as asked for, else the cores shared among the workers.

        0 leaves it to each worker, which knows its own cores.
        """
        asked = getattr(self.flags, 'render_processes', None)
        if not self.local_workers:
            return asked or 0
        return asked or self.flags.num_workers or max(1, self.cores // self.local_workers)


def worker_path(path: str, is_local_run: bool) -> str:
    """A path as workers must be given it: absolute where they have another working directory, pinned on the Hub."""
    if not storage.is_local(path):
        return storage.pin(path)
    return path if is_local_run else os.path.abspath(path)
