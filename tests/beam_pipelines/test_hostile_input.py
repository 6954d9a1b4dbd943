"""Input that once broke a run, or made it lose or move something. Each costs one record, or is refused."""

import gzip
import json
import os
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_pipelines import olmocr, render_pdf
from beam_pipelines.samples.dataset import Page, write_split, write_tarball
from tests.helpers import assert_balanced, load, records

TAR = 'pdf_tarballs/00_documents_train_00000.tar.gz'


def run(dataset, output, *flags):
    return olmocr.run([f'--input={dataset}', f'--output={output}', '--max_size=120', '--progress=off', *flags])


def write_rows(root, **columns) -> None:
    (root / 'pdf_tarballs').mkdir(parents=True, exist_ok=True)
    count = len(next(iter(columns.values())))
    base = {'id': [f'r{i}' for i in range(count)], 'natural_text': ['text'] * count}
    pq.write_table(pa.table({**base, **columns}), root / '00_documents_train.parquet')


@pytest.mark.parametrize('preset', ['none', 'original'])
def test_member_names_never_leave_the_output(tmp_path, page_pdf, preset):
    write_rows(tmp_path / 'd', pdf_relpath=[f'{TAR}:../../evil.pdf', f'{TAR}:/evil.pdf', f'{TAR}:ok.pdf'])
    write_tarball(tmp_path / 'd' / TAR, {'../../evil.pdf': page_pdf, '/evil.pdf': page_pdf, 'ok.pdf': page_pdf})
    result = run(tmp_path / 'd', tmp_path / 'a' / 'b' / 'out', f'--preset={preset}', '--max_failure_rate=1')
    assert_balanced(result.accounts)
    assert result.accounts['totals']['written'] >= 1
    assert not [p for p in tmp_path.rglob('*.png') if not p.is_relative_to(tmp_path / 'a' / 'b' / 'out')]


def test_archives_outside_the_input_are_not_opened(tmp_path, page_pdf):
    (tmp_path / 'other' / 'pdf_tarballs').mkdir(parents=True)
    write_tarball(tmp_path / 'other' / TAR, {'a.pdf': page_pdf})
    write_rows(tmp_path / 'd', pdf_relpath=[f'../other/{TAR}:a.pdf'])
    assert run(tmp_path / 'd', tmp_path / 'out').accounts['totals']['dropped'] == {'tarball_missing': 1}


def test_overwrite_never_deletes_the_input(tmp_path, dataset, capsys):
    assert run(dataset, tmp_path / 'e', '--stage=extract').exit_code == 0
    assert run(tmp_path / 'e', tmp_path / 'e', '--stage=convert', '--overwrite').exit_code == 2
    assert 'would delete the input' in capsys.readouterr().err
    assert run(dataset, tmp_path / 'e', '--stage=extract', '--overwrite', '--retry_failed').exit_code == 2
    assert len(load(tmp_path / 'e' / 'annotations.json')) > 0


def test_a_header_that_claims_an_exabyte_does_not_hang(tmp_path):
    info = tarfile.TarInfo('r0.pdf')
    info.size = 2 ** 60
    write_rows(tmp_path / 'd', pdf_relpath=[f'{TAR}:r0.pdf', f'{TAR}:r1.pdf'])
    (tmp_path / 'd' / TAR).write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + b'\0' * 512))
    result = run(tmp_path / 'd', tmp_path / 'out', '--max_failure_rate=1')
    assert sum(result.accounts['totals']['failed'].values()) == 2
    assert result.accounts['failed_units'] == {'DamagedArchive': 1}


def test_a_folder_in_place_of_a_tarball(tmp_path):
    write_rows(tmp_path / 'd', pdf_relpath=[f'{TAR}:r0.pdf'])
    (tmp_path / 'd' / TAR).mkdir()
    assert run(tmp_path / 'd', tmp_path / 'out').accounts['totals']['dropped'] == {'tarball_missing': 1}


def test_the_older_schema_pairs_by_whole_path(tmp_path, page_pdf):
    (tmp_path / 'd' / 'pdf_tarballs').mkdir(parents=True)
    response = json.dumps({'natural_text': 't'})
    pq.write_table(pa.table({'id': ['x/001', 'y/001'], 'response': [response] * 2}), tmp_path / 'd' / 'train-s2pdf.parquet')
    write_tarball(tmp_path / 'd' / 'pdf_tarballs' / 'c.tar.gz', {'x/001.pdf': page_pdf, 'y/001.pdf': b'not',
                                                                 'caf\udce9.pdf': b'x'})
    (tmp_path / 'd' / 'pdf_tarballs' / 'broken.tar.gz').write_bytes(b'\x1f\x8bxx')
    result = run(tmp_path / 'd', tmp_path / 'out')
    assert {r['id'][-5:]: r['reason'] for r in records(tmp_path / 'out').values()} == {'x/001': '', 'y/001': 'NotAPdf'}
    assert result.accounts['failed_units'] == {'DamagedArchive': 1}


def test_extracting_an_empty_document_is_a_failure(tmp_path, page_pdf):
    write_split(tmp_path / 'd', '00_documents', 'train', [Page('a', b'', 't'), Page('b', page_pdf, 't')])
    result = run(tmp_path / 'd', tmp_path / 'out', '--stage=extract')
    assert result.accounts['totals']['failed'] == {'NotAPdf': 1}
    assert [a['id'] for a in load(tmp_path / 'out' / 'annotations.json')] == ['00_documents_train/b']


def test_the_split_survives_two_steps(tmp_path, page_pdf):
    for config, split in (('00_documents', 'train'), ('01_books', 'eval'), ('02_my_evals', 'train')):
        write_split(tmp_path / 'd', config, split, [Page('p', page_pdf, 't')])
    assert run(tmp_path / 'd', tmp_path / 'x', '--stage=extract').exit_code == 0
    assert run(tmp_path / 'x', tmp_path / 'y', '--stage=convert').exit_code == 0
    assert [len(load(tmp_path / 'y' / name)) for name in ('chat.json', 'chat_eval.json')] == [2, 1]


@pytest.mark.parametrize(('text', 'code'), [('{"a": 1}', 2), ('"x"', 2), ('[{', 2), ('', 2)])
def test_annotations_that_are_no_list(tmp_path, text, code, capsys):
    (tmp_path / 'annotations.json').write_text(text)
    assert run(tmp_path, tmp_path / 'out', '--stage=convert').exit_code == code
    assert 'cannot be read as a JSON list' in capsys.readouterr().err


def test_items_of_annotations_that_are_no_records(tmp_path, page_pdf):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images' / 'a.pdf').write_bytes(page_pdf)
    good = {'id': 'a', 'image': 'images/a.pdf', 'text': 't'}
    odd = {'id': 'b', 'image': 'images//a.pdf', 'text': 't'}
    (tmp_path / 'annotations.json').write_text(json.dumps([good, 7, 's', None, odd]))
    result = run(tmp_path, tmp_path / 'out', '--stage=convert', '--max_failure_rate=1')
    assert result.accounts['totals'] == {'read': 5, 'written': 2, 'dropped': {}, 'failed': {'BadRow': 3}}


def test_values_that_python_cannot_hold_cost_one_row(tmp_path, page_pdf):
    write_rows(tmp_path / 'd', pdf_relpath=[f'{TAR}:r{i}.pdf' for i in range(2)],
               primary_language=pa.array([2 ** 62, 0], pa.int64()).cast(pa.timestamp('us')))
    write_tarball(tmp_path / 'd' / TAR, {f'r{i}.pdf': page_pdf for i in range(2)})
    assert run(tmp_path / 'd', tmp_path / 'out').accounts['totals'] == {
        'read': 2, 'written': 1, 'dropped': {}, 'failed': {'BadRow': 1}}


def test_dictionary_columns(tmp_path, page_pdf):
    write_rows(tmp_path / 'd', pdf_relpath=pa.array([f'{TAR}:r{i}.pdf' for i in range(3)]).dictionary_encode(),
               natural_text=pa.array(['same', 'same', 'x']).dictionary_encode())
    write_tarball(tmp_path / 'd' / TAR, {f'r{i}.pdf': page_pdf for i in range(3)})
    assert run(tmp_path / 'd', tmp_path / 'out').accounts['totals']['written'] == 3


def test_a_failed_retry_can_be_resumed(tmp_path, page_pdf):
    write_split(tmp_path / 'd', 'x', 'train', [Page('a', page_pdf, 't'), Page('b', b'no', 't')])
    assert run(tmp_path / 'd', tmp_path / 'out').exit_code == 0
    for _ in range(2):
        assert run(tmp_path / 'd', tmp_path / 'out', '--retry_failed', '--max_failures=0').exit_code == 1
    assert run(tmp_path / 'd', tmp_path / 'out', '--retry_failed').exit_code == 0


def render(source, output, *flags):
    return render_pdf.run([f'--input={source}', f'--output={output}', '--max_size=120', '--progress=off', *flags])


def test_names_that_look_alike_stay_apart(tmp_path, page_pdf):
    (tmp_path / 'd').mkdir()
    for name in (os.fsdecode(b'x\xff.pdf'), 'x\\xff.pdf', 'y.pdf'):
        (tmp_path / 'd' / name).write_bytes(page_pdf)
    assert render(tmp_path / 'd', tmp_path / 'out').accounts['totals']['written'] == 3
    assert len(records(tmp_path / 'out')) == 3


def test_an_output_inside_the_glob_is_not_read(tmp_path, page_pdf):
    (tmp_path / 'g').mkdir()
    (tmp_path / 'g' / 'a.pdf').write_bytes(page_pdf)
    for _ in range(2):
        assert render(f'{tmp_path}/g/**', tmp_path / 'g' / 'out').exit_code == 0


def test_a_limit_counts_records_also_with_pages(tmp_path, page_pdf):
    import pymupdf

    (tmp_path / 'd').mkdir()
    for name in ('a', 'b'):
        (tmp_path / 'd' / f'{name}.pdf').write_bytes(page_pdf)
    many = pymupdf.open()
    for _ in range(3):
        many.new_page()
    (tmp_path / 'd' / 'c.pdf').write_bytes(many.tobytes())
    assert render(tmp_path / 'd', tmp_path / 'out', '--pages=2-', '--limit=1').accounts['totals']['read'] == 1


@pytest.mark.parametrize('flags', [('--input={d}/[z-a].pdf',), ('--input={d}', '--seed=99999999999999999999999'),
                                   ('--input={d}', '--page_cpu_seconds=0'), ('--input={d}', '--page_cpu_seconds=nan')])
def test_values_that_make_no_sense_are_refused(tmp_path, flags, capsys):
    result = render_pdf.run([flag.format(d=tmp_path) for flag in flags] + [f'--output={tmp_path}/out'])
    assert result.exit_code == 2
    assert capsys.readouterr().err.startswith('error: ')
