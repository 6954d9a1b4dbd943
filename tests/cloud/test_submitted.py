"""What is submitted is run: the staged graph on two engines, with workers made from the staged files, gives the DirectRunner's bytes."""

import os
import shutil
import signal
import subprocess
import time

import pytest

from beam_pipelines.samples import sample_folder
from tests.cloud.conftest import BUCKET, PRISM, flags_of, needs_prism, package, runs_jobs
from tests.helpers import ROOT, command, run_process

PIPELINES = ('olmocr', 'convert', 'text_clean')
ENGINES = ['python', pytest.param(str(PRISM), marks=needs_prism)]


@pytest.fixture(scope='module')
def direct(store):
    """Hashes and accounts of the DirectRunner's outputs, by pipeline."""
    made = {}
    for name in PIPELINES:
        source, output = store.put(sample_folder(name), f'samples/{name}'), f'gs://{BUCKET}/direct/{name}'
        done = run_process(name, f'--input={source}', f'--output={output}', env=store.environment)
        assert done.returncode == 0, done.stderr
        made[name] = store.hashes(output), store.run_json(output)['sources']
    return made


@pytest.mark.parametrize('engine', ENGINES, ids=['python', 'prism'])
@pytest.mark.parametrize('name', PIPELINES)
def test_the_same_bytes(store, dataflow, direct, tmp_path, name, engine):
    runs_jobs(dataflow, engine, tmp_path, store)
    output = f"gs://{BUCKET}/{'python' if engine == 'python' else 'prism'}/{name}"
    done = run_process(name, *flags_of(dataflow), f'--input=gs://{BUCKET}/samples/{name}', f'--output={output}', env=store.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert store.hashes(output) == direct[name][0]
    assert store.run_json(output)['sources'] == direct[name][1]
    assert 'submitted the Dataflow job' in done.stdout and 'the job is running' in done.stdout


def test_the_package_by_its_setup_file(store, dataflow, direct, tmp_path):
    runs_jobs(dataflow, 'python', tmp_path, store)
    flags = [flag for flag in flags_of(dataflow) if not flag.startswith('--extra_package')]
    project = package().parents[1]  # a copy, in which no other test builds
    shutil.rmtree(project / 'beam_training_data.egg-info')
    done = run_process('convert', *flags, f'--setup_file={project}/setup.py', f'--input=gs://{BUCKET}/samples/convert', f'--output=gs://{BUCKET}/by-setup',
                       env=store.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert store.hashes(f'gs://{BUCKET}/by-setup') == direct['convert'][0]


def test_a_package_that_cannot_be_built(store, dataflow, direct, tmp_path):
    (tmp_path / 'setup.py').write_text('raise SystemExit(3)')
    flags = [flag for flag in flags_of(dataflow) if not flag.startswith('--extra_package')]
    done = run_process('convert', *flags, f'--setup_file={tmp_path}/setup.py', f'--input=gs://{BUCKET}/samples/convert', f'--output=gs://{BUCKET}/unbuilt',
                       env=store.environment)
    assert done.returncode == 1
    assert f'the package of --setup_file={tmp_path}/setup.py could not be built' in done.stderr


def test_a_killed_launcher_whose_job_finishes_the_output(store, dataflow, direct, tmp_path):
    runs_jobs(dataflow, 'python', tmp_path, store)
    output = f'gs://{BUCKET}/killed'
    flags = (*flags_of(dataflow), f'--input=gs://{BUCKET}/samples/olmocr', f'--output={output}')
    launcher = subprocess.Popen(command('olmocr', *flags), cwd=ROOT, env={**os.environ, **store.environment}, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, start_new_session=True)
    end = time.monotonic() + 60
    while not any('/messages' in path for path in dataflow.asked):
        assert time.monotonic() < end and launcher.poll() is None, launcher.communicate()
        time.sleep(0.1)
    os.killpg(launcher.pid, signal.SIGKILL)
    launcher.communicate()
    found = run_process('olmocr', *flags, env=store.environment)
    assert found.returncode == 0, found.stdout + found.stderr
    assert 'of this output is' in found.stdout or 'is complete already' in found.stdout
    assert len(dataflow.jobs) == 1
    assert store.hashes(output) == direct['olmocr'][0]
