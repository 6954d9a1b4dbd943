"""Runs a job as it was sent to Dataflow, on Beam's portable job service or on Prism: `python execute.py JOB.json ENGINE WORK`.

The proto comes from the staging location, with all that the Dataflow runner has made of it. Workers are started from the staged
files alone: a Python that has Beam but not our package, into which they are installed. The only change is the environment, from
a container to a pool of such workers.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from contextlib import ExitStack
from pathlib import Path

import grpc
from apache_beam.io.filesystems import FileSystems
from apache_beam.portability import common_urns
from apache_beam.portability.api import (
    beam_job_api_pb2,
    beam_job_api_pb2_grpc,
    beam_runner_api_pb2,
    endpoints_pb2,
)
from google.protobuf.struct_pb2 import Struct


def free_port() -> int:
    with socket.socket() as one:
        one.bind(('localhost', 0))
        return one.getsockname()[1]


def read(url: str) -> bytes:
    with FileSystems.open(url, compression_type='uncompressed') as file:
        return file.read()


def staged_python(artifacts: list, work: Path) -> Path:
    """The folder with a `python` that has this one's packages but for our own, and what was staged."""
    venv, staged = work / 'worker', work / 'staged'
    if venv.exists():
        return venv / 'bin'
    staged.mkdir(parents=True)
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', venv], check=True)
    home = next((venv / 'lib').iterdir()) / 'site-packages'
    # Folders that a .pth file names have their own .pth files ignored, so that an editable install of ours is not seen.
    (home / 'beam.pth').write_text(sysconfig.get_path('purelib') + '\n')
    for artifact in artifacts:
        name = beam_runner_api_pb2.ArtifactStagingToRolePayload.FromString(artifact.role_payload).staged_name
        assert artifact.type_urn == common_urns.artifact_types.URL.urn, artifact.type_urn
        url = beam_runner_api_pb2.ArtifactUrlPayload.FromString(artifact.type_payload).url
        (staged / name).write_bytes(read(url))
        if name.endswith(('.tar.gz', '.whl')):
            subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', '--no-deps', '--target', home, staged / name], check=True)
    elsewhere = subprocess.run([venv / 'bin' / 'python', '-c', 'import transforms; print(transforms.__file__)'], cwd='/', check=True,
                               capture_output=True, text=True).stdout
    assert elsewhere.startswith(str(venv)), elsewhere
    return venv / 'bin'


def start(stack: ExitStack, command: list, port: int, log: Path, **more: object) -> None:
    """A process that listens on a port, ended with the block."""
    with open(log, 'ab') as file:
        process = subprocess.Popen([str(part) for part in command], stdout=file, stderr=file, **more)
    stack.callback(process.wait)
    stack.callback(process.kill)
    for _ in range(300):
        with socket.socket() as one:
            if one.connect_ex(('localhost', port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f'{command} does not listen: {log.read_text()[-500:]}')


def main(job_file: str, engine: str, place: str) -> int:
    os.environ.pop('PYTHONPATH', None)  # workers have what is staged, and nothing of this checkout
    job, work = json.loads(Path(job_file).read_text()), Path(place)
    options = job['environment']['sdkPipelineOptions']['options']
    proto = beam_runner_api_pb2.Pipeline.FromString(read(options['pipelineUrl']))
    pool, port = free_port(), free_port()
    for environment in proto.components.environments.values():
        if environment.urn == common_urns.environments.DOCKER.urn:
            python = staged_python(environment.dependencies, work)
            environment.urn = common_urns.environments.EXTERNAL.urn
            environment.payload = beam_runner_api_pb2.ExternalPayload(
                endpoint=endpoints_pb2.ApiServiceDescriptor(url=f'localhost:{pool}')).SerializeToString()
            del environment.dependencies[:]
    home = work / 'home'
    home.mkdir(exist_ok=True)
    clean = {**os.environ, 'PATH': f'{python}:{os.environ["PATH"]}', 'HOME': str(home)}
    with ExitStack() as stack:
        start(stack, [python / 'python', '-m', 'apache_beam.runners.worker.worker_pool_main', f'--service_port={pool}'], pool,
              work / 'pool.log', env=clean, cwd=home)
        command = [sys.executable, '-m', 'apache_beam.runners.portability.local_job_service_main', f'--job_port={port}'] \
            if engine == 'python' else [engine, f'--job_port={port}', '--serve_http=false']
        start(stack, command, port, work / 'engine.log', cwd=home)
        try:
            return submit(port, job['name'], proto, options)
        finally:
            shutil.rmtree(home, ignore_errors=True)


def submit(port: int, name: str, proto: beam_runner_api_pb2.Pipeline, options: dict) -> int:
    """Runs the proto on the job service; 0 when it ended well."""
    stub = beam_job_api_pb2_grpc.JobServiceStub(grpc.insecure_channel(f'localhost:{port}'))
    sent = Struct()
    sent.update({f'beam:option:{key}:v1': value for key, value in options.items() if key not in ('runner', 'pipelineUrl', 'pipelineProtoHash')})
    prepared = stub.Prepare(beam_job_api_pb2.PrepareJobRequest(job_name=name, pipeline=proto, pipeline_options=sent))
    job_id = stub.Run(beam_job_api_pb2.RunJobRequest(preparation_id=prepared.preparation_id)).job_id
    state = 0
    for answer in stub.GetMessageStream(beam_job_api_pb2.JobMessagesRequest(job_id=job_id)):
        if answer.HasField('message_response') and answer.message_response.importance >= 4:
            sys.stdout.write(answer.message_response.message_text + '\n')
        state = answer.state_response.state or state
        if state in (beam_job_api_pb2.JobState.DONE, beam_job_api_pb2.JobState.FAILED, beam_job_api_pb2.JobState.CANCELLED):
            break
    sys.stdout.write(beam_job_api_pb2.JobState.Enum.Name(state) + '\n')
    return 0 if state == beam_job_api_pb2.JobState.DONE else 1


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
