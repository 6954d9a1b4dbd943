from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.testing.test_pipeline import TestPipeline

from beam_pipelines.samples.dataset import Page, write_split, write_tarball
from beam_pipelines.samples.pages import text_page
from tests.helpers import ROOT

SHARED = Path(__file__).resolve().parents[2] / 'shared' / 'data'


@pytest.fixture
def pipeline():
    """A pipeline on the engine that DirectRunner means here."""
    with TestPipeline('FnApiRunner') as made:
        yield made


@pytest.fixture(scope='session')
def page_pdf() -> bytes:
    return text_page('<h1>Hello</h1><p>Some words on a page.</p>')


def make_dataset(root: Path, page_pdf: bytes, pages: int = 12) -> Path:
    """A small train and eval split with one defect of most kinds."""
    train = [Page(f'ab/{i:03d}', page_pdf, f'text {i}', 'en' if i % 2 else 'fr', chunk=i % 2) for i in range(pages)]
    train[2] = Page('ab/002', page_pdf, '  ', 'fr')
    train[3] = Page('ab/003', None, 'lost', 'en', chunk=1)
    train[4] = Page('ab/004', b'<html>', 'a web page', 'fr')
    train[5] = Page('ab/005', page_pdf, 'stop</s>', 'en', chunk=1)
    write_split(root, '00_documents', 'train', train, extra_members={'no/row.pdf': page_pdf})
    write_split(root, '01_books', 'eval', [Page('book-1', page_pdf, 'eval text', None)], text_flags=True)
    return root


def make_0225(root: Path, page_pdf: bytes, pages: int = 6) -> Path:
    """The older layout: labels as JSON in `response`, rows that do not name their tarball."""
    (root / 'pdf_tarballs').mkdir(parents=True)
    label = {'natural_text': 'old text', 'primary_language': 'en', 'is_rotation_valid': True, 'rotation_correction': 0,
             'is_table': False, 'is_diagram': False}
    rows = [{'url': None, 'page_number': 1, 'id': f'hash-{i}', 'response': json.dumps(label)} for i in range(pages)]
    pq.write_table(pa.Table.from_pylist(rows), root / 'train-s2pdf.parquet')
    for part in range(2):
        write_tarball(root / 'pdf_tarballs' / f'part_{part}.tar.gz',
                      {f'hash-{i}.pdf': page_pdf for i in range(pages) if i % 2 == part})
    return root


@pytest.fixture(scope='session')
def dataset(tmp_path_factory, page_pdf) -> Path:
    return make_dataset(tmp_path_factory.mktemp('mix'), page_pdf)


def shared(name: str) -> Path:
    """A folder of the data at hand, or the test is skipped."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f'the data set {name} is not beside this checkout')
    return path


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hub over loopback that this process and its children talk to, without a token."""
    from huggingface_hub import constants

    from tests.hub_server import serving
    from transforms.hub.settings import HubSettings, configure

    with serving() as server:
        monkeypatch.setenv('HF_ENDPOINT', server.url)
        monkeypatch.setenv('HF_HOME', str(tmp_path / 'hf-home'))
        monkeypatch.setenv('HF_HUB_DOWNLOAD_TIMEOUT', '1')
        monkeypatch.setenv('HF_HUB_DISABLE_XET', '1')  # the server speaks LFS
        monkeypatch.setattr(constants, 'HF_HUB_DISABLE_XET', True)
        monkeypatch.delenv('HF_TOKEN', raising=False)
        monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path / 'hf-home' / 'hub'))
        monkeypatch.setattr(constants, 'HF_TOKEN_PATH', str(tmp_path / 'hf-home' / 'token'))
        monkeypatch.setattr(constants, 'ENDPOINT', server.url)
        configure(HubSettings(patience_seconds=6))
        yield server
        configure(HubSettings())


@pytest.fixture
def project_copy(tmp_path):
    """The project's packages and its rules, for the test to break or to add to."""
    shutil.copy(ROOT / 'pyproject.toml', tmp_path)
    for package in ('beam_pipelines', 'options', 'transforms'):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns('__pycache__', 'olmocr_*'))
    return tmp_path
