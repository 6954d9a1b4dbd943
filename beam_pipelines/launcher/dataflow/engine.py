"""DataflowEngine: submits a pipeline by the SDK's own client, follows the job, cancels it, and finds it again."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    TestOptions,
)

from beam_pipelines.launcher import note
from beam_pipelines.launcher.arguments import BeamOptions
from beam_pipelines.launcher.dataflow.api import DataflowApi, Job, Message, Refused, Unreachable, one_line
from beam_pipelines.launcher.dataflow.job_left import api_of, job_left
from beam_pipelines.launcher.dataflow.preflight import check_command, check_roots, check_services
from beam_pipelines.launcher.dataflow.render_graph import render_graph
from beam_pipelines.launcher.engine import Engine, JobFailed, Progress
from transforms.files import storage

_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 5.0
_AWAY_SECONDS = 600.0  # a job goes on while the API is away, so that patience costs nothing
_CLEARING_SECONDS = 60.0
_LAST_WORDS_SECONDS = 60.0  # the reason of a failure comes about half a minute after it
_INTERRUPT_SECONDS = 20.0


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
        self._told: set[str] = set()
        self._last_told: object = None
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
        return left.get('engine') == 'dataflow'

    def job_of(self, left: dict, output: str) -> str:
        job = job_left(left)
        if job is None:
            return ''
        if not job.is_over:
            self._name, self._job, self._api = job.name, job, api_of(left)
            self._print_line(f'the Dataflow job {job.name} ({job.id}) of this output is {job.words}: following it')
            return left['run']
        if not job.is_done:
            self._warn(f'the Dataflow job {job.name} of this output is over ({job.words}): another one goes on from there')
        return ''

    def run(self, build: Callable[[beam.Pipeline], None], name: str, work: str, progress: Progress) -> None:
        options = self._options_of(name)
        cloud = options.view_as(GoogleCloudOptions)
        self._name = cloud.job_name
        left = {'engine': 'dataflow', 'project': cloud.project, 'region': cloud.region, 'endpoint': cloud.dataflow_endpoint,
                'no_auth': cloud.no_auth, 'job': self._name, 'run': progress.run_id}
        runner, pipeline = self._built(build, options)
        if not self.packed:
            note.save(work, left)
        self._api = None if self.packed else DataflowApi(options)
        job_id = self._submit(pipeline)
        if not job_id:
            return
        self._job = Job(job_id, self._name, 'JOB_STATE_PENDING')
        note.save(work, {**left, 'id': job_id})
        self._print_line(f'submitted the Dataflow job {self._name} ({job_id}): {self._api.console(job_id)}')
        self.follow(work, progress)

    def _submit(self, pipeline: beam.Pipeline) -> str:
        from google.api_core.exceptions import GoogleAPICallError, ResourceExhausted

        try:
            result = pipeline.run()
        except GoogleAPICallError as error:
            is_quota = isinstance(error, ResourceExhausted) or 'quota' in str(error).lower()
            what = 'raise the quota or take fewer or smaller workers (--max_num_workers, --machine_type)' if is_quota else \
                'check the line above, then run the same command again'
            raise JobFailed(f'Dataflow has not taken the job: {one_line(error)}: {what}') from error
        except RuntimeError as error:
            setup = self._options.view_as(SetupOptions).setup_file
            if not setup or 'CalledProcessError' not in str(error):
                raise
            raise JobFailed(f'the package of --setup_file={setup} could not be built: `python {setup} sdist` says why') from error
        return '' if self.packed else result.job_id()

    def follow(self, work: str, progress: Progress) -> None:
        api, away_since, state, over_since = self._api, 0.0, '', 0.0
        while True:
            is_finished = self._is_finished(progress)
            if is_finished:  # its last step now clears the work folder, and Dataflow its machines, for which nobody need wait
                over_since = over_since or time.monotonic()
                if self._is_cleared(work) or time.monotonic() - over_since > _CLEARING_SECONDS:
                    break
            try:
                job = api.job(self._job.id)
                self._tell(api.messages(self._job.id, self._last_told))
                away_since = 0.0
            except (Unreachable, Refused) as error:
                away_since = away_since or time.monotonic()
                if isinstance(error, Refused) or time.monotonic() - away_since > _AWAY_SECONDS:
                    raise JobFailed(f'the Dataflow API does not tell how the job {self._name} fares ({error}). It goes on and finishes by '
                                    'itself; the same command finds it again') from None
                _LOG.info('the Dataflow API is away: %s', error)
                time.sleep(_POLL_SECONDS)
                continue
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
                errors = [message.text for message in api_errors(api, job)]
                if job.is_cancelled or errors or time.monotonic() - over_since > _LAST_WORDS_SECONDS:
                    raise JobFailed(failure(job, errors))
            time.sleep(_POLL_SECONDS)
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

    def _tell(self, messages: list[Message]) -> None:
        """Shows warnings and errors of the job that were not shown yet."""
        for message in messages:
            if message.id not in self._told:
                self._told.add(message.id)
                self._last_told = message.time
                _LOG.info('%s', message.text)
                if message.is_warning or message.is_error:
                    self._warn(one_line(message.text))

    def interrupt(self) -> str:
        if self._api is None:
            return ''
        end = time.monotonic() + _INTERRUPT_SECONDS
        try:
            api = self._api
            job = self._job or api.find(self._name)
            if job is None:
                return 'no Dataflow job was there yet; the same command goes on from there'
            api.cancel(job.id)
            while time.monotonic() < end and not job.is_over:
                job = api.job(job.id) or job
                time.sleep(0.5)
        except (Unreachable, Refused) as error:
            return (f'the Dataflow job {self._name} could not be asked to cancel ({error}): it goes on. Cancel it with '
                    f'`gcloud dataflow jobs cancel {self._job.id if self._job else self._name}`')
        if job.is_over:
            return f'the Dataflow job {self._name} is {job.words}; the same command goes on from there'
        return f'the Dataflow job {self._name} was asked to cancel, which takes some minutes; the same command goes on from there'

    def detach(self) -> str:
        return f'the Dataflow job {self._name} goes on and finishes by itself; the same command finds it again' if self._job else ''

    def packed_line(self, output: str) -> str:
        return f'made {self.packed}: what is started from it finishes {output} by itself'


def api_errors(api: DataflowApi, job: Job) -> list[Message]:
    """The errors that the job has logged, those that tell of a traceback last."""
    try:
        errors = [message for message in api.messages(job.id) if message.is_error]
    except (Unreachable, Refused):
        return []
    return sorted(errors, key=lambda message: ('Traceback' in message.text) - ('work item was attempted' in message.text))


def failure(job: Job, errors: list[str]) -> str:
    """The line for a job that ended without finishing the output."""
    from beam_pipelines.launcher.console import failure_line

    if job.is_cancelled:
        return f'the Dataflow job {job.name} was cancelled; the same command goes on from there'
    reason = failure_line(RuntimeError(errors[-1])) if errors else 'it gave no reason, look at its log'
    return f'the Dataflow job {job.name} is {job.words}: {reason}. The same command goes on from there'
