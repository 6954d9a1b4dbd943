"""Addresses as people paste them, and settings of the environment that are wrong."""

from pathlib import Path

import pytest

from tests.helpers import run_process
from transforms.hub.address import canonical, missing
from transforms.hub.errors import HubDenied
from transforms.hub.path import HubPath
from transforms.hub.repository import pin
from transforms.hub.transport import check_environment

HOME = 'https://huggingface.co/datasets/'


@pytest.mark.parametrize(('address', 'path'), [
    (f'{HOME}allenai/c4', 'hf://datasets/allenai/c4'), (f'{HOME}allenai/c4/', 'hf://datasets/allenai/c4'),
    ('huggingface.co/datasets/allenai/c4', 'hf://datasets/allenai/c4'), ('https://hf.co/datasets/squad', 'hf://datasets/squad'),
    (f'{HOME}squad/tree/main/plain_text', 'hf://datasets/squad/plain_text'),
    (f'{HOME}allenai/c4/tree/main', 'hf://datasets/allenai/c4'), (f'{HOME}allenai/c4/tree/v1/en', 'hf://datasets/allenai/c4@v1/en'),
    (f'{HOME}allenai/c4/tree/refs%2Fconvert%2Fparquet/en/train', 'hf://datasets/allenai/c4@refs%2Fconvert%2Fparquet/en/train'),
    (f'{HOME}allenai/c4/tree/refs/pr/3', 'hf://datasets/allenai/c4@refs%2Fpr%2F3'),
    (f'{HOME}allenai/c4/tree/feature%2Fx', 'hf://datasets/allenai/c4@feature%2Fx'),
    (f'{HOME}a/b/blob/main/data/train-0.parquet', 'hf://datasets/a/b/data/train-0.parquet'),
    (f'{HOME}a/b/resolve/main/a%20b.csv?download=true', 'hf://datasets/a/b/a b.csv'),
    (f'{HOME}a/b/viewer/default/train?p=1#x', 'hf://datasets/a/b'), (f'{HOME}a/b/discussions/3', 'hf://datasets/a/b'),
    (Path('hf://datasets/a/b'), 'hf://datasets/a/b'), (Path('/data/x'), '/data/x'), ('gs://bucket/x', 'gs://bucket/x'),
    ('file:///data/a%20b', '/data/a b'), ('file://localhost/data', '/data'), ('relative/x', 'relative/x')])
def test_understood(address, path):
    assert canonical(address) == path


def test_a_home_folder_and_another_endpoint(monkeypatch):
    monkeypatch.setenv('HOME', '/home/x')
    monkeypatch.setenv('HF_ENDPOINT', 'http://127.0.0.1:1/')
    assert canonical('~/data') == '/home/x/data'
    assert canonical('http://127.0.0.1:1/datasets/a/b/tree/main/d') == 'hf://datasets/a/b/d'


@pytest.mark.parametrize(('address', 'words'), [
    ('https://huggingface.co/allenai/OLMo-7B', 'no page of a dataset'), ('https://example.org/x.parquet', 'is a web page'),
    ('https://huggingface.co/spaces/a/b', 'no page of a dataset'), ('file://elsewhere/data', 'another machine')])
def test_refused_with_what_to_give(address, words):
    with pytest.raises(ValueError, match=words):
        canonical(address)


def test_a_name_that_is_no_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert 'hf://datasets/allenai/c4' in missing('allenai/c4') and 'hf://datasets/allenai/c4@v1' in missing('datasets/allenai/c4@v1')
    Path('allenai').mkdir()
    assert missing('allenai/c4') == 'allenai/c4 does not exist' and missing('/a/b') == '/a/b does not exist'


@pytest.mark.parametrize('pipeline', ['convert', 'olmocr', 'llava_cc3m', 'render_pdf', 'text_clean', 'describe_dataset'])
def test_each_pipeline_names_the_dataset_that_was_meant(pipeline, tmp_path):
    done = run_process(pipeline, '--input=allenai/olmOCR-mix-1025', *([f'--output={tmp_path}/o'] if pipeline != 'describe_dataset' else []))
    assert (done.returncode, done.stderr.count('\n')) == (2, 1) and 'hf://datasets/allenai/olmOCR-mix-1025' in done.stderr


@pytest.mark.parametrize(('pipeline', 'name'), [('olmocr', '00_documents_train.parquet'), ('olmocr', 'pdf_tarballs/x.tar.gz'), ('llava_cc3m', 'chat.json')])
def test_one_file_of_a_dataset_folder(pipeline, name, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b'PAR1')
    done = run_process(pipeline, f'--input={path}', f'--output={tmp_path}/o')
    assert (done.returncode, done.stderr.count('\n')) == (2, 1) and f'--input {tmp_path}\n' in done.stderr


@pytest.mark.parametrize(('name', 'value'), [
    ('HF_ENDPOINT', 'hub.example'), ('HF_ENDPOINT', '127.0.0.1:80'), ('HF_TOKEN', 'hf_caf\u00e9'), ('HF_TOKEN', 'hf_a b'),
    ('HF_HUB_DOWNLOAD_TIMEOUT', 'abc'), ('HF_HUB_DOWNLOAD_TIMEOUT', '2.5'), ('HF_HUB_ETAG_TIMEOUT', '-1'),
    ('HF_HUB_OFFLINE', 'maybe'), ('SSL_CERT_FILE', '/no/such'), ('HTTPS_PROXY', 'http://'), ('HTTPS_PROXY', 'http://h:port'),
    ('ALL_PROXY', 'socks4://h:1'), ('HF_ENDPOINT', 'http://h:abc'), ('HF_ENDPOINT', 'http://h:99999'), ('HF_ENDPOINT', 'http://[::1'), ('HF_ENDPOINT', 'http://h:1 '),
    ('HF_HOME', '/dev/null'), ('HF_TOKEN_PATH', '/tmp')])
def test_a_wrong_variable_is_named(name, value, monkeypatch):
    monkeypatch.setenv(name, value)
    with pytest.raises(HubDenied, match=name):
        pin(HubPath('a/b'))
    if name == 'HF_TOKEN':
        with pytest.raises(HubDenied) as fault:
            check_environment()
        assert value not in str(fault.value)


def test_a_wrong_variable_is_one_line_of_a_run(tmp_path):
    for pipeline in ('convert', 'describe_dataset'):
        done = run_process(pipeline, '--input=hf://datasets/a/b', *([f'--output={tmp_path}/o'] if pipeline == 'convert' else []),
                           env={'HF_HUB_DOWNLOAD_TIMEOUT': 'abc'})
        assert (done.returncode, done.stderr.count('\n')) == (2, 1) and 'HF_HUB_DOWNLOAD_TIMEOUT=abc' in done.stderr


def test_a_revision_with_a_slash_gets_its_hint(hub, tmp_path):
    (tmp_path / 'a.jsonl').write_text('{"a": 1}\n')
    hub.add('me/set', tmp_path)
    done = run_process('describe_dataset', '--input=hf://datasets/me/set@feature/x')
    assert done.returncode == 2 and '@feature%2Fx' in done.stderr
