"""A real cluster: the same bytes, also when its processes are killed, and one line for every wrong use."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from beam_pipelines.samples import sample_folder
from benchmarks.make_large import make
from tests.conftest import shared
from tests.flink import JAR, REASON
from tests.flink_cluster import Cluster
from tests.helpers import ROOT, assert_same_output, command, load, written_images, written_shards

ROOT_REASON = '' if os.geteuid() == 0 else 'no root: TaskManagers need network namespaces of their own'
pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900),
              pytest.mark.skipif(bool(REASON or ROOT_REASON), reason=REASON or ROOT_REASON)]
FLAGS = ('--max_size=1024', '--progress=off')
MODES = pytest.mark.parametrize('mode', [(), ('--flink_submit_uber_jar',)], ids=['job-server', 'uber-jar'])
SEEDS = pytest.mark.parametrize('seed', [0, pytest.param(1, marks=pytest.mark.soak)])


@pytest.fixture(scope='module')
def cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp('cluster'), TASKMANAGERS='2', SLOTS='1')
    made.up()
    yield made
    made.down()


@pytest.fixture
def healthy(cluster):
    """The cluster with all of its processes running, whatever the test before did to them."""
    cluster.up()
    yield cluster
    for name in ('pool1', 'pool2'):
        cluster.wake(name)
    cluster.up()


@pytest.fixture(scope='module')
def large(tmp_path_factory):
    """1,500 pages in four tarballs, and the output of an undisturbed run on one machine."""
    folder = tmp_path_factory.mktemp('large')
    make(sample_folder('olmocr'), folder / 'in', 1500, 4, 1, 1)
    subprocess.run(command('olmocr', f'--input={folder}/in', f'--output={folder}/whole', *FLAGS), cwd=ROOT, check=True,
                   capture_output=True)
    return folder / 'in', folder / 'whole'


class Run:
    """A launcher under way, and the cluster's view of its jobs."""

    def __init__(self, cluster, source, output, *flags, pipeline='olmocr') -> None:
        self.cluster, self.before, self.output = cluster, set(cluster.jobs()), output
        self.process = subprocess.Popen(
            command(pipeline, f'--input={source}', f'--output={output}', '--runner=FlinkRunner',
                    f'--flink_master={cluster.master}', f'--flink_job_server_jar={JAR.path}', *flags),
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)

    def jobs(self) -> dict[str, str]:
        return {name: state for name, state in self.cluster.jobs().items() if name not in self.before}

    def wait_until_running(self) -> None:
        self.cluster.wait_for(lambda: 'RUNNING' in self.jobs().values() or self.process.poll() is not None, 120)
        assert self.process.poll() is None, self.process.communicate()

    def wait_until_rendered(self, pages: int = 20) -> None:
        """Until that many of the 1,500 pages are there: with more than 20, both workers are amid their tarballs."""
        self.cluster.wait_for(lambda: len(written_images(self.output)) > pages
                              or self.process.poll() is not None, 120)
        assert self.process.poll() is None, self.process.communicate()

    def finish(self, code: int = 0) -> tuple[str, str]:
        printed = self.process.communicate(timeout=800)
        assert self.process.returncode == code, "\n".join(printed)
        return printed


def assert_finished(output, whole) -> None:
    assert_same_output(whole, output)
    run, expected = load(output / 'run.json'), load(whole / 'run.json')
    for name in ('sources', 'totals', 'failed_units', 'warnings', 'state'):
        assert run[name] == expected[name]


@MODES
def test_real_pages(healthy, tmp_path, mode):
    source = shared('olmocr_mix_mini')
    flags = ('--max_size=1288', '--progress=off')
    subprocess.run(command('olmocr', f'--input={source}', f'--output={tmp_path}/direct', *flags), cwd=ROOT, check=True,
                   capture_output=True)
    Run(healthy, source, tmp_path / 'out', *flags, *mode).finish()
    assert_finished(tmp_path / 'out', tmp_path / 'direct')


@pytest.mark.parametrize('flags', [('--streaming',), ('--parallelism=1',), ('--worker_ram=1GB',)])
def test_same_bytes_however_it_runs(healthy, large, tmp_path, flags):
    Run(healthy, large[0], tmp_path / 'out', *FLAGS, *flags).finish()
    assert_finished(tmp_path / 'out', large[1])


def test_a_part_that_takes_longer_than_the_watchdog_waits(healthy, tmp_path):
    """No part is finished meanwhile: the worker's heartbeat alone says that it lives."""
    (tmp_path / 'in').mkdir()
    line = b'{"id": 1, "text": "%s"}\n' % (b'lorem ipsum ' * 4)
    with open(tmp_path / 'in' / 'train.jsonl', 'wb') as file:
        for _ in range(600):
            file.write(line * 10_000)
    Run(healthy, tmp_path / 'in', tmp_path / 'out', '--shard_size=1GB', '--stall_seconds=25', '--progress=off', pipeline='convert').finish()
    run = load(tmp_path / 'out' / 'run.json')
    assert run['seconds'] > 50, 'too fast to show anything'  # of which 20 pass before a worker begins
    assert run['totals']['written'] == 6_000_000
    assert len(written_shards(tmp_path / 'out')) == 1


@SEEDS
@pytest.mark.parametrize('victims', [('taskmanager1',), ('pool2',), ('taskmanager2', 'pool2')], ids='+'.join)
def test_killed_and_restarted(healthy, large, tmp_path, victims, seed):
    moments = random.Random(f'{victims} {seed}')
    run = Run(healthy, large[0], tmp_path / 'out', *FLAGS, '--stall_seconds=60',
              *(('--flink_submit_uber_jar',) if seed == 1 else ()))
    run.wait_until_running()
    run.wait_until_rendered(moments.randint(-1, 1000))
    healthy.restart(*victims)
    run.finish()
    assert_finished(tmp_path / 'out', large[1])


@SEEDS
def test_job_manager_killed(healthy, large, tmp_path, seed):
    """The launcher submits again when it is back; a launcher that gave up goes on by the same command.

    Or the job has finished meanwhile: where all of its tasks are deployed, the TaskManagers need no JobManager.
    """
    run = Run(healthy, large[0], tmp_path / 'out', *FLAGS, *(('--resubmits=0',) if seed else ()))
    run.wait_until_running()
    run.wait_until_rendered(random.Random(seed).randint(0, 800))
    healthy.restart('jobmanager')
    if seed:
        _, stderr = run.process.communicate()
        assert run.process.returncode == 0 or 'The same command goes on from there' in stderr
        healthy.wait_for(lambda: healthy.slots() == 2)
        Run(healthy, large[0], tmp_path / 'out', *FLAGS).finish()
    else:
        _, stderr = run.finish()
        assert 'submitting it again (1 of 3)' in stderr or 'error' not in stderr
    assert_finished(tmp_path / 'out', large[1])


def test_job_manager_gone_for_good(healthy, large, tmp_path):
    run = Run(healthy, large[0], tmp_path / 'out', *FLAGS, '--stall_seconds=15')
    run.wait_until_running()
    healthy.kill('jobmanager')
    _, stderr = run.finish(1)
    assert f'the JobManager at http://{healthy.master} does not answer' in stderr.splitlines()[-1]


def test_a_worker_that_hangs_is_given_up(healthy, large, tmp_path):
    run = Run(healthy, large[0], tmp_path / 'out', *FLAGS, '--stall_seconds=25')
    run.wait_until_rendered()
    healthy.kill('pool2', signal.SIGSTOP)
    told = next((line for line in run.process.stderr if 'no sign of life for 25 s' in line), 'it ended')
    host = healthy.master.rpartition('.')[0] + '.3'
    assert f'Tasks wait at {host}: restart the worker pool there' in told
    healthy.restart('pool2', 'taskmanager2', after=0)
    run.finish()
    assert_finished(tmp_path / 'out', large[1])


@pytest.mark.soak
def test_a_task_manager_that_nobody_replaces(healthy, large, tmp_path):
    run = Run(healthy, large[0], tmp_path / 'out', *FLAGS, '--stall_seconds=40')
    run.wait_until_rendered()
    healthy.kill('taskmanager2')
    _, stderr = run.finish()
    assert 'the cluster has 1 slots left: going on with --parallelism=1' in stderr
    assert_finished(tmp_path / 'out', large[1])


@MODES
def test_client_killed(healthy, large, tmp_path, mode):
    run = Run(healthy, large[0], tmp_path / 'out', *FLAGS, *mode)
    run.wait_until_running()
    time.sleep(2)
    run.process.kill()
    run.process.communicate()
    second = Run(healthy, large[0], tmp_path / 'out', *FLAGS)
    _, stderr = second.finish(2)
    assert re.fullmatch(r'error: --output .* is in use by the Flink job olmocr-\w+-1 \(running\).*\n', stderr)
    healthy.wait_for(lambda: set(run.jobs().values()) == {'FINISHED'}, 180)
    assert_finished(tmp_path / 'out', large[1])
    assert 'complete already' in Run(healthy, large[0], tmp_path / 'out', *FLAGS).finish()[0]


def test_ctrl_c_cancels_the_job(healthy, large, tmp_path):
    run = Run(healthy, large[0], tmp_path / 'out', *FLAGS)
    run.wait_until_running()
    run.wait_until_rendered()
    os.killpg(run.process.pid, signal.SIGINT)
    _, stderr = run.finish(130)
    assert re.search(r'interrupted: [\d,]+ outcomes are kept in .*; the Flink job (\S+) was cancelled', stderr)
    assert set(run.jobs().values()) == {'CANCELED'}
    assert 'resuming' in Run(healthy, large[0], tmp_path / 'out', *FLAGS).finish()[0]
    assert_finished(tmp_path / 'out', large[1])


def test_sigterm_leaves_the_job_alone(healthy, large, tmp_path):
    run = Run(healthy, large[0], tmp_path / 'out', *FLAGS)
    run.wait_until_running()
    run.process.terminate()
    assert 'goes on and finishes by itself' in run.finish(143)[1]
    healthy.wait_for(lambda: set(run.jobs().values()) == {'FINISHED'}, 180)
    assert_finished(tmp_path / 'out', large[1])


def test_progress_moves_while_the_job_runs(healthy, large, tmp_path):
    run = Run(healthy, large[0], tmp_path / 'out', '--max_size=1024', '--progress=on')
    _, stderr = run.finish()
    counts = [int(found) for found in re.findall(r'(\d+)/1500', stderr.replace(',', ''))]
    assert len({count for count in counts if 0 < count < 1500}) >= 3, counts
    assert counts == sorted(counts)


def told(cluster, source, output, *flags) -> str:
    """The last line of a run that fails, which must not take long."""
    start = time.monotonic()
    run = Run(cluster, source, output, '--max_size=160', '--progress=off', '--stall_seconds=45', *flags)
    _, stderr = run.process.communicate(timeout=200)
    assert run.process.returncode in (1, 2), stderr
    assert time.monotonic() - start < 150
    cluster.wait_for(lambda: not set(run.jobs().values()) - {'CANCELED', 'FAILED'})
    lines = [line for line in stderr.splitlines() if not line.startswith('warning: the job server holds')]
    assert len(lines) == 1, stderr
    return lines[0]


def test_no_pool_listens(healthy, tmp_path, dataset):
    healthy.script('stop', 'pool1')
    healthy.script('stop', 'pool2')
    assert 'no worker pool listens at localhost:50000' in told(healthy, dataset, tmp_path / 'out')


def bare_interpreter(folder, with_beam: bool) -> str:
    """A Python without this package, and with or without Apache Beam."""
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', str(folder)], check=True)
    if with_beam:
        import apache_beam

        site = next(folder.glob('lib/python*/site-packages'))
        # A path in a .pth file is not searched for .pth files in turn: an editable install stays behind.
        (site / 'beam.pth').write_text(os.path.dirname(os.path.dirname(apache_beam.__file__)))
    return str(folder / 'bin' / 'python')


def test_a_worker_without_our_package(healthy, tmp_path, dataset):
    python = bare_interpreter(tmp_path / 'bare', True)
    if subprocess.run([python, '-c', 'import transforms'], cwd='/', capture_output=True, check=False).returncode == 0:
        pytest.skip('this package is not an editable install here')
    for pool in ('pool1', 'pool2'):
        healthy.script('stop', pool)
        healthy.script('start', pool, PYTHON=python)
    assert 'a worker has not this package' in told(healthy, dataset, tmp_path / 'out')
    for pool in ('pool1', 'pool2'):
        healthy.script('stop', pool)


@pytest.fixture
def by_hand():
    """Processes that a test starts beside the cluster's own; all are killed at its end."""
    started: list[subprocess.Popen] = []
    yield started
    for process in started:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        process.wait()


def pool_by_hand(by_hand, cluster, number: int, wrapper: list[str], **environment) -> None:
    """A pool started in another way than the script's, in the place of that one."""
    cluster.script('stop', f'pool{number}')
    folder = os.path.dirname(sys.executable)
    by_hand.append(subprocess.Popen(
        ['ip', 'netns', 'exec', cluster.namespace(number), *wrapper, sys.executable, '-m',
         'apache_beam.runners.worker.worker_pool_main', '--service_port=50000'], cwd='/', start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, 'PATH': f"{folder}:{os.environ['PATH']}", **environment}))
    time.sleep(5)


@pytest.mark.soak
def test_a_worker_without_beam_never_comes(healthy, by_hand, tmp_path, dataset):
    folder = os.path.dirname(bare_interpreter(tmp_path / 'bare', False))
    for number in (1, 2):
        pool_by_hand(by_hand, healthy, number, [], PATH=f"{folder}:{os.environ['PATH']}")
    line = told(healthy, dataset, tmp_path / 'out')
    assert line.startswith('error: no Python worker has taken up work after 45 s')
    assert 'does its interpreter have this package and Apache Beam' in line


@pytest.mark.parametrize('which', ['output', 'input'])
def test_a_folder_that_a_worker_cannot_see(healthy, by_hand, tmp_path, dataset, which):
    hidden = tmp_path / 'hidden'
    hidden.mkdir()
    source, output = (dataset, hidden / 'out') if which == 'output' else (hidden / 'in', tmp_path / 'out')
    if which == 'input':
        shutil.copytree(dataset, source)
    blind = ['unshare', '-m', 'sh', '-c', f'mount -t tmpfs none {hidden} && exec "$@"', '-']
    for number in (1, 2):
        pool_by_hand(by_hand, healthy, number, blind)
    line = told(healthy, source, output)
    assert re.search(rf'the worker on \S+ does not see --{which} {hidden}', line)


def test_two_task_managers_on_one_pool(healthy, by_hand, tmp_path, dataset):
    words = open(f"/proc/{healthy.pid('taskmanager1')}/cmdline").read().split('\0')[:-1]
    words = ['taskmanager.resource-id=extra' if word.startswith('taskmanager.resource-id=') else word for word in words]
    by_hand.append(subprocess.Popen(['ip', 'netns', 'exec', healthy.namespace(1), *words], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL, start_new_session=True))
    healthy.wait_for(lambda: healthy.slots() == 3)
    line = told(healthy, dataset, tmp_path / 'out')
    by_hand[0].kill()
    assert 'would share the worker pool at localhost:50000, and such a job hangs' in line
    healthy.wait_for(lambda: healthy.slots() == 2)


@pytest.mark.soak
def test_a_pool_that_no_task_manager_has_for_itself(healthy, by_hand, tmp_path, dataset):
    folder = os.path.dirname(sys.executable)
    by_hand.append(subprocess.Popen([sys.executable, '-m', 'apache_beam.runners.worker.worker_pool_main',
                                     '--service_port=50123'], cwd='/', start_new_session=True, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL, env={**os.environ, 'PATH': f"{folder}:{os.environ['PATH']}"}))
    time.sleep(5)
    host = healthy.master.partition(':')[0]
    line = told(healthy, dataset, tmp_path / 'out', '--environment_type=EXTERNAL',
                f'--environment_config={host}:50123')
    assert 'two TaskManagers on one pool hang' in line


@pytest.mark.parametrize(('flags', 'words'), [
    (('--flink_version=1.20',), 'runs Flink 1.19: leave the flag out'),
    (('--artifacts_dir=/no/such',), '--artifacts_dir /no/such does not exist'),
    (('--flink_master=127.0.0.1:9',), '127.0.0.1:9 does not answer (connection refused)'),
    (('--environment_type=LOOPBACK',), 'LOOPBACK is for the embedded Flink')])
def test_refused_before_anything_starts(healthy, tmp_path, dataset, flags, words):
    line = told(healthy, dataset, tmp_path / 'out', *flags)
    assert words in line
    assert not (tmp_path / 'out').exists()


def test_a_jar_for_another_flink(healthy, tmp_path, dataset):
    from tests.beam_pipelines.launcher.flink.test_jars import make_jar

    jar = make_jar(tmp_path / 'other.jar', flink='1.20.0')
    line = told(healthy, dataset, tmp_path / 'out', f'--flink_job_server_jar={jar}')
    assert 'is for Flink 1.20, but Flink 1.19 is wanted' in line


def test_a_jar_to_submit_later(healthy, large, tmp_path):
    """As `flink run` and application clusters do: the launcher is long gone when the job runs."""
    import requests

    jar = tmp_path / 'job.jar'
    made = subprocess.run(
        command('olmocr', f'--input={large[0]}', f'--output={tmp_path}/out', *FLAGS, '--runner=FlinkRunner',
                f'--flink_job_server_jar={JAR.path}', f'--output_executable_path={jar}', '--parallelism=2'),
        cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert f'made {jar}' in made.stdout
    before, url = set(healthy.jobs()), f'http://{healthy.master}/jars'
    with open(jar, 'rb') as file:
        name = requests.post(f'{url}/upload', files={'jarfile': ('job.jar', file)}, timeout=60).json()['filename']
    answer = requests.post(f"{url}/{name.rpartition('/')[2]}/run", timeout=120, json={
        'entryClass': 'org.apache.beam.runners.flink.FlinkPipelineRunner'})
    assert answer.status_code == 200, answer.text
    healthy.wait_for(lambda: {state for job, state in healthy.jobs().items() if job not in before} == {'FINISHED'}, 180)
    assert_finished(tmp_path / 'out', large[1])


@pytest.mark.parametrize('decision', ['duplicates', 'kth', 'threshold', pytest.param('ranks', marks=pytest.mark.soak)])
def test_a_decision_with_a_killed_task_manager(healthy, tmp_path, decision):
    """Blocks of keys that a lost worker wrote are neither missing nor counted twice."""
    words = [sys.executable, '-m', 'tests.decide', decision, 'random', '12000000']
    subprocess.run([*words, f'{tmp_path}/direct', f'--work={tmp_path}/one', '--runner=DirectRunner'], cwd=ROOT, check=True, capture_output=True)
    process = subprocess.Popen(
        [*words, f'{tmp_path}/out', f'--work={tmp_path}/two', '--runner=FlinkRunner', f'--flink_master={healthy.master}', '--parallelism=2',
         f'--flink_job_server_jar={JAR.path}', '--environment_type=EXTERNAL', '--environment_config=localhost:50000'],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    blocks = tmp_path / 'two' / 'blocks'
    healthy.wait_for(lambda: blocks.exists() and len(list(blocks.iterdir())) > 5 or process.poll() is not None, 120)
    assert process.poll() is None, process.communicate()
    healthy.restart('taskmanager1')
    printed = process.communicate(timeout=400)[0]
    assert process.returncode == 0, printed
    assert (tmp_path / 'out').read_bytes() == (tmp_path / 'direct').read_bytes()


def test_text_with_a_killed_task_manager(healthy, tmp_path):
    """Documents that a lost worker cleaned are neither missing nor there twice."""
    (tmp_path / 'in').mkdir()
    with open(tmp_path / 'in' / 'train.jsonl', 'w', encoding='utf-8') as file:
        for i in range(120_000):
            file.write(f'{{"id": {i}, "text": "<p>{f"lorem ipsum {i % 80_001} dolor sit amet " * 12}</p>"}}\n')
    flags = ('--shard_size=1MB', '--progress=off')
    subprocess.run(command('text_clean', f'--input={tmp_path}/in', f'--output={tmp_path}/direct', *flags), cwd=ROOT, check=True, capture_output=True)
    run = Run(healthy, tmp_path / 'in', tmp_path / 'out', *flags, '--stall_seconds=60', pipeline='text_clean')
    run.wait_until_running()
    kept = tmp_path / 'out' / '.work' / 'kept'
    healthy.wait_for(lambda: kept.exists() and len(list(kept.glob('documents-*.arrow'))) > 5 or run.process.poll() is not None, 120)
    healthy.restart('taskmanager1')
    run.finish()
    assert_finished(tmp_path / 'out', tmp_path / 'direct')
