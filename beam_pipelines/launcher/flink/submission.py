"""Submission: one job built, submitted and followed in a thread, because Beam's calls block without a limit."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from beam_pipelines.launcher.flink.runner import TetheredFlinkRunner

_LOG = logging.getLogger(__name__)


class Submission(threading.Thread):
    """Runs a pipeline to its end; `error` is what it raised."""

    def __init__(self, build: Callable[[beam.Pipeline], None], options: PipelineOptions,
                 runner: TetheredFlinkRunner) -> None:
        super().__init__(name='flink-submission', daemon=True)
        self._build, self._options, self._runner = build, options, runner
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            pipeline = beam.Pipeline(runner=self._runner, options=self._options)
            self._build(pipeline)
            pipeline.run().wait_until_finish()
        except BaseException as error:  # reported by the thread that waits for this one
            self.error = error

    def error_text(self) -> str:
        """What it raised, as text."""
        if isinstance(self.error, SystemExit):
            return "UsageError: a value of one of Flink's flags does not fit (a switch takes none)"
        return f'{type(self.error).__name__}: {self.error}'


@contextmanager
def quiet_readers() -> Iterator[None]:
    """Within the block Beam's threads that read from the job server print no traceback when it is gone."""
    before = threading.excepthook
    threading.excepthook = lambda args: _LOG.debug('%s: %s', args.thread and args.thread.name, args.exc_value)
    try:
        yield
    finally:
        threading.excepthook = before
