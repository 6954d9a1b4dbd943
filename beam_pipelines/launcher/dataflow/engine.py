"""DataflowEngine: submits a pipeline by the SDK's own client, follows the job, cancels it, and finds it again."""

from __future__ import annotations

import argparse
import logging
import os
import platform
import time
from collections.abc import Callable, Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    TestOptions,
)

from beam_pipelines.launcher import folder, note
from beam_pipelines.launcher.arguments import BeamOptions
from beam_pipelines.launcher.dataflow.api import RUN_LABEL, DataflowApi, Job, Refused, Unreachable, one_line
from beam_pipelines.launcher.dataflow.job_left import api_of, job_left
from beam_pipelines.launcher.dataflow.job_log import JobLog
from beam_pipelines.launcher.dataflow.preflight import check_command, check_roots, check_services
from beam_pipelines.launcher.dataflow.render_graph import render_graph
from beam_pipelines.launcher.engine import Engine, JobFailed, Progress
from beam_pipelines.launcher.spec import UsageError
from transforms.files import storage

_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 5.0
_AWAY_SECONDS = 600.0  # a job goes on while the API is away, so that patience costs nothing
_CLEARING_SECONDS = 60.0
_LAST_WORDS_SECONDS = 60.0  # the reason of a failure comes about half a minute after it
_INTERRUPT_SECONDS = 20.0
_SUBMITTING_SECONDS = 600.0  # packing and staging may take so long
_LATE_SECONDS = 15.0


class DataflowEngine(Engine):
    """Runs pipelines on Dataflow.

    Args:
        options: Beam's options.
        beam_flags: the flags among them that the command line gave.
        flags: our own.
        print_line: tells people a line.
        warn: tells people of what may be wrong.
    """

    def __init__(self, options: PipelineOptions, beam_flags: list[str], flags: argparse.Namespace,
                 print_line: Callable[[str], None], warn: Callable[[str], None]) -> None:
        self._options, self._beam_flags, self._flags = options, beam_flags, flags
        self._print_line, self._warn = print_line, warn
        self._api: DataflowApi | None = None
        self._name = ''
        self._job: Job | None = None
        self._run_id = ''
        self._left: dict = {}
        self._is_found = self._is_sent = False
        self.is_dry = str(options.view_as(TestOptions).dry_run).lower() not in ('false', '0', 'no', 'none', '')
        self.packed = options.view_as(GoogleCloudOptions).template_location or ''

    def check(self) -> None:
        check_command(self._options, self._flags)
        cloud = self._options.view_as(GoogleCloudOptions)
        check_services(self._options, filter(None, [cloud.temp_location, cloud.staging_location]), self._warn if self.is_dry else None)

    def preflight(self, roots: Sequence[str]) -> None:
        check_roots(roots)

    def graph(self, build: Callable[[beam.Pipeline], None], name: str) -> str:
        if not self.is_dry:
            return ''
        options = self._options_of(name)
        options.view_as(TestOptions).dry_run = True
        runner, pipeline = self._built(build, options)
        pipeline.run()
        return render_graph(runner.proto_pipeline, pipeline)

    @staticmethod
    def _built(build: Callable[[beam.Pipeline], None], options: PipelineOptions) -> tuple[object, beam.Pipeline]:
        from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner

        runner = DataflowRunner()
        pipeline = beam.Pipeline(runner=runner, options=options)
        build(pipeline)
        return runner, pipeline

    def _options_of(self, name: str) -> PipelineOptions:
        options = BeamOptions(flags=self._beam_flags)
        options.view_as(TestOptions).dry_run = False
        cloud, setup = options.view_as(GoogleCloudOptions), options.view_as(SetupOptions)
        cloud.job_name = cloud.job_name or name
        # Workers import our packages: a snapshot of the launcher's __main__ would only tie them to it.
        setup.save_main_session = bool(setup.save_main_session)
        return options

    def finds(self, left: dict) -> bool:
        self._left = left
        return left.get('engine') == 'dataflow'

    def job_of(self, left: dict, output: str) -> str:
        job = job_left(left)
        if job is None and not left.get('id'):
            job = self._wait_for_job(left, output)
        if job is None:
            return ''
        if not job.is_over:
            self._name, self._job, self._api, self._is_found = job.name, job, api_of(left), True
            return left['run']
        if not job.is_done:
            self._warn(f'the Dataflow job {job.name} of this output is over ({job.words}): another one goes on from there')
        return ''

    def _wait_for_job(self, left: dict, output: str) -> Job | None:
        """The job that a launcher was about to submit when it left the note; None when it comes to nothing."""
        if not 0 <= time.time() - left.get('since', 0) < _SUBMITTING_SECONDS:
            return None
        is_told = False
        end = time.monotonic() + _LATE_SECONDS  # what was sent before the launcher died may still arrive
        while (is_alive := _is_alive(left)) or (left.get('sent') and time.monotonic() < end):
            if not is_told and is_alive:
                self._warn(f'another launcher is submitting a job of {output}: waiting for it')
                is_told = True
            time.sleep(1)
            left = note.read(storage.join(output, folder.WORK))
            if not left or not 0 <= time.time() - left.get('since', 0) < _SUBMITTING_SECONDS:
                break
            if job := job_left(left):
                self._left = left
                return job
        self._left = left
        return None

    def reserve(self, work: str, run_id: str, name: str) -> None:
        if self.packed:
            return
        if note.read(work) not in ({}, self._left):  # --overwrite has removed the note of a job that is over
            raise UsageError('another launcher has just begun to submit a job for this output: the same command follows it in a moment')
        cloud = self._options.view_as(GoogleCloudOptions)
        self._left = {'engine': 'dataflow', 'project': cloud.project, 'region': cloud.region, 'endpoint': cloud.dataflow_endpoint,
                      'no_auth': cloud.no_auth, 'job': cloud.job_name or name, 'run': run_id, 'host': platform.node(), 'pid': os.getpid(),
                      'since': time.time(), 'sent': False}
        note.save(work, self._left)

    def run(self, build: Callable[[beam.Pipeline], None], name: str, work: str, progress: Progress) -> None:
        options = self._options_of(name)
        cloud = options.view_as(GoogleCloudOptions)
        cloud.labels = [*_as_list(cloud.labels), f'{RUN_LABEL}={progress.run_id}']
        self._name, self._run_id = cloud.job_name, progress.run_id
        runner, pipeline = self._built(build, options)
        if not self.packed:
            if note.read(work) != self._left:
                raise JobFailed('another launcher submits a job for this output: the same command follows it in a moment')
            self._left = {**self._left, 'since': time.time(), 'sent': True}
            note.save(work, self._left)
            self._api = DataflowApi(options)
        job_id = self._submit(pipeline, work)
        if self.packed:
            return
        if not job_id:
            raise JobFailed('Dataflow has answered without the id of a job: the same command looks for it')
        self._job = Job(job_id, self._name, 'JOB_STATE_PENDING')
        note.save(work, {**self._left, 'id': job_id})
        self._print_line(f'submitted the Dataflow job {self._name} ({job_id}): {self._api.console(job_id)}')
        self.follow(work, progress)

    def _submit(self, pipeline: beam.Pipeline, work: str) -> str:
        from google.api_core.exceptions import Conflict, GoogleAPICallError, ResourceExhausted
        from google.protobuf.json_format import ParseError

        self._is_sent = not self.packed
        try:
            result = pipeline.run()
        except GoogleAPICallError as error:
            if isinstance(error, Conflict) and self._api and (job := self._api.find(self._name, self._run_id)):
                return job.id  # the client asked twice, for it had no answer to the first time
            is_quota = isinstance(error, ResourceExhausted) or 'quota' in str(error).lower()
            what = 'raise the quota or take fewer or smaller workers (--max_num_workers, --machine_type)' if is_quota else \
                'a job of another output has this name: give another --job_name' if isinstance(error, Conflict) else \
                'check the line above, then run the same command again'
            if not self.packed and (error.code or 500) < 500:
                note.delete(work)  # no job comes of it
            raise JobFailed(f'Dataflow has not taken the job: {one_line(error)}: {what}') from error
        except ParseError as error:
            raise JobFailed(f'Dataflow answers what is no answer ({one_line(error)}): is a proxy in between? The same command looks '
                            'whether a job came of it') from error
        except RuntimeError as error:
            setup = self._options.view_as(SetupOptions).setup_file
            if not setup or 'CalledProcessError' not in str(error):
                raise
            raise JobFailed(f'the package of --setup_file={setup} could not be built: `python {setup} sdist` says why') from error
        finally:
            self._is_sent = False
        return '' if self.packed else result.job_id()

    def follow(self, work: str, progress: Progress) -> None:
        if self._is_found:
            self._print_line(f'the Dataflow job {self._name} ({self._job.id}) of this output is {self._job.words}: following it')
        log = JobLog(self._api, self._job.id, self._warn)
        away_since, state, over_since = 0.0, '', 0.0
        while True:
            is_finished = self._is_finished(progress)
            if is_finished:  # its last step now clears the work folder, and Dataflow its machines, for which nobody need wait
                over_since = over_since or time.monotonic()
                if self._is_cleared(work) or time.monotonic() - over_since > _CLEARING_SECONDS:
                    break
            try:
                job = self._api.job(self._job.id)
            except (Unreachable, Refused) as error:
                if isinstance(error, Refused) and not away_since:
                    self._warn(f'Dataflow does not tell how the job fares ({error}): asking again for {_AWAY_SECONDS / 60:.0f} minutes')
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > _AWAY_SECONDS:
                    raise JobFailed(f'the Dataflow API does not tell how the job {self._name} fares ({error}). It goes on and finishes by '
                                    'itself; the same command finds it again') from None
                _LOG.info('the Dataflow API is away: %s', error)
                time.sleep(_POLL_SECONDS)
                continue
            away_since = 0.0
            log.show()
            if job is None:
                raise JobFailed(f'Dataflow does not know the job {self._name} ({self._job.id}) any more: the same command goes on from there')
            if job.state != state:
                state = job.state
                self._print_line(f'the job is {job.words}')
            self._job = job
            if job.is_done or (job.is_over and is_finished):
                break
            if job.is_over:
                over_since = over_since or time.monotonic()
                if job.is_cancelled or log.errors or time.monotonic() - over_since > _LAST_WORDS_SECONDS:
                    raise JobFailed(failure(job, log.errors))
            time.sleep(_POLL_SECONDS)
        log.close(self._api.console(self._job.id))
        note.delete(work)

    @staticmethod
    def _is_finished(progress: Progress) -> bool:
        try:
            return progress.is_over()
        except Exception as error:  # whatever the store's client raises: the job does not depend on this look
            _LOG.info('the output cannot be looked at: %s', error)
            return False

    @staticmethod
    def _is_cleared(work: str) -> bool:
        return all(info.path.endswith(note.NAME) for info in storage.list_files(work))

    def interrupt(self) -> str:
        if self._api is None:
            return ''
        end, is_sent = time.monotonic() + _INTERRUPT_SECONDS, self._is_sent
        try:
            job = self._job or self._api.find(self._name, self._run_id)
            while job is None and is_sent and time.monotonic() < end - _INTERRUPT_SECONDS / 2:  # what was sent may yet arrive
                time.sleep(0.5)
                job = self._api.find(self._name, self._run_id)
            if job is None:
                return ('a job was sent to Dataflow, and none has appeared; if it still comes, the same command finds it' if is_sent else
                        'no Dataflow job was there yet; the same command goes on from there')
            self._api.cancel(job.id)
            while time.monotonic() < end and not job.is_over:
                job = self._api.job(job.id) or job
                time.sleep(0.5)
        except (Unreachable, Refused) as error:
            return (f'the Dataflow job {self._name} could not be asked to cancel ({error}): it goes on. Cancel it with '
                    f'`gcloud dataflow jobs cancel {self._job.id if self._job else self._name}`')
        if job.is_over:
            return f'the Dataflow job {self._name} is {job.words}; the same command goes on from there'
        return f'the Dataflow job {self._name} was asked to cancel, which takes some minutes; the same command goes on from there'

    def detach(self) -> str:
        if self._job is None:
            return 'a job was sent to Dataflow: if it comes, the same command finds it' if self._is_sent else ''
        return f'the Dataflow job {self._name} goes on and finishes by itself; the same command finds it again'

    def packed_line(self, output: str) -> str:
        return f'made {self.packed}: what is started from it finishes {output} by itself'


def _is_alive(left: dict) -> bool:
    """Whether the launcher that left a note may still be at work: always where it ran on another machine."""
    if left.get('host') != platform.node():
        return True
    import psutil

    return psutil.pid_exists(left.get('pid', 0)) and left['pid'] != os.getpid()


def _as_list(labels: object) -> list[str]:
    return [] if not labels else [labels] if isinstance(labels, str) else [str(labels)] if isinstance(labels, dict) else list(labels)


def failure(job: Job, errors: Sequence[str]) -> str:
    """The line for a job that ended without finishing the output."""
    from beam_pipelines.launcher.console import failure_line

    if job.is_cancelled:
        return f'the Dataflow job {job.name} was cancelled; the same command goes on from there'
    # A log may hold a traceback in one message or in one for each line; what Dataflow itself says of the work item tells least.
    own = [text for text in errors if 'work item was attempted' not in text] or errors
    reason = failure_line(RuntimeError('\n'.join(own))) if own else 'it gave no reason, look at its log'
    return f'the Dataflow job {job.name} is {job.words}: {reason}. The same command goes on from there'
