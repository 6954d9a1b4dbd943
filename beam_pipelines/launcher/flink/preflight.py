"""What is checked before a job is submitted: Java, the job server's versions, the cluster, its slots and pools."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import apache_beam
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    JobServerOptions,
    PipelineOptions,
    PortableOptions,
)

from beam_pipelines.launcher.flink.jars import JobServerJar, find_jar
from beam_pipelines.launcher.flink.rest import FlinkCluster, Unreachable
from beam_pipelines.launcher.spec import UsageError

EMBEDDED = ('[auto]', '[local]')
DEFAULT_POOL = 'localhost:50000'
_LOCAL_NAMES = ('localhost', '127.0.0.1', '[::1]')


@dataclass(frozen=True)
class Target:
    """Where and with what a job will run.

    Attributes:
        cluster: None for a Flink embedded in the job server.
        jar: the job server.
        uber: submit one jar over REST, without a job server process.
        parallelism: tasks side by side; 0 leaves it to Flink.
        pool: address of the worker pool as the TaskManagers see it, '' when workers are started otherwise.
    """

    cluster: FlinkCluster | None
    jar: JobServerJar
    uber: bool
    parallelism: int
    pool: str


def master_of(options: PipelineOptions) -> str:
    """`--flink_master` with a scheme, or '[auto]'."""
    master = options.view_as(FlinkRunnerOptions).flink_master.strip().rstrip('/')
    if master in EMBEDDED:
        return master
    return master if re.match('https?://', master) else f'http://{master}'


def preflight(options: PipelineOptions, flags: list[str], parallelism: int, print_line: Callable[[str], None],
              warn: Callable[[str], None]) -> Target:
    """Checks everything that can be checked before a job starts.

    Args:
        options: Beam's options; the environment is filled in where the command line leaves it out.
        flags: the command line as given to Beam, to know which flags were given.
        parallelism: as asked for, 0 when not.
        print_line: tells people a line.
        warn: tells people of what may be wrong.

    Raises:
        UsageError: the job could not run.
    """
    flink, master = options.view_as(FlinkRunnerOptions), master_of(options)
    packs = bool(options.view_as(PortableOptions).output_executable_path)
    if packs and master not in EMBEDDED:
        raise UsageError('--output_executable_path makes a jar and submits nothing: leave --flink_master out')
    given = {token[2:].partition('=')[0] for token in flags if token.startswith('--')}
    wanted = flink.flink_version if 'flink_version' in given else ''
    cluster = None
    if master not in EMBEDDED:
        cluster, version = FlinkCluster(master), _version_of(master)
        if wanted not in ('', version):
            raise UsageError(f'--flink_version={wanted}, but the cluster at {master} runs Flink {version}: '
                             'leave the flag out')
        wanted = version
    uber = bool(flink.flink_submit_uber_jar and cluster)
    if not uber:
        _check_java(options.view_as(JobServerOptions).job_server_java_launcher)
    jar = find_jar(flink.flink_job_server_jar or '', wanted, flink.flink_version, print_line)
    place = f'Flink at {master}' if cluster else 'a jar for Flink' if packs else 'embedded Flink'
    print_line(f'engine {place}; job server: {jar}')
    if jar.beam != apache_beam.__version__:
        warn(f'the job server holds Beam {jar.beam}, this is Beam {apache_beam.__version__}: tried for some pairs only, '
             'see docs/flink.md')
    pool = _environment(options, given, bool(cluster) or packs)
    return Target(cluster, jar, uber, _slots(cluster, parallelism, pool, warn) if cluster else parallelism, pool)


def _version_of(master: str) -> str:
    try:
        return FlinkCluster(master).version()
    except Unreachable as error:
        raise UsageError(f'--flink_master {master} does not answer ({error}): it must be the REST address of a running '
                         'JobManager, usually HOST:8081') from None


def _check_java(java: str) -> None:
    path = shutil.which(java)
    if not path:
        raise UsageError(f'there is no Java ({java}), which the job server of --runner=FlinkRunner needs: install a '
                         'Java 11 or 17 runtime, or set JAVA_HOME')
    try:
        answer = subprocess.run([path, '-version'], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f'{path} -version does not run ({error}): install a Java 11 or 17 runtime') from None
    match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    if answer.returncode or not match or int(match[1]) < 11:
        version = f'Java {match[1]}' if match else 'no Java'
        raise UsageError(f'{path} is {version}: Flink needs Java 11 or 17')


def _environment(options: PipelineOptions, given: set[str], cluster: bool) -> str:
    """Fills in the environment of Python workers where the command line leaves it out; returns the pool's address."""
    portable = options.view_as(PortableOptions)
    if cluster and 'environment_type' not in given:
        portable.environment_type = 'EXTERNAL'
    if portable.environment_type == 'EXTERNAL' and not portable.environment_config:
        portable.environment_config = DEFAULT_POOL
    if portable.environment_type == 'LOOPBACK' and cluster:
        raise UsageError('--environment_type=LOOPBACK is for the embedded Flink: a cluster takes worker pools '
                         f'(--environment_type=EXTERNAL --environment_config={DEFAULT_POOL})')
    return portable.environment_config or '' if portable.environment_type == 'EXTERNAL' else ''


def _slots(cluster: FlinkCluster, parallelism: int, pool: str, warn: Callable[[str], None]) -> int:
    """The parallelism, by default all slots of the cluster."""
    try:
        managers = cluster.task_managers()
    except Unreachable as error:
        raise UsageError(f'{cluster.master} does not answer ({error})') from None
    slots = sum(manager['slots'] for manager in managers)
    if not managers:  # a cluster that starts TaskManagers on demand has none yet
        return parallelism or 1
    if parallelism > slots:
        warn(f'--parallelism={parallelism} needs as many slots, the cluster at {cluster.master} has {slots} now: the job '
             'waits for more, for clusters that start them on demand')
    hosts = Counter(manager['host'] for manager in managers)
    shared = [host for host, count in hosts.items() if count > 1]
    if shared and (parallelism or slots) > 1 and pool.startswith(_LOCAL_NAMES):
        raise UsageError(
            f'{hosts[shared[0]]} TaskManagers at {shared[0]} would share the worker pool at {pool}, and such a job '
            'hangs: one TaskManager with several slots there, or one pool for each in its own pod, container or network '
            'namespace')
    return parallelism or slots


def _make_artifacts_dir(folder: str) -> None:
    """Makes a folder within one that is there: where that lacks too, it may be a disk that is not mounted.

    Raises:
        UsageError: it cannot be made.
    """
    parent = os.path.dirname(os.path.abspath(folder))
    try:
        os.mkdir(folder)
    except FileNotFoundError:
        raise UsageError(f'--artifacts_dir {folder} does not exist, nor does {parent}: make it, or mount its disk') from None
    except OSError as error:
        raise UsageError(f'--artifacts_dir {folder} cannot be made ({error.strerror})') from None


def artifacts_hint(options: PipelineOptions, target: Target) -> str:
    """A warning when a job server would keep artifacts where the workers cannot see them, '' otherwise.

    A folder for them is made where the one above it is there.
    """
    needs = options.view_as(PortableOptions).environment_type in ('DOCKER', 'PROCESS')
    folder = options.view_as(JobServerOptions).artifacts_dir
    if target.cluster and not target.uber and needs and not folder:
        return ('--artifacts_dir is not given: workers started by a container or a process fetch their artifacts from a '
                'folder that all TaskManagers must see')
    if folder and not os.path.isdir(folder) and '://' not in folder:
        _make_artifacts_dir(folder)
    return ''
