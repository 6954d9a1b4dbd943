"""What runs a pipeline: checked before the start, run until the end, interrupted on the way."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import apache_beam as beam


@contextmanager
def own_temp_folder() -> Iterator[None]:
    """Within the block, temporary folders of Beam lie in one that goes with it: Beam leaves its own behind, one for each run."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix='beam-pipelines-', ignore_cleanup_errors=True) as folder:
        tempfile.tempdir = folder
        try:
            yield
        finally:
            tempfile.tempdir = before


class JobFailed(RuntimeError):
    """A run that ended without finishing the output; the message is for people."""


class Progress(Protocol):
    """What the engine may ask of a run under way."""

    def done(self) -> int:
        """How much is done so far, in outcomes or bytes."""

    def is_over(self) -> bool:
        """Whether the run's own last step has saved its verdict."""


class Engine(ABC):
    """Runs a pipeline on some runner and waits; the engines of clusters know more."""

    packed = ''  # path of a jar that was made instead of a run, to be submitted by other means

    def preflight(self) -> None:  # noqa: B027 - a hook: most engines have nothing to check
        """Checks what can be checked before the start.

        Raises:
            UsageError: the run could not work.
        """

    @abstractmethod
    def run(self, build: Callable[[beam.Pipeline], None], name: str, work: str, progress: Progress) -> None:
        """Builds the pipeline, runs it, and returns when it has ended.

        Args:
            build: adds the steps to a pipeline; called once for each submission.
            name: of the job.
            work: work folder.
            progress: of the run.

        Raises:
            JobFailed: it failed, in words for people; a runner's own exceptions pass as they are.
        """

    def interrupt(self) -> str:
        """Ends what runs elsewhere, on Ctrl-C; returns what to tell people, '' for nothing."""
        return ''

    def detach(self) -> str:
        """Leaves what runs elsewhere alone, on SIGTERM; returns what to tell people, '' for nothing."""
        return ''
