import json
import os

import pymupdf
import pytest

from beam_pipelines import render_pdf
from tests.helpers import assert_balanced, assert_same_output, records
from transforms.pdf.discover import split_glob


def many_pages(count: int) -> bytes:
    document = pymupdf.open()
    for i in range(count):
        document.new_page(width=200, height=300).insert_text((20, 50), f'page {i}')
    return document.tobytes()


@pytest.fixture(scope='module')
def folder(tmp_path_factory, page_pdf):
    root = tmp_path_factory.mktemp('pdfs')
    (root / 'deep' / 'er').mkdir(parents=True)
    (root / 'one.pdf').write_bytes(page_pdf)
    (root / 'deep' / 'Five Pages.PDF').write_bytes(many_pages(5))
    (root / 'deep' / 'er' / 'bad.pdf').write_bytes(b'not a pdf')
    (root / os.fsdecode(b'na\xff.pdf')).write_bytes(page_pdf)
    (root / 'note.txt').write_text('x')
    return root


def run(source, output, *flags):
    return render_pdf.run([f'--input={source}', f'--output={output}', '--max_size=100', '--progress=off', *flags])


def test_a_folder_with_all_its_pages(folder, tmp_path):
    result = run(folder, tmp_path / 'out')
    assert_balanced(result.accounts)
    assert result.accounts['totals'] == {'read': 8, 'written': 7, 'dropped': {}, 'failed': {'NotAPdf': 1}}
    assert [(f, p) for f, p in sorted(records(tmp_path / 'out'))] == [
        *(('deep/Five Pages.PDF', p) for p in range(5)), ('deep/er/bad.pdf', 0), ('na\\xff.pdf', 0), ('one.pdf', 0)]
    assert len(result.accounts['sources']) == 1
    assert len(list((tmp_path / 'out').rglob('*.png'))) == 7


@pytest.mark.parametrize(('flags', 'totals'), [
    (('--pages=2-3',), {'read': 2, 'written': 2, 'dropped': {}, 'failed': {}}),
    (('--max_pages=2',), {'read': 5, 'written': 2, 'dropped': {'over_page_limit': 3}, 'failed': {}}),
    (('--limit=3',), {'read': 3, 'written': 3, 'dropped': {}, 'failed': {}}),
    (('--pages=9',), {'read': 0, 'written': 0, 'dropped': {}, 'failed': {}})])
def test_which_pages(folder, tmp_path, flags, totals):
    assert run(folder / 'deep' / 'Five Pages.PDF', tmp_path / 'out', *flags).accounts['totals'] == totals


def test_same_bytes_from_two_processes_and_repeated_bundles(folder, tmp_path):
    assert run(folder, tmp_path / 'a', '--num_workers=1').exit_code == 0
    assert run(folder, tmp_path / 'b', '--num_workers=2', '--direct_runner_bundle_repeat=1').exit_code == 0
    assert_same_output(tmp_path / 'a', tmp_path / 'b')


@pytest.mark.parametrize(('pattern', 'parts'), [
    ('a/**/*.pdf', ('a', '**/*.pdf')), ('/x/y/*.pdf', ('/x/y', '*.pdf')), ('*.pdf', ('.', '*.pdf')),
    ('a/b[1]/c.pdf', ('a', 'b[1]/c.pdf'))])
def test_globs_are_split_at_the_first_wildcard(pattern, parts):
    assert split_glob(pattern) == parts


def test_globs_also_match_no_folder(folder, tmp_path):
    result = run(f'{folder}/**/*.pdf', tmp_path / 'out')
    assert {f for f, _ in records(tmp_path / 'out')} == {'deep/Five Pages.PDF', 'deep/er/bad.pdf', 'na\\xff.pdf', 'one.pdf'}
    assert result.exit_code == 0


@pytest.mark.parametrize(('source', 'word'), [('', '--input is needed'), ('/no/such/folder', 'no folder'),
                                              ('{folder}/*.xyz', 'matches no file')])
def test_nothing_to_read(folder, tmp_path, source, word, capsys):
    assert run(source.format(folder=folder), tmp_path / 'out').exit_code == 2
    assert word in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_everything_failed_is_a_failed_run(folder, tmp_path, capsys):
    result = run(folder / 'deep' / 'er', tmp_path / 'out')
    assert result.exit_code == 1
    assert not (tmp_path / 'out' / '_SUCCESS').exists()
    assert json.loads((tmp_path / 'out' / 'run.json').read_text())['state'] == 'failed'
