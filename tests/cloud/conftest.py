"""Google Cloud over loopback: an emulator of Cloud Storage, an issuer of tokens, and a Dataflow that runs what it is sent."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cloud.server import Dataflow, serving
from tests.helpers import ROOT

BUCKET = 'my-bucket'
PRISM = ROOT / 'build' / 'prism' / 'prism'
needs_prism = pytest.mark.skipif(not PRISM.exists(), reason='no Prism: make prism')


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leaves these tests out of an environment without the extra gcp; `make test-cloud` has one with it."""
    try:
        import gcp_storage_emulator  # noqa: F401
        import google.cloud.dataflow  # noqa: F401
    except ImportError:
        return True
    return None


@dataclass
class Store:
    """A bucket on an emulator; processes find it by `environment`."""

    environment: dict[str, str]

    @property
    def bucket(self) -> object:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        os.environ['STORAGE_EMULATOR_HOST'] = self.environment['STORAGE_EMULATOR_HOST']
        return storage.Client('my-project', AnonymousCredentials()).bucket(BUCKET)

    def put(self, folder: Path, name: str) -> str:
        """Copies a folder into the bucket; returns its address."""
        for path in sorted(folder.rglob('*')):
            if path.is_file():
                self.bucket.blob(f'{name}/{path.relative_to(folder)}').upload_from_filename(str(path))
        return f'gs://{BUCKET}/{name}'

    def names(self, address: str) -> set[str]:
        """Names of the objects below an address."""
        prefix = address.removeprefix(f'gs://{BUCKET}/') + '/'
        return {blob.name[len(prefix):] for blob in self.bucket.client.list_blobs(BUCKET, prefix=prefix)}

    def read(self, address: str) -> bytes:
        return self.bucket.blob(address.removeprefix(f'gs://{BUCKET}/')).download_as_bytes()

    def run_json(self, address: str) -> dict:
        return json.loads(self.read(f'{address}/run.json'))

    def hashes(self, address: str) -> dict[str, str]:
        """What must be equal between equal runs: hashes by name."""
        return {name: hashlib.sha256(self.read(f'{address}/{name}')).hexdigest() for name in self.names(address)
                if name not in ('run.json', 'report.html')}


@pytest.fixture(scope='session')
def store(tmp_path_factory) -> Iterator[Store]:
    """An emulator of Cloud Storage, and a service account whose tokens are issued on loopback."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from gcp_storage_emulator.server import create_server

    emulator = create_server('localhost', 0, in_memory=True, default_bucket=BUCKET)
    emulator.start()
    tokens = ThreadingHTTPServer(('localhost', 0), _Tokens)
    threading.Thread(target=tokens.serve_forever, daemon=True).start()
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    account = tmp_path_factory.mktemp('account') / 'key.json'
    account.write_text(json.dumps({
        'type': 'service_account', 'project_id': 'my-project', 'private_key_id': 'k', 'private_key': key, 'client_id': '1',
        'client_email': 'tests@my-project.iam.gserviceaccount.com', 'token_uri': f'http://localhost:{tokens.server_address[1]}/token'}))
    port = emulator._api._httpd.server_address[1]
    try:
        yield Store({'STORAGE_EMULATOR_HOST': f'http://localhost:{port}', 'GOOGLE_APPLICATION_CREDENTIALS': str(account)})
    finally:
        emulator.stop()
        tokens.shutdown()


class _Tokens(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get('Content-Length') or 0))
        text = json.dumps({'access_token': 'x', 'expires_in': 3600, 'token_type': 'Bearer'}).encode()
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def dataflow() -> Iterator[Dataflow]:
    """A Dataflow that takes jobs and leaves them pending."""
    with serving(Dataflow()) as server:
        yield server


@cache
def package() -> Path:
    """An sdist of this project, built in a copy: two builds in one folder meet in its egg-info."""
    folder = Path(tempfile.mkdtemp())
    copy = folder / 'project'
    copy.mkdir()
    for name in ('setup.py', 'pyproject.toml', 'README.md', 'LICENSE'):
        shutil.copy(ROOT / name, copy)
    for name in ('beam_pipelines', 'transforms', 'options'):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns('__pycache__'))
    subprocess.run([sys.executable, 'setup.py', '-q', 'sdist'], cwd=copy, check=True)
    (made,) = (copy / 'dist').iterdir()
    return made


def flags_of(dataflow: Dataflow) -> list[str]:
    """A command line that Dataflow takes, but for input and output."""
    return ['--runner=DataflowRunner', '--project=my-project', '--region=europe-west4', f'--temp_location=gs://{BUCKET}/tmp',
            f'--extra_package={package()}', f'--dataflow_endpoint={dataflow.url}', '--no_auth', '--progress=off']


def runs_jobs(dataflow: Dataflow, engine: str, work: Path, store: Store) -> None:
    """Makes a Dataflow run each job that it is sent: on Beam's own job service ('python') or on Prism (its path)."""
    def execute(job: dict) -> None:
        job['currentState'] = 'JOB_STATE_RUNNING'
        home = work / job['name']
        home.mkdir(parents=True)
        (home / 'job.json').write_text(json.dumps(job))
        done = subprocess.run([sys.executable, ROOT / 'tests' / 'cloud' / 'execute.py', home / 'job.json', engine, home], cwd=home,
                              env={**os.environ, **store.environment}, capture_output=True, text=True, check=False)
        for line in (done.stdout + done.stderr).splitlines():
            dataflow.say(job['id'], 'JOB_MESSAGE_ERROR' if done.returncode else 'JOB_MESSAGE_BASIC', line)
        if job['currentState'] == 'JOB_STATE_RUNNING':
            job['currentState'] = 'JOB_STATE_FAILED' if done.returncode else 'JOB_STATE_DONE'

    dataflow.on_create = execute
