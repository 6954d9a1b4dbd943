"""s3:// with the real client against a server on loopback."""

import os

import pytest

from beam_pipelines.samples import sample_folder
from tests.helpers import run_process

BUCKET = 'my-bucket'


@pytest.fixture(scope='module')
def s3():
    """(environment, boto3 client) of a server with one bucket."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer('127.0.0.1', 0)
    server.start()
    environment = {'AWS_ACCESS_KEY_ID': 'x', 'AWS_SECRET_ACCESS_KEY': 'y', 'AWS_DEFAULT_REGION': 'us-east-1',
                   'AWS_ENDPOINT_URL': f'http://127.0.0.1:{server._server.server_port}'}
    os.environ.update(environment)
    client = boto3.client('s3')
    client.create_bucket(Bucket=BUCKET)
    try:
        yield environment, client
    finally:
        server.stop()
        for name in environment:
            del os.environ[name]


def test_input_and_output(s3, tmp_path):
    environment, client = s3
    source = sample_folder('text_clean')
    for path in source.rglob('*'):
        if path.is_file():
            client.upload_file(str(path), BUCKET, f'in/{path.relative_to(source)}')
    done = run_process('text_clean', f'--input=s3://{BUCKET}/in', f'--output=s3://{BUCKET}/out', env=environment)
    assert done.returncode == 0, done.stderr
    assert run_process('text_clean', f'--output={tmp_path}/out').returncode == 0
    names = {item['Key'][4:]: item['Key'] for item in client.list_objects_v2(Bucket=BUCKET, Prefix='out/')['Contents']}
    here = {str(path.relative_to(tmp_path / 'out')): path for path in (tmp_path / 'out').rglob('*') if path.is_file()}
    assert names.keys() == here.keys()
    for name in [name for name in names if name.startswith('data/')]:  # the accounts hold the address of the input
        assert client.get_object(Bucket=BUCKET, Key=names[name])['Body'].read() == here[name].read_bytes(), name
    again = run_process('text_clean', f'--input=s3://{BUCKET}/in', f'--output=s3://{BUCKET}/out', env=environment)
    assert 'is complete already' in again.stdout


def test_a_file_whose_writer_fails_does_not_appear(s3):
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    from transforms.files import storage

    FileSystems.set_options(PipelineOptions([]))
    place = f's3://{BUCKET}/cut'
    for size in (10, 20_000_000):
        with pytest.raises(RuntimeError), storage.atomic_writer(place) as file:
            file.write(b'x' * size)
            raise RuntimeError
        assert not storage.exists(place)
    with storage.atomic_writer(place):
        pass
    assert storage.read_bytes(place) == b''
    with storage.atomic_writer(place) as file:
        file.write(b'y' * 20_000_000)
    assert len(storage.read_bytes(place)) == 20_000_000


def test_what_is_wrong_is_told_in_a_line(s3, tmp_path):
    environment, _ = s3
    for wrong, line in ((environment, 'there is no bucket s3://nobody: check its name'),
                        ({**environment, 'AWS_ENDPOINT_URL': 'http://127.0.0.1:1'}, 's3://nobody cannot be reached (could not connect)'),
                        ({**environment, 'AWS_ACCESS_KEY_ID': '', 'AWS_SECRET_ACCESS_KEY': '', 'HOME': str(tmp_path), 'AWS_EC2_METADATA_DISABLED': 'true'}, 'there are no AWS credentials')):
        done = run_process('text_clean', '--input=s3://nobody/in', f'--output={tmp_path}/out', env=wrong)
        assert done.returncode == 2 and line in done.stderr, done.stderr
        assert done.stderr.count('\n') == 1
