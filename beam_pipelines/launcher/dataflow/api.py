"""What the launcher asks of Dataflow, by Google's own client, with limits on how long it waits."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from transforms.files.object_store import google_credentials

_SECONDS = 15.0
_MESSAGE_PAGES = 20  # of one look; what is left comes with the next
RUN_LABEL = 'training-data-run'  # of a job: names may be fixed by --job_name, and come again
_NO_JOB = '2015-01-01_00_00_00-0000000000000000000'
_DONE, _FAILED, _CANCELLED = 'JOB_STATE_DONE', 'JOB_STATE_FAILED', 'JOB_STATE_CANCELLED'
TERMINAL = frozenset({_DONE, _FAILED, _CANCELLED, 'JOB_STATE_UPDATED', 'JOB_STATE_DRAINED'})
T = TypeVar('T')


class Unreachable(OSError):
    """The API does not answer, or (`has_answered`) answers that it cannot for now: another try may help."""

    has_answered = False


class Refused(Exception):
    """The API answers that it will not; the message is its own, in one line."""


@dataclass(frozen=True)
class Job:
    """A job: id, name, and state such as 'JOB_STATE_RUNNING'."""

    id: str
    name: str
    state: str

    @property
    def is_over(self) -> bool:
        """Whether it has come to its end, good or bad."""
        return self.state in TERMINAL

    @property
    def is_done(self) -> bool:
        """Whether it ended well."""
        return self.state == _DONE

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody has cancelled it."""
        return self.state == _CANCELLED

    @property
    def words(self) -> str:
        """The state for people, such as 'running'."""
        return self.state.removeprefix('JOB_STATE_').lower().replace('_', ' ') or 'unknown'


@dataclass(frozen=True)
class Message:
    """A line of a job's log: an id, its time, what it says, and whether it is a warning or an error."""

    id: str
    time: object
    text: str
    is_error: bool
    is_warning: bool


def one_line(answer: object) -> str:
    """The first line of an answer of the API, without the parts that only its clients understand."""
    if isinstance(answer, Exception) and answer.args and isinstance(answer.args[0], str) and len(answer.args) > 1:
        answer = answer.args[0]  # of Google's errors of credentials, whose text is else that of a tuple
    text = str(answer).strip()
    bare = re.sub(r'^\d{3} (?:(?:GET|POST|PUT|PATCH|DELETE) \S+: )?', '', text)
    if re.match(r'<(!doctype|html)', bare, re.IGNORECASE):
        return f'{text[:3]} with a web page: a proxy, or a log-in page?' if text[:3].isdigit() else 'a web page: a proxy, or a log-in page?'
    return (bare.splitlines() or [''])[0].strip()[:300]


class DataflowApi:
    """Jobs of one project in one region.

    Args:
        options: Beam's, with project, region, endpoint and credentials.
    """

    def __init__(self, options: PipelineOptions) -> None:
        from google.api_core.client_options import ClientOptions
        from google.cloud import dataflow

        cloud = options.view_as(GoogleCloudOptions)
        self.project, self.region = cloud.project, cloud.region
        self.endpoint = (cloud.dataflow_endpoint or '').strip().rstrip('/')
        # As the SDK's own client does: an endpoint on this machine is spoken to in plain REST.
        is_local = 'localhost' in self.endpoint
        endpoint = self.endpoint if is_local else re.sub('^https?://', '', self.endpoint)
        given = {'credentials': _credentials(options), 'transport': 'rest' if is_local else None,
                 'client_options': ClientOptions(api_endpoint=endpoint) if endpoint else None}
        self._types = dataflow
        self._jobs, self._messages = dataflow.JobsV1Beta3Client(**given), dataflow.MessagesV1Beta3Client(**given)

    def check(self) -> None:
        """Asks for a job that there is not, to learn whether it may be asked.

        Raises:
            Unreachable: nobody answers. That it cannot for now is no reason not to try.
            Refused: no such project or region, the API is switched off, or no right to it.
        """
        try:
            self.job(_NO_JOB)
        except Unreachable as error:
            if not error.has_answered:
                raise

    def job(self, job_id: str) -> Job | None:
        """The job as it is now, None where there is none.

        Raises:
            Unreachable, Refused: as `check`.
        """
        request = self._types.GetJobRequest(project_id=self.project, location=self.region, job_id=job_id)
        found = self._or_none(lambda: self._jobs.get_job(request, timeout=_SECONDS, retry=None))
        return _job(found) if found else None

    def find(self, name: str, run_id: str) -> Job | None:
        """The newest job of that name that a run has submitted.

        Raises:
            Unreachable, Refused: as `check`.
        """
        request = self._types.ListJobsRequest(project_id=self.project, location=self.region, name=name)
        found = self._or_none(lambda: list(self._jobs.list_jobs(request, timeout=_SECONDS, retry=None)))
        return next((_job(job) for job in found or () if job.name == name and self._run_of(job) == run_id), None)

    def _run_of(self, listed: object) -> str:
        if RUN_LABEL in listed.labels:
            return listed.labels[RUN_LABEL]
        request = self._types.GetJobRequest(project_id=self.project, location=self.region, job_id=listed.id, view=self._types.JobView.JOB_VIEW_ALL)
        whole = self._or_none(lambda: self._jobs.get_job(request, timeout=_SECONDS, retry=None))
        return whole.labels.get(RUN_LABEL, '') if whole else ''

    def messages(self, job_id: str, since: object = None) -> list[Message]:
        """What the job has logged for people, oldest first; some thousand at most.

        Args:
            job_id: of the job.
            since: time of the first message, None for all.

        Raises:
            Unreachable, Refused: as `check`.
        """
        importance = self._types.JobMessageImportance
        request = self._types.ListJobMessagesRequest(project_id=self.project, location=self.region, job_id=job_id, start_time=since,
                                                     minimum_importance=importance.JOB_MESSAGE_BASIC)
        found = self._ask(lambda: [message for page in islice(self._messages.list_job_messages(request, timeout=_SECONDS, retry=None).pages,
                                                              _MESSAGE_PAGES) for message in page.job_messages])
        return [Message(message.id, message.time, message.message_text, message.message_importance == importance.JOB_MESSAGE_ERROR,
                        message.message_importance == importance.JOB_MESSAGE_WARNING) for message in found]

    def cancel(self, job_id: str) -> None:
        """Asks for the job to be cancelled; it takes a while.

        Raises:
            Unreachable, Refused: as `check`.
        """
        wanted = self._types.Job(requested_state=self._types.JobState.JOB_STATE_CANCELLED)
        request = self._types.UpdateJobRequest(project_id=self.project, location=self.region, job_id=job_id, job=wanted)
        self._ask(lambda: self._jobs.update_job(request, timeout=_SECONDS, retry=None))

    def _or_none(self, question: Callable[[], T]) -> T | None:
        """The answer, None where it is that there is nothing."""
        from google.api_core.exceptions import NotFound

        try:
            return self._ask(question)
        except Refused as error:
            if isinstance(error.__cause__, NotFound):
                return None
            raise

    @staticmethod
    def _ask(question: Callable[[], T]) -> T:
        import requests
        from google.api_core.exceptions import GoogleAPICallError, RetryError, TooManyRequests
        from google.auth.exceptions import GoogleAuthError

        try:
            return question()
        except GoogleAPICallError as error:
            if isinstance(error, TooManyRequests) or (error.code or 500) >= 500:
                away = Unreachable(one_line(error))
                away.has_answered = True
                raise away from error
            raise Refused(one_line(error)) from error
        except GoogleAuthError as error:
            raise Refused(f'the credentials are not accepted: {one_line(error)}') from error
        except (requests.RequestException, RetryError) as error:
            raise Unreachable(_reason(error)) from error
        except Exception as error:  # whatever Google's client makes of an answer that is none, such as a proxy's page
            raise Unreachable(f'what it answers is no answer, {type(error).__name__}: {one_line(error)}') from error

    def console(self, job_id: str) -> str:
        """Where people see the job."""
        return f'https://console.cloud.google.com/dataflow/jobs/{self.region}/{job_id}?project={self.project}'


def _credentials(options: PipelineOptions) -> object:
    from apache_beam.internal.gcp.auth import get_service_credentials
    from google.auth.credentials import AnonymousCredentials

    is_without = options.view_as(GoogleCloudOptions).no_auth or google_credentials() is None
    found = None if is_without else get_service_credentials(options)
    return found.get_google_auth_credentials() if found else AnonymousCredentials()


def _job(job: object) -> Job:
    return Job(job.id, job.name, job.current_state.name)


def _reason(error: Exception) -> str:
    text = str(error)
    for phrase in ('Connection refused', 'Name or service not known', 'Failed to resolve', 'timed out', 'No route to host',
                   'Connection aborted', 'Temporary failure in name resolution'):
        if phrase in text:
            return phrase.lower()
    return one_line(text) or type(error).__name__
