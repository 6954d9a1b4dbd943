"""What runs a pipeline: checked before the start, run until the end, interrupted on the way."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
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
    """What the engine may ask of a run under way.

    Attributes:
        run_id: unique name of the run.
    """

    run_id: str

    def done(self) -> int:
        """How much is done so far, in outcomes or bytes."""

    def is_over(self) -> bool:
        """Whether the run's own last step has saved its verdict."""


class Engine(ABC):
    """Runs a pipeline on some runner and waits; the engines of clusters know more."""

    is_dry = False  # whether the graph is only shown
    packed = ''  # path of a job that was made instead of a run, to be started by other means

    def check(self) -> None:  # noqa: B027 - a hook: most engines have nothing to check
        """Checks the command line, before the input is looked at.

        Raises:
            UsageError: the run could not work.
        """

    def preflight(self, roots: Sequence[str]) -> None:  # noqa: B027 - as above
        """Checks what can be checked before the start.

        Args:
            roots: folders and files that workers read.

        Raises:
            UsageError: the run could not work.
        """

    def graph(self, build: Callable[[beam.Pipeline], None], name: str) -> str:
        """What would be submitted, for people, where only that is asked for; else ''."""
        return ''

    def finds(self, left: dict) -> bool:
        """Whether a note was left by a job of this kind of engine, which `job_of` may ask for."""
        return False

    def job_of(self, left: dict, output: str) -> str:
        """Looks for the job of a note that this engine `finds`: the run_id of one that goes on and can be followed, else ''.

        Raises:
            UsageError: whether it goes on cannot be learnt.
        """
        return ''

    def follow(self, work: str, progress: Progress) -> None:
        """Waits for the job that `job_of` has found, as `run` does.

        Raises:
            JobFailed: as `run`.
        """
        raise NotImplementedError

    def reserve(self, work: str, run_id: str, name: str) -> None:  # noqa: B027 - as above
        """Says in the work folder that a job of this run comes, before anything there is changed.

        Raises:
            UsageError: another launcher has just done so.
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

    def packed_line(self, output: str) -> str:
        """What to tell people when a job was `packed` instead of run."""
        return ''
