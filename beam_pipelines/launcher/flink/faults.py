"""What is wrong when a job fails or hangs, in one line that says what to do."""

from __future__ import annotations

import re

from beam_pipelines.launcher.console import ABORTED

_OURS = ('transforms', 'options', 'beam_pipelines')
_NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
_PYTHON_ERROR = re.compile(r'^(?!java|org|Caused)(?:[\w.]+\.)?\w*(?:Error|Exception|Aborted)\b.*')

NO_WORKER = (
    'no Python worker has taken up work after {seconds:.0f} s. Does a worker pool listen at {pool} beside every '
    'TaskManager (one pool for each: two TaskManagers on one pool hang), does its interpreter have this package and '
    'Apache Beam, and do its logs say more?')
LOST = 'the JobManager has lost the job, as after a restart'
STALLED = ('the job has shown no sign of life for {seconds:.0f} s. Tasks wait at {hosts}: restart the worker pool there, '
           'together with its TaskManager')


def permanent_fault(text: str) -> str:
    """The line for a failure that another try would meet again, '' for any other."""
    if match := ABORTED.search(text):
        return match[1]
    if match := _NO_MODULE.search(text):
        module = match[1].partition('.')[0]
        what = 'this package' if module in _OURS else f'the module {module}'
        return (f'a worker has not {what}: install it, in the same version, in the Python that the worker pools run '
                f'(No module named {match[1]!r})')
    if 'artifact' in text and ('NoSuchFileException' in text or 'FileNotFoundException' in text):
        return ('the artifacts of the job are not where the TaskManagers look for them: give --artifacts_dir=FOLDER on '
                'a disk that the JobManager and all TaskManagers share, or --flink_submit_uber_jar')
    if 'Process died with exit code 1' in text:
        return ('the program that starts the workers (process_command) ended at once, as it does when it cannot fetch the '
                "job's artifacts: give --artifacts_dir=FOLDER on a disk that the JobManager and all TaskManagers share, or "
                "--flink_submit_uber_jar. The TaskManager's log has its message")
    if 'Cannot run program "docker"' in text:
        return ('the TaskManagers have no docker: --environment_type=EXTERNAL --environment_config=localhost:50000 '
                'takes a worker pool beside each')
    if 'Metaspace' in text and 'OutOfMemoryError' in text:
        return ('a TaskManager has too little metaspace for the job server classes: set '
                'taskmanager.memory.jvm-metaspace.size to 400m or more and restart it')
    return ''


def pool_refused(text: str, pool: str) -> bool:
    """Whether a TaskManager found no worker pool listening."""
    return 'Connection refused' in text and bool(pool) and f":{pool.rpartition(':')[2]}" in text


def fault_line(text: str, pool: str) -> str:
    """What a failure's text says, as one line with what to do where the fault is a usual one."""
    if line := permanent_fault(text):
        return line
    if 'FlinkJobNotFoundException' in text:
        return LOST
    if 'NoResourceAvailableException' in text:
        return ('the cluster had no free slots for the job: add TaskManagers, wait for other jobs, or give a smaller '
                '--parallelism')
    if pool_refused(text, pool):
        return (f'no worker pool listens at {pool} beside a TaskManager: start one for each (python -m '
                'apache_beam.runners.worker.worker_pool_main --service_port=50000), or say where with '
                '--environment_config')
    return f'the job failed: {_last_error(text)}'


def _last_error(text: str) -> str:
    lines = [line.strip() for line in text.replace('\\n', '\n').splitlines() if line.strip()]
    errors = [line for line in lines if _PYTHON_ERROR.match(line)]
    causes = [line for line in lines if line.startswith('Caused by: ')]
    line = (errors or causes or lines or ['no message'])[-1]
    return line.removeprefix('Caused by: ')[:300]
