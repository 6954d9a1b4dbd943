"""Every example for Python in the README, run as it is printed, and what the documents say of columns."""

import os
import re
import shutil
import subprocess
import sys

import pymupdf
import pytest

from beam_pipelines import olmocr
from beam_pipelines.launcher.catalog import find_pipelines
from beam_pipelines.samples import sample_folder
from tests.helpers import ROOT, run_process
from tests.test_docs import blocks
from transforms.llava_cc3m.copy_images import CC3M_TABLE
from transforms.olmocr.outcomes import OLMOCR_TABLE
from transforms.pdf.outcomes import TEXT_PAGE_TABLE

EXAMPLES = [code for _, code in blocks((ROOT / 'README.md').read_text(encoding='utf-8'), 'python')]


@pytest.fixture(scope='module')
def desk(tmp_path_factory):
    """A folder with what the README's examples read."""
    desk = tmp_path_factory.mktemp('desk')
    shutil.copytree(sample_folder('olmocr'), desk / 'data' / 'olmOCR-mix-1025')
    assert olmocr.run([f'--output={desk}/data/olmOCR-llava', '--max_size=160', '--progress=off']).exit_code == 0
    (desk / 'data' / 'corpus').mkdir()
    (desk / 'data' / 'corpus' / 'train.jsonl').write_text('{"text": "one"}\n{"text": "four"}\n')
    (desk / 'papers').mkdir()
    document = pymupdf.open()
    for text in ('first', 'second'):
        document.new_page().insert_text((72, 72), text)
    (desk / 'papers' / 'a.pdf').write_bytes(document.tobytes())
    (desk / 'papers' / 'b.pdf').write_bytes(b'no PDF')
    return desk


def test_there_are_examples_for_each_way():
    names = ('image.open', 'load_dataset', 'read_json', 'olmocr.run', 'ReadHF', 'PdfPages')
    assert all(sum(name.lower() in code.lower() for code in EXAMPLES) == 1 for name in names) and len(EXAMPLES) == len(names)


@pytest.mark.parametrize('code', EXAMPLES, ids=lambda code: re.findall(r'\w+', code.split('\n\n', 1)[1])[0])
def test_it_runs_as_printed(desk, code):
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'HF_DATASETS_CACHE': str(desk / 'cache')}
    done = subprocess.run([sys.executable, '-c', code + _SHOWN], cwd=desk, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    printed = done.stdout
    if 'PdfPages' in code:
        lines = sorted(printed.split('\n'))
        assert len(lines) == 4 and 'papers/b.pdf 0 NotAPdf' in lines
        assert len([line for line in lines if re.fullmatch(r'papers/a\.pdf [01] images/\w\w/papers-a\.pdf-\w{12}-p0000[12]\.png', line)]) == 2
        assert len(list((desk / 'out' / 'images').rglob('*.png'))) == 2
    elif 'ReadHF' in code:
        assert sorted(printed.split()) == ['3', '4']
    elif 'olmocr.run' in code:
        assert "0 {'read': 25, 'written': 17" in printed
    elif 'load_dataset' in code:
        assert "RGB ['image', 'id', 'text'] 12" in printed
    elif 'chat.json' in code:
        assert 'RGB <image>' in printed
    else:
        assert "['file_name', 'id', 'text'] 12" in printed


# What an example has made, printed behind it.
_SHOWN = '''
if 'sample' in globals(): print(image.mode, question.split(chr(10))[0], bool(answer))
elif 'pages' in globals(): print(image.mode, pages.column_names, len(pages), bool(text))
elif 'lines' in globals(): print(list(lines.columns), len(lines))
'''


@pytest.mark.parametrize('table', [OLMOCR_TABLE, CC3M_TABLE, TEXT_PAGE_TABLE])
def test_every_column_of_records_is_documented(table):
    text = (ROOT / 'docs' / 'accounting.md').read_text(encoding='utf-8')
    assert [name for name, _ in table.columns if f'`{name}`' not in text] == []


def test_the_console_command_and_versions():
    done = run_process('olmocr', '--version')
    assert done.returncode == 0 and 'apache-beam' in done.stdout
    for words, code, shown in ((['olmocr', '--help'], 0, '--max_size'), (['olmoc'], 2, 'did you mean olmocr?'), ([], 0, 'render_pdf'),
                               (['render-pdf', '--input=/no/such'], 2, 'does not exist')):
        done = subprocess.run([sys.executable, '-m', 'beam_pipelines', *words], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == code and shown in done.stdout + done.stderr
    assert 'beam_pipelines.__main__:main' in (ROOT / 'setup.py').read_text()


@pytest.mark.parametrize('spec', find_pipelines(), ids=lambda spec: spec.name)
def test_numbers_that_are_none(spec):
    done = run_process(spec.name, '--limit=many')
    assert done.returncode == 2 and "'many' is no whole number" in done.stderr
