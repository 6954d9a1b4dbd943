import stat

import pytest
from apache_beam.options.pipeline_options import FlinkRunnerOptions, PipelineOptions, PortableOptions

from beam_pipelines.launcher.flink.preflight import artifacts_hint, master_of, preflight
from beam_pipelines.launcher.spec import UsageError
from tests.beam_pipelines.launcher.flink.test_jars import make_jar
from tests.flink_rest import FakeCluster, serving


@pytest.fixture
def jar(tmp_path):
    return make_jar(tmp_path / 'job-server.jar')


@pytest.fixture
def java(tmp_path):
    """A program that answers like Java 17."""
    return program(tmp_path / 'java', 'echo \'openjdk version "17.0.1" 2021-10-19\' >&2')


def program(path, line):
    path.write_text(f'#!/bin/sh\n{line}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def looked(*flags, parallelism=0, warned=None):
    flags = [*flags, '--runner=FlinkRunner']
    options = PipelineOptions(flags=list(flags))
    return options, preflight(options, flags, parallelism, lambda line: None, (warned or []).append)


def test_embedded_needs_java_and_a_jar(jar, java):
    warned = []
    _, target = looked(f'--flink_job_server_jar={jar}', f'--job_server_java_launcher={java}', warned=warned)
    assert (target.cluster, target.uber, target.parallelism, target.jar.flink) == (None, False, 0, '1.19')


def test_another_beam_is_a_warning(jar, java):
    warned = ['x']
    looked(f'--flink_job_server_jar={jar}', f'--job_server_java_launcher={java}', warned=warned)
    assert 'holds Beam 2.62.0, this is Beam' in warned[-1]


def test_a_cluster_gives_version_slots_and_pools(jar, java):
    with serving(FakeCluster(managers=[('a', 2), ('b', 3)])) as url:
        options, target = looked(f'--flink_master={url}', f'--flink_job_server_jar={jar}',
                                 f'--job_server_java_launcher={java}')
    assert (target.parallelism, target.pool) == (5, 'localhost:50000')
    assert options.view_as(PortableOptions).environment_type == 'EXTERNAL'


@pytest.mark.parametrize(('flags', 'parallelism', 'words'), [
    (['--flink_version=1.20'], 0, 'runs Flink 1.19: leave the flag out'),
    (['--environment_type=LOOPBACK'], 0, 'LOOPBACK is for the embedded Flink'),
    (['--job_server_java_launcher=/no/java'], 0, 'there is no Java'),
    (['--flink_job_server_jar=/no/such.jar'], 0, 'does not exist')])
def test_what_could_not_run_is_one_line(jar, java, flags, parallelism, words):
    with serving(FakeCluster()) as url, pytest.raises(UsageError) as told:
        looked(f'--flink_master={url}', f'--flink_job_server_jar={jar}', f'--job_server_java_launcher={java}', *flags,
               parallelism=parallelism)
    assert words in str(told.value)
    assert '\n' not in str(told.value)


def test_jar_and_cluster_of_different_versions(jar, java):
    with serving(FakeCluster(version='1.20.0')) as url, pytest.raises(UsageError, match='FLINK_VERSION=1.20'):
        looked(f'--flink_master={url}', f'--flink_job_server_jar={jar}', f'--job_server_java_launcher={java}')


def test_a_master_that_does_not_answer():
    with pytest.raises(UsageError, match=r'127\.0\.0\.1:9 does not answer \(connection refused\)'):
        looked('--flink_master=127.0.0.1:9')


def test_a_master_that_is_no_flink(tmp_path):
    cluster = FakeCluster(version='')
    with serving(cluster) as url, pytest.raises(UsageError, match='no Flink JobManager'):
        looked(f'--flink_master={url}')


def test_two_task_managers_on_one_pool(jar, java):
    flags = (f'--flink_job_server_jar={jar}', f'--job_server_java_launcher={java}')
    with serving(FakeCluster(managers=[('a', 1), ('a', 1)])) as url:
        with pytest.raises(UsageError, match='would share the worker pool at localhost:50000'):
            looked(f'--flink_master={url}', *flags)
        assert looked(f'--flink_master={url}', *flags, parallelism=1)[1].parallelism == 1


def test_more_tasks_than_slots_is_a_warning(jar, java):
    warned = ['x']
    with serving(FakeCluster()) as url:
        _, target = looked(f'--flink_master={url}/', f'--flink_job_server_jar={jar}',
                           f'--job_server_java_launcher={java}', parallelism=6, warned=warned)
    assert target.parallelism == 6
    assert '--parallelism=6 needs as many slots' in warned[-1]
    assert target.cluster.master == url


@pytest.mark.parametrize(('flags', 'environment'), [
    (['--environment_config=pool:7'], ('EXTERNAL', 'pool:7')),
    (['--environment_type=EXTERNAL'], ('EXTERNAL', 'localhost:50000')),
    (['--environment_type=DOCKER'], ('DOCKER', None))])
def test_how_workers_are_had(jar, java, flags, environment):
    with serving(FakeCluster()) as url:
        options, target = looked(f'--flink_master={url}', f'--flink_job_server_jar={jar}',
                                 f'--job_server_java_launcher={java}', *flags)
    portable = options.view_as(PortableOptions)
    assert (portable.environment_type, portable.environment_config) == environment
    assert target.pool == (environment[1] if environment[0] == 'EXTERNAL' else '')


def test_a_cluster_that_starts_task_managers_on_demand(jar, java):
    with serving(FakeCluster(managers=[])) as url:
        _, target = looked(f'--flink_master={url}', f'--flink_job_server_jar={jar}',
                           f'--job_server_java_launcher={java}', parallelism=4)
    assert target.parallelism == 4


@pytest.mark.parametrize(('answer', 'words'), [
    ('echo \'java version "1.8.0_292"\' >&2', 'is Java 8'), ('exit 1', 'is no Java'), ('echo hello', 'is no Java')])
def test_java_that_is_too_old_or_none(jar, tmp_path, answer, words):
    with pytest.raises(UsageError, match=words):
        looked(f'--flink_job_server_jar={jar}', f'--job_server_java_launcher={program(tmp_path / "java", answer)}')


def test_an_uber_jar_needs_no_java(jar):
    with serving(FakeCluster()) as url:
        _, target = looked(f'--flink_master={url}', f'--flink_job_server_jar={jar}', '--flink_submit_uber_jar',
                           '--job_server_java_launcher=/no/java')
    assert target.uber


def test_the_artifacts_folder(jar, java, tmp_path):
    flags = (f'--flink_job_server_jar={jar}', f'--job_server_java_launcher={java}', '--environment_type=PROCESS',
             '--environment_config={"command":"/boot"}')
    with serving(FakeCluster()) as url:
        options, target = looked(f'--flink_master={url}', *flags)
        assert 'a folder that all TaskManagers must see' in artifacts_hint(options, target)
        options, target = looked(f'--flink_master={url}', *flags, f'--artifacts_dir={tmp_path}')
        assert artifacts_hint(options, target) == ''
        options, target = looked(f'--flink_master={url}', *flags, '--artifacts_dir=/no/such')
        with pytest.raises(UsageError, match='does not exist, nor does /no: make it, or mount its disk'):
            artifacts_hint(options, target)
        options, target = looked(f'--flink_master={url}', *flags, f'--artifacts_dir={tmp_path}/made')
        assert artifacts_hint(options, target) == ''
        assert (tmp_path / 'made').is_dir()


@pytest.mark.parametrize(('given', 'master'), [
    ('flink:8081', 'http://flink:8081'), ('https://flink/', 'https://flink'), ('[auto]', '[auto]')])
def test_the_master_gets_a_scheme(given, master):
    options = PipelineOptions([f'--flink_master={given}'])
    assert master_of(options) == master
    assert options.view_as(FlinkRunnerOptions).flink_master == given
