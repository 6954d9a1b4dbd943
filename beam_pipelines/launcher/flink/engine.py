"""FlinkEngine: submits a pipeline to Flink, watches it, cancels it, and submits it again when it hangs or is lost."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
)

from beam_pipelines.launcher.arguments import BeamOptions
from beam_pipelines.launcher.engine import Engine, JobFailed, Progress
from beam_pipelines.launcher.flink.faults import (
    LOST,
    NO_WORKER,
    STALLED,
    fault_line,
    permanent_fault,
    pool_refused,
)
from beam_pipelines.launcher.flink.preflight import (
    DEFAULT_POOL,
    Target,
    artifacts_hint,
    preflight,
)
from beam_pipelines.launcher.flink.remote_job import RemoteJob
from beam_pipelines.launcher.flink.rest import Job, Unreachable
from beam_pipelines.launcher.flink.runner import TetheredFlinkRunner
from beam_pipelines.launcher.flink.submission import Submission, quiet_readers
from beam_pipelines.launcher.flink.watchdog import Watchdog, clear_worker_signs, worker_signs
from transforms.files import storage

_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 1.0
_REMOTE_POLL_SECONDS = 5.0
_CANCEL_SECONDS = 90.0
_INTERRUPT_SECONDS = 30.0
_PAUSE_SECONDS = 30.0
_POOL_TRIES = 4
_JOIN_SECONDS = 3.0


@dataclass(frozen=True)
class FlinkRules:
    """When the watchdog gives a job up.

    Attributes:
        stall_seconds: a job without any sign of life for so long is cancelled.
        resubmits: how often a job that hung or was lost is submitted again.
    """

    stall_seconds: float = 180.0
    resubmits: int = 3


class FlinkEngine(Engine):
    """Runs pipelines on Flink: on a cluster, or embedded in the job server.

    Args:
        options: Beam's options.
        flags: the flags among them that the command line gave.
        parallelism: tasks side by side, 0 for all slots.
        rules: of the watchdog.
        print_line: tells people a line.
        warn: tells people of what may be wrong.
    """

    def __init__(self, options: PipelineOptions, flags: list[str], parallelism: int, rules: FlinkRules,
                 print_line: Callable[[str], None], warn: Callable[[str], None]) -> None:
        self._options, self._flags, self._parallelism = options, flags, parallelism
        self._rules, self._print_line, self._warn = rules, print_line, warn
        self._target: Target | None = None
        self._remote: RemoteJob | None = None
        self._may_run = False  # the note of a job that cannot be reached stays: the next launcher checks that job
        self.packed = options.view_as(PortableOptions).output_executable_path or ''

    def preflight(self, roots: Sequence[str]) -> None:
        self._target = preflight(self._options, self._flags, self._parallelism, self._print_line, self._warn)
        if hint := artifacts_hint(self._options, self._target):
            self._warn(hint)

    def run(self, build: Callable[[beam.Pipeline], None], name: str, work: str, progress: Progress) -> None:
        with quiet_readers():
            self._run(build, name, work, progress)

    def _run(self, build: Callable[[beam.Pipeline], None], name: str, work: str, progress: Progress) -> None:
        met_before: set[tuple[str, int]] = set()
        for attempt in range(self._rules.resubmits + 1):
            clear_worker_signs(work)
            fault, again = self._attempt(build, f'{name}-{attempt + 1}', work, progress)
            if not fault or progress.is_over():
                return
            met = fault, progress.done()  # the same fault without any progress would repeat for ever
            if not again or (met in met_before and storage.is_local(work)) or attempt == self._rules.resubmits:
                break
            met_before.add(met)
            self._warn(f'{fault}; submitting it again ({attempt + 1} of {self._rules.resubmits})')
            self._narrow()
        raise JobFailed(f'{fault}. The same command goes on from there')

    def _narrow(self) -> None:
        """Gives lost TaskManagers time to come back, then does with the slots that are left: bytes do not depend on it."""
        end = time.monotonic() + _PAUSE_SECONDS
        slots = 0
        while slots < self._target.parallelism and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
            try:
                slots = sum(manager['slots'] for manager in self._target.cluster.task_managers())
            except Unreachable:
                slots = 0
        if 0 < slots < self._target.parallelism:
            self._warn(f'the cluster has {slots} slots left: going on with --parallelism={slots}')
            self._target = replace(self._target, parallelism=slots)

    def _attempt(self, build: Callable[[beam.Pipeline], None], name: str, work: str,
                 progress: Progress) -> tuple[str, bool]:
        """Submits once and waits; returns what went wrong ('' for nothing), and whether another try may help."""
        options = self._options_of(name)
        runner = TetheredFlinkRunner(self._target, os.path.join(work, 'job_server.log')
                                     if storage.is_local(work) else os.devnull)
        if self._target.cluster:
            self._remote = RemoteJob(self._target.cluster, name, work)
            self._remote.remember()
        submission, self._may_run = Submission(build, options, runner), True
        submission.start()
        try:
            fault, again = self._follow(submission, work, progress)
            if self._remote and not self._may_run:
                self._remote.forget()
            return fault, again
        finally:
            submission.join(_JOIN_SECONDS)
            runner.stop()
            submission.join(_JOIN_SECONDS)

    def _options_of(self, name: str) -> PipelineOptions:
        flags = [flag for flag in self._flags if not flag.startswith('--parallelism')]
        if self._target.parallelism:
            flags.append(f'--parallelism={self._target.parallelism}')
        options = BeamOptions(flags=flags)
        options.view_as(GoogleCloudOptions).job_name = name
        options.view_as(FlinkRunnerOptions).flink_version = self._target.jar.flink
        if self._target.cluster:
            options.view_as(FlinkRunnerOptions).flink_master = self._target.cluster.master
        ours = self._options.view_as(PortableOptions)
        portable = options.view_as(PortableOptions)
        portable.environment_type, portable.environment_config = ours.environment_type, ours.environment_config
        if self.packed:
            portable.output_executable_path = os.path.abspath(self.packed)
        return options

    def _follow(self, submission: Submission, work: str, progress: Progress) -> tuple[str, bool]:
        watchdog, unreachable_since, before = Watchdog(self._stall_seconds(work)), 0.0, progress.done()
        self._may_run = False
        if self.packed:
            submission.join(self._rules.stall_seconds)
            return (submission.error_text() if submission.error else '' if not submission.is_alive() else
                    f'the job server has not made {self.packed} in {self._rules.stall_seconds:.0f} s'), False
        while True:
            submission.join(_POLL_SECONDS if storage.is_local(work) else _REMOTE_POLL_SECONDS)
            job: Job | None = None
            try:
                job = self._remote.poll() if self._remote else None
                unreachable_since = 0.0
            except Unreachable as error:
                unreachable_since = unreachable_since or time.monotonic()
                if time.monotonic() - unreachable_since > min(60.0, self._rules.stall_seconds):
                    self._may_run = True
                    return f'the JobManager at {self._target.cluster.master} does not answer ({error})', False
                continue
            if job and job.state == 'FINISHED' or not submission.is_alive() and submission.error is None:
                return '', False
            if job and job.state == 'CANCELED':
                return 'the job was cancelled on the cluster', False
            if job and job.is_over:
                return self._failed((*self._remote.failures(), job.state.lower())[0], watchdog)
            if not submission.is_alive() and not (job and self._remote.is_running):
                return self._failed(submission.error_text(), watchdog)
            if job and (line := self._hopeless(self._remote.failures(), watchdog)):
                self._may_run = not self._remote.cancel(_CANCEL_SECONDS)
                return line, False
            if self._remote and self._remote.is_lost:
                return LOST, True
            if hang := watchdog.update(job and (job.state, job.marks), worker_signs(work), progress.done() - before):
                return self._hung(hang, watchdog)

    def _stall_seconds(self, work: str) -> float:
        """Seconds without a sign of life; where signs are objects in a store they come every 20 s."""
        return self._rules.stall_seconds if storage.is_local(work) else max(90.0, self._rules.stall_seconds)

    def _hopeless(self, failures: list[str], watchdog: Watchdog) -> str:
        """The line for a job that Flink would only start again and again, '' while there is hope."""
        if not failures:
            return ''
        refused = sum(pool_refused(text, self._target.pool) for text in failures)
        if refused >= _POOL_TRIES and not watchdog.worker_seen:
            return fault_line(failures[0], self._target.pool)
        return permanent_fault(failures[0])

    def _failed(self, text: str, watchdog: Watchdog) -> tuple[str, bool]:
        _LOG.info('the job failed: %s', text)
        line = fault_line(text, self._target.pool or DEFAULT_POOL)
        return line, self._remote is not None and watchdog.worker_seen and not permanent_fault(text)

    def _hung(self, hang: str, watchdog: Watchdog) -> tuple[str, bool]:
        words = NO_WORKER if hang == 'no worker' else STALLED
        hosts = ', '.join(self._remote.busy_hosts()) if self._remote else ''
        line = words.format(seconds=watchdog.limit, pool=self._target.pool or 'its place', hosts=hosts or 'a TaskManager')
        if self._remote and not self._remote.cancel(_CANCEL_SECONDS):
            self._may_run = True
            return f'{line}. The job {self._remote.name} could not be cancelled: restart the TaskManagers', False
        if hang == 'stalled' or not self._remote:
            return line, self._remote is not None
        if failures := self._remote.failures():
            line = f'{line} Its last error: {fault_line(failures[0], self._target.pool)}.'
        elif not hosts:
            line = f"{fault_line('NoResourceAvailableException', '')}."
        return f'{line} The job {self._remote.name} was cancelled', False

    def interrupt(self) -> str:
        if not self._remote:
            return ''
        over = self._remote.cancel(_INTERRUPT_SECONDS)
        if over and self._remote.was_seen:
            self._remote.forget()
            return f'the Flink job {self._remote.name} was cancelled; the same command goes on from there'
        if over:
            return 'no Flink job was there yet; the same command goes on from there'
        return f'the Flink job {self._remote.name} has not confirmed that it was cancelled, look at the cluster'

    def detach(self) -> str:
        if not self._remote or not self._remote.asked_once():
            return ''
        return f'the Flink job {self._remote.name} goes on and finishes by itself'

    def packed_line(self, output: str) -> str:
        return f'made {self.packed}: submit it with `flink run` or as an application; it finishes {output} by itself'
