"""Every wrong use of Dataflow has its line and code 2, before anything is written or sent."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from beam_pipelines import olmocr
from tests.cloud.conftest import BUCKET, flags_of
from tests.helpers import ROOT, run_process

IMAGE = ('--sdk_container_image=example/image:1',)
CLOUD = ('--project=my-project', '--region=europe-west4', f'--temp_location=gs://{BUCKET}/tmp')
PLACES = ('--input=gs://my-bucket/in', '--output=gs://my-bucket/out')


@pytest.mark.parametrize(('flags', 'line'), [
    ((), 'needs --project=PROJECT, --region=REGION, --temp_location=gs://BUCKET/tmp, --output=gs://BUCKET/FOLDER, --sdk_container_image=IMAGE'),
    ((*CLOUD[1:], *PLACES, *IMAGE), 'needs --project=PROJECT'),
    ((CLOUD[0], CLOUD[2], *PLACES, *IMAGE), 'needs --region=REGION'),
    ((*CLOUD[:2], *PLACES, *IMAGE), 'needs --temp_location=gs://BUCKET/tmp'),
    ((*CLOUD, PLACES[0], *IMAGE), 'needs --output=gs://BUCKET/FOLDER'),
    ((*CLOUD, *PLACES), 'or --setup_file=./setup.py'),
    ((*CLOUD, *PLACES, *IMAGE, '--resource_hints=max_active_bundles_per_worker=4'), 'cuts every stage in this Beam version'),
    (('--project=My Project', *CLOUD[1:], *PLACES, *IMAGE), '--project=My Project is no id of a project'),
    (('--project=1234567', *CLOUD[1:], *PLACES, *IMAGE), 'not its number'),
    (('--project=my-project', '--region=europe-west4-a', CLOUD[2], *PLACES, *IMAGE), 'a zone goes into --worker_zone'),
    ((*CLOUD[:2], '--temp_location=/tmp/x', *PLACES, *IMAGE), '--temp_location=/tmp/x: Dataflow stages its files in Cloud Storage'),
    ((*CLOUD[:2], '--temp_location=gs://my-bucket', *PLACES, *IMAGE), '--temp_location=gs://my-bucket: Dataflow stages its files'),
    ((*CLOUD, '--staging_location=s3://b/x', *PLACES, *IMAGE), '--staging_location=s3://b/x: Dataflow stages'),
    ((*CLOUD, '--job_name=My_Job', *PLACES, *IMAGE), '--job_name=My_Job must be lower-case'),
    ((*CLOUD, *PLACES, '--setup_file=/nowhere/setup.py'), '--setup_file=/nowhere/setup.py does not exist'),
    ((*CLOUD, *PLACES, f'--setup_file={ROOT}/Makefile'), 'must be named setup.py'),
    ((*CLOUD, *PLACES, '--extra_package=/nowhere/x.whl'), '--extra_package=/nowhere/x.whl does not exist'),
    ((*CLOUD, '--input=/tmp', PLACES[1], *IMAGE), '--input /tmp lies on this machine, where no Dataflow worker sees it'),
    ((*CLOUD, PLACES[0], '--output=out', *IMAGE), '--output out lies on this machine'),
    ((*CLOUD, PLACES[0], '--output=hf://datasets/a/b', *IMAGE), 'before it is published'),
    ((*CLOUD, *PLACES, *IMAGE, '--dataflow_endpoint=127.0.0.1:1'), 'Invalid url (127.0.0.1:1)'),
    ((*CLOUD, *PLACES, *IMAGE, '--machine_typ=x'), 'did you mean --machine_type?'),
])
def test_a_mistake_on_the_command_line(flags, line, capsys):
    assert olmocr.run(['--runner=DataflowRunner', *flags]).exit_code == 2
    said = capsys.readouterr().err
    assert line in said
    assert said.count('\n') == 1


def _refused(store, *flags, **environment):
    done = run_process('olmocr', '--runner=DataflowRunner', *CLOUD, *IMAGE, *flags, env={**store.environment, **environment})
    assert done.returncode == 2, done.stderr
    assert done.stderr.count('\n') == 1, done.stderr
    assert done.stdout == ''
    return done.stderr


def test_the_embedded_sample(store, dataflow):
    line = _refused(store, f'--dataflow_endpoint={dataflow.url}', PLACES[1])
    assert 'the embedded sample lies on this machine' in line and 'gcloud storage cp -r' in line
    assert dataflow.jobs == {}


def test_a_bucket_that_does_not_exist(store, dataflow):
    assert 'there is no bucket gs://my-bucket-2' in _refused(store, f'--dataflow_endpoint={dataflow.url}', PLACES[0], '--output=gs://my-bucket-2/x')


def test_no_credentials(store, tmp_path):
    line = _refused(store, *PLACES, GOOGLE_APPLICATION_CREDENTIALS='', STORAGE_EMULATOR_HOST='', HOME=str(tmp_path), NO_GCE_CHECK='true')
    assert 'there are no Google credentials: run `gcloud auth application-default login`' in line


def test_a_key_that_is_not_there(store):
    line = _refused(store, *PLACES, GOOGLE_APPLICATION_CREDENTIALS='/nowhere/key.json', STORAGE_EMULATOR_HOST='')
    assert 'GOOGLE_APPLICATION_CREDENTIALS=/nowhere/key.json gives no credentials' in line


def test_a_store_that_nobody_serves(store, dataflow):
    line = _refused(store, f'--dataflow_endpoint={dataflow.url}', *PLACES, STORAGE_EMULATOR_HOST='http://localhost:1')
    assert 'gs://my-bucket cannot be reached (connection refused)' in line


def test_an_unreachable_store_is_told_of_on_any_runner(store):
    done = run_process('olmocr', *PLACES, env={**store.environment, 'STORAGE_EMULATOR_HOST': 'http://localhost:1'})
    assert (done.returncode, done.stdout) == (2, '')
    assert 'gs://my-bucket cannot be reached (connection refused)' in done.stderr


def test_an_api_that_nobody_serves(store):
    assert 'the Dataflow API cannot be reached' in _refused(store, *PLACES, '--dataflow_endpoint=http://localhost:1', '--no_auth')


def test_no_right_to_the_project(store, dataflow):
    dataflow.forbidden = 'Dataflow API has not been used in project my-project before or it is disabled.'
    line = _refused(store, *PLACES, f'--dataflow_endpoint={dataflow.url}')
    assert 'Dataflow refuses --project=my-project in --region=europe-west4: Dataflow API has not been used' in line


def test_a_dry_run_needs_no_api(store, dataset):
    source = store.put(dataset, 'dry')
    done = run_process('olmocr', '--runner=DataflowRunner', *CLOUD, *IMAGE, f'--input={source}', f'--output=gs://{BUCKET}/dry-out', '--dry_run',
                       '--worker_ram=8GB', '--dataflow_endpoint=http://localhost:1', '--no_auth', env=store.environment)
    assert done.returncode == 0, done.stderr
    assert 'not checked: the Dataflow API' in done.stderr
    assert 'fused stages' in done.stdout and 'min_ram 8 GB' in done.stdout and 'environment:  example/image:1' in done.stdout
    assert done.stdout.rstrip().endswith('nothing was submitted')
    assert store.names(f'gs://{BUCKET}/dry-out') == set()


def test_a_template_is_made_instead_of_a_job(store, dataflow, dataset):
    source = store.put(dataset, 'template-in')
    done = run_process('olmocr', *flags_of(dataflow), f'--input={source}', f'--output=gs://{BUCKET}/template-out',
                       f'--template_location=gs://{BUCKET}/templates/olmocr', env=store.environment)
    assert done.returncode == 0, done.stderr
    assert f'made gs://{BUCKET}/templates/olmocr' in done.stdout
    assert dataflow.jobs == {}
    assert b'"pipelineUrl"' in store.read(f'gs://{BUCKET}/templates/olmocr')


@pytest.mark.parametrize('key', ['[1]', '{', '"x"', '{"type": "service_account"}', None])
def test_a_key_that_is_none(store, dataflow, tmp_path, key):
    path = tmp_path / 'key.json'
    path.mkdir() if key is None else path.write_text(key)
    line = _refused(store, f'--dataflow_endpoint={dataflow.url}', *PLACES, GOOGLE_APPLICATION_CREDENTIALS=str(path), STORAGE_EMULATOR_HOST='')
    assert f'GOOGLE_APPLICATION_CREDENTIALS={path} gives no credentials: ' in line
    assert "('" not in line


@pytest.mark.parametrize(('status', 'body', 'words'), [
    (400, b'{"error": "invalid_grant", "error_description": "Invalid JWT Signature."}', 'the Google credentials are not accepted (invalid_grant'),
    (200, b'<html>log in</html>', 'is a proxy in between?'), (200, b'{}', 'No access token')])
def test_tokens_that_are_refused_or_none(store, dataflow, tmp_path, status, body, words):
    class Tokens(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get('Content-Length') or 0))
            self.send_response(status)
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(('localhost', 0), Tokens)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    account = json.loads(Path(store.environment['GOOGLE_APPLICATION_CREDENTIALS']).read_text())
    (tmp_path / 'key.json').write_text(json.dumps({**account, 'token_uri': f'http://localhost:{server.server_address[1]}/'}))
    line = _refused(store, f'--dataflow_endpoint={dataflow.url}', *PLACES, GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / 'key.json'))
    server.shutdown()
    assert words in line and "('" not in line


def test_a_mixture_in_a_store_names_datasets_relative_to_itself(store, dataflow):
    for name in ('english', 'other'):
        store.bucket.blob(f'relative/sets/{name}/train.jsonl').upload_from_string('{"text": "a document of some words"}\n' * 3)
    store.bucket.blob('relative/config/mix.yaml').upload_from_string(
        'datasets:\n  - {name: ../sets/english, weight: 1}\n  - {name: ./../sets/./other, weight: 1}\n')
    done = run_process('text_mix', '--stage=1', '--target-samples=2', f'--config=gs://{BUCKET}/relative/config/mix.yaml', f'--output=gs://{BUCKET}/relative/out',
                       '--progress=off', env=store.environment)
    assert done.returncode == 0, done.stderr
