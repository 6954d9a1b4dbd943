"""Hostile PDFs: every file accounted for, within the limits, and the same outcomes whatever the load."""

import json
import os
import subprocess
import sys

import pytest

from beam_pipelines import render_pdf
from tests.conftest import shared
from tests.helpers import assert_balanced, assert_same_output, records
from transforms.pdf.errors import ERROR_ORDER

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1800)]


# Small files of every kind that once came out otherwise under load or after other files; all of them are soak.
SOME = '*/*[05].pdf'


def render(output, engine: str, *flags: str, files: str = '**/*.pdf') -> dict:
    source = shared('pdfs_hostile')
    result = render_pdf.run([f'--input={source}/{files}', f'--output={output}', f'--pdf_engine={engine}',
                             '--max_size=640', '--max_pages=20', '--max_failure_rate=1', *flags])
    assert result.exit_code == 0, result.message
    return result.accounts


@pytest.mark.parametrize('files', [SOME, pytest.param('**/*.pdf', marks=pytest.mark.soak)], ids=['some', 'all'])
def test_outcomes_do_not_depend_on_load(tmp_path, files):
    render(tmp_path / 'calm', 'auto', files=files)
    busy = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        render(tmp_path / 'busy', 'auto', '--num_workers=3', files=files)
    finally:
        for process in busy:
            process.kill()
    assert_same_output(tmp_path / 'calm', tmp_path / 'busy')


@pytest.mark.parametrize('engine', ['auto', *(pytest.param(e, marks=pytest.mark.soak) for e in ('pdfium', 'mupdf'))])
def test_every_file_is_accounted_for(tmp_path, engine):
    run = render(tmp_path / 'out', engine)
    assert_balanced(run)
    assert set(run['totals']['failed']) <= set(ERROR_ORDER)
    assert 'RenderCrash' not in run['totals']['failed']
    found = records(tmp_path / 'out')
    manifest = [json.loads(line) for line in (shared('pdfs_hostile') / 'manifest.jsonl').read_text().splitlines()]
    assert {m['file'] for m in manifest} == {file for file, _ in found}
    engines = {r['engine'] for r in found.values() if r['outcome'] == 'written'}
    assert engines <= ({'pdfium', 'mupdf'} if engine == 'auto' else {engine})
    reasons = {file: r['reason'] for (file, page), r in found.items() if page == 0}
    for name in ('html', 'jpeg', 'png', 'svg'):
        assert reasons[f'synthetic/{name}_as_pdf.pdf'] == 'NotAPdf'
    assert reasons['synthetic/enc_user_aes_256.pdf'] == 'EncryptedPdf'
    if engine == 'pdfium':
        assert reasons['synthetic/form_self_recursion.pdf'] == 'PageOutOfMemory'
        assert reasons['synthetic/paths_3M_lines.pdf'] == 'PageTimeout'
