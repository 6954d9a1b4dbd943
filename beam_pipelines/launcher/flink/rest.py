"""What the launcher asks of a Flink cluster, over its REST address."""

from __future__ import annotations

from dataclasses import dataclass

_SECONDS = 10
_ON_A_HOST = ('DEPLOYING', 'INITIALIZING', 'RUNNING')
TERMINAL = frozenset({'FINISHED', 'FAILED', 'CANCELED'})


class Unreachable(OSError):
    """The JobManager does not answer, or answers something else."""


@dataclass(frozen=True)
class Job:
    """A job of the cluster: id, name, state such as 'RUNNING', and what changes when it moves."""

    id: str
    name: str
    state: str
    marks: tuple = ()

    @property
    def is_over(self) -> bool:
        """Whether it has come to its end, good or bad."""
        return self.state in TERMINAL


class FlinkCluster:
    """A cluster by its REST address, such as 'http://flink:8081'."""

    def __init__(self, master: str) -> None:
        self.master = master

    def _ask(self, path: str, method: str = 'get') -> dict:
        import requests

        try:
            answer = requests.request(method, f'{self.master}/{path}', timeout=_SECONDS)
            answer.raise_for_status()
            return answer.json() if answer.content else {}
        except (requests.RequestException, ValueError) as error:
            raise Unreachable(_reason(error)) from None

    def version(self) -> str:
        """The minor version, such as '1.19'."""
        full = self._ask('config').get('flink-version', '')
        if not full:
            raise Unreachable('what answers is no Flink JobManager')
        return '.'.join(full.split('.')[:2])

    def task_managers(self) -> list[dict]:
        """Every registered TaskManager as `{'host', 'slots'}`."""
        return [{'host': tm['path'].partition('@')[2].partition(':')[0], 'slots': tm['slotsNumber']}
                for tm in self._ask('taskmanagers')['taskmanagers']]

    def find_job(self, name: str) -> Job | None:
        """The newest job of that name, without its marks."""
        jobs = [job for job in self._ask('jobs/overview')['jobs'] if job['name'] == name]
        newest = max(jobs, key=lambda job: job['start-time'], default=None)
        return Job(newest['jid'], name, newest['state']) if newest else None

    def job(self, job_id: str) -> Job:
        """The job with its marks: they change whenever a task changes its state or a record passes."""
        job = self._ask(f'jobs/{job_id}')
        marks = tuple((v['status'], tuple(sorted(v['tasks'].items())), v['metrics'].get('write-records'))
                      for v in job['vertices'])
        return Job(job_id, job['name'], job['state'], marks)

    def failures(self, job_id: str) -> list[str]:
        """The exceptions of the job that are remembered, newest first."""
        exceptions = self._ask(f'jobs/{job_id}/exceptions')
        history = exceptions.get('exceptionHistory', {}).get('entries', [])
        return [entry.get('stacktrace', '') for entry in history] or list(filter(None, [exceptions.get('root-exception')]))

    def busy_hosts(self, job_id: str) -> list[str]:
        """Hosts of the TaskManagers that the job waits for: of running tasks whose inputs are all there."""
        job = self._ask(f'jobs/{job_id}')
        states = {v['id']: v['status'] for v in job['vertices']}
        inputs = {node['id']: [i['id'] for i in node.get('inputs', ())] for node in job.get('plan', {}).get('nodes', ())}
        vertices = [v['id'] for v in job['vertices'] if any(map(v['tasks'].get, _ON_A_HOST))
                    and all(states.get(i, 'FINISHED') == 'FINISHED' for i in inputs.get(v['id'], ()))]
        return sorted({task['host'] for vertex in vertices
                       for task in self._ask(f'jobs/{job_id}/vertices/{vertex}')['subtasks']
                       if task['status'] in _ON_A_HOST and task.get('host')})

    def cancel(self, job_id: str) -> None:
        """Asks for the job to be cancelled; it takes a while."""
        self._ask(f'jobs/{job_id}?mode=cancel', 'patch')


def _reason(error: Exception) -> str:
    text = str(error)
    for phrase in ('Connection refused', 'Name or service not known', 'timed out', 'No route to host',
                   'Temporary failure in name resolution'):
        if phrase in text:
            return phrase.lower()
    return text.splitlines()[0][:160] if text else type(error).__name__
