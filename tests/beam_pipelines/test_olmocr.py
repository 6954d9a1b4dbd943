import io
import json
import os
import shutil
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from beam_pipelines import olmocr
from beam_pipelines.samples.dataset import Page, write_split, write_tarball
from beam_pipelines.samples.make_olmocr import make as make_sample
from beam_pipelines.samples.pages import text_page
from tests.conftest import make_0225
from tests.helpers import assert_balanced, assert_same_output, load, records

SMALL = ('--max_size=160', '--progress=off')


def run(dataset, output, *flags):
    result = olmocr.run([f'--input={dataset}', f'--output={output}', *SMALL, *flags])
    return result


@pytest.fixture(scope='module')
def finished(dataset, tmp_path_factory):
    output = tmp_path_factory.mktemp('finished') / 'out'
    assert run(dataset, output).exit_code == 0
    return output


def test_every_planted_defect_has_its_own_reason(finished):
    found = {key[1]: (r['outcome'], r['reason']) for key, r in records(finished).items() if 'train' in key[0]}
    assert {k: v for k, v in found.items() if v[0] != 'written'} == {
        2: ('dropped', 'blank_text'), 3: ('failed', 'PdfMissing'), 4: ('failed', 'NotAPdf'),
        5: ('dropped', 'special_token')}
    account = load(finished / 'run.json')
    assert_balanced(account)
    assert account['totals'] == {'read': 13, 'written': 9, 'dropped': {'blank_text': 1, 'special_token': 1},
                                 'failed': {'NotAPdf': 1, 'PdfMissing': 1}}
    assert account['warnings'] == {'orphan_member': 1}


def test_the_layout_is_the_documented_one(finished):
    assert sorted(os.listdir(finished)) == [
        'README.md', '_SUCCESS', 'chat.json', 'chat_eval.json', 'conversion_errors.log', 'errors.jsonl', 'images', 'manifest.json',
        'metadata.jsonl', 'metadata_eval.jsonl', 'records', 'report.html', 'run.json']
    chat = load(finished / 'chat.json')
    assert [c['id'] for c in chat] == [f'00_documents_train/ab/{i:03d}' for i in (0, 1, *range(6, 12))]
    assert chat[0]['conversations'] == [{'from': 'human', 'value': '<image>\nFree OCR.'},
                                        {'from': 'gpt', 'value': 'text 0'}]
    assert [c['id'] for c in load(finished / 'chat_eval.json')] == ['01_books_eval/book-1']
    with Image.open(finished / chat[0]['image']) as image:
        assert max(image.size) == 160
    assert (finished / '_SUCCESS').read_bytes() == b''


def test_errors_are_listed_in_order_without_times(finished):
    lines = [json.loads(line) for line in (finished / 'errors.jsonl').read_text().splitlines()]
    assert [(e['row'], e['error'], e['stage']) for e in lines] == [(3, 'PdfMissing', 'read'), (4, 'NotAPdf', 'render')]
    assert len((finished / 'conversion_errors.log').read_text().splitlines()) == 2


def test_the_manifest_lists_every_file(finished):
    import hashlib

    entries = {e['path']: e for e in load(finished / 'manifest.json')}
    files = {str(p.relative_to(finished)) for p in finished.rglob('*') if p.is_file()}
    assert set(entries) == files - {'manifest.json', 'run.json', 'report.html', '_SUCCESS'}
    for path, entry in entries.items():
        data = (finished / path).read_bytes()
        assert (entry['bytes'], entry['sha256']) == (len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize('flags', [
    ('--num_workers=2',), ('--direct_running_mode=multi_processing', '--direct_num_workers=2'),
    ('--direct_runner_bundle_repeat=2',)], ids=['two', 'processes', 'repeat'])
def test_same_bytes_however_it_runs(dataset, finished, tmp_path, flags):
    assert run(dataset, tmp_path / 'out', *flags).exit_code == 0
    assert_same_output(finished, tmp_path / 'out')


def test_same_bytes_whatever_the_listing_order(dataset, finished, tmp_path, monkeypatch):
    monkeypatch.setattr(os, 'walk', lambda folder, walk=os.walk, **how: [
        (base, folders[::-1], names[::-1]) for base, folders, names in list(walk(folder, **how))[::-1]])
    assert run(dataset, tmp_path / 'out').exit_code == 0
    assert_same_output(finished, tmp_path / 'out')


def test_two_steps_give_the_same_as_one(dataset, finished, tmp_path):
    assert run(dataset, tmp_path / 'step1', '--stage=extract').exit_code == 0
    annotation = load(tmp_path / 'step1' / 'annotations.json')[1]
    assert set(annotation) == {'id', 'image', 'text', 'language', 'rotation', 'is_table', 'is_diagram', 'source'}
    assert annotation['source'] == {'file': '00_documents_train.parquet', 'row': 1}
    assert run(tmp_path / 'step1', tmp_path / 'step2', '--stage=convert').exit_code == 0
    for name in ('chat.json', 'chat_eval.json'):
        assert (tmp_path / 'step2' / name).read_bytes() == (finished / name).read_bytes()
    for path in (finished / 'images').rglob('*.png'):
        assert path.read_bytes() == (tmp_path / 'step2' / path.relative_to(finished)).read_bytes()


def test_a_finished_folder_is_left_alone(dataset, finished, capsys):
    before = {p: p.stat().st_mtime_ns for p in finished.rglob('*')}
    assert run(dataset, finished).exit_code == 0
    assert 'complete already' in capsys.readouterr().out
    assert {p: p.stat().st_mtime_ns for p in finished.rglob('*')} == before


def test_a_folder_with_other_options_is_refused_and_can_be_overwritten(dataset, finished, tmp_path, capsys):
    shutil.copytree(finished, tmp_path / 'out')
    assert run(dataset, tmp_path / 'out', '--special_tokens=keep').exit_code == 2
    assert "--special_tokens was 'drop', now 'keep'" in capsys.readouterr().err
    result = run(dataset, tmp_path / 'out', '--special_tokens=keep', '--overwrite')
    assert (result.exit_code, result.accounts['totals']['written']) == (0, 10)


def test_a_changed_input_counts_as_other_options(tmp_path, page_pdf, capsys):
    write_split(tmp_path / 'd', 'x', 'train', [Page('a', page_pdf, 't')])
    assert run(tmp_path / 'd', tmp_path / 'out').exit_code == 0
    write_split(tmp_path / 'd', 'x', 'train', [Page('a', page_pdf, 't'), Page('b', page_pdf, 't')])
    assert run(tmp_path / 'd', tmp_path / 'out').exit_code == 2
    assert 'input changed' in capsys.readouterr().err


def test_retry_failed_does_only_the_failed_again(tmp_path, page_pdf, monkeypatch):
    write_split(tmp_path / 'd', 'x', 'train', [Page('a', page_pdf, 't'), Page('b', text_page(''), 'has text')])
    assert run(tmp_path / 'd', tmp_path / 'out').exit_code == 0
    images = {p: p.stat().st_mtime_ns for p in (tmp_path / 'out').rglob('*.png')}
    result = run(tmp_path / 'd', tmp_path / 'out', '--retry_failed')
    assert result.accounts['totals'] == {'read': 2, 'written': 1, 'dropped': {}, 'failed': {'BlankRender': 1}}
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / 'out').rglob('*.png')} == images


@pytest.mark.parametrize(('flags', 'code', 'words'), [
    (('--max_failures=1',), 1, '--max_failures allows 1'), (('--max_failure_rate=0.1',), 1, '--max_failure_rate'),
    (('--max_failures=2',), 0, '')])
def test_failure_limits(dataset, tmp_path, flags, code, words, capsys):
    assert run(dataset, tmp_path / 'out', *flags).exit_code == code
    assert words in capsys.readouterr().err
    assert (tmp_path / 'out' / '_SUCCESS').exists() is (code == 0)


def test_filters_and_limit(dataset, tmp_path):
    result = run(dataset, tmp_path / 'out', '--limit=5', '--language=en,none', '--split=train')
    assert result.accounts['totals'] == {'read': 5, 'written': 1, 'dropped': {'language': 3}, 'failed': {'PdfMissing': 1}}
    assert not (tmp_path / 'out' / 'chat_eval.json').exists()


def test_a_missing_and_a_damaged_tarball(tmp_path, page_pdf):
    import random

    noise = random.Random(0)
    # Noise after %%EOF keeps gzip from making the pages tiny.
    pages = [Page(f'p{i}', page_pdf + noise.randbytes(40_000), 't', chunk=i // 6) for i in range(12)]
    write_split(tmp_path / 'd', 'x', 'train', pages)
    tarballs = sorted((tmp_path / 'd' / 'pdf_tarballs').iterdir())
    tarballs[0].unlink()
    tarballs[1].write_bytes(tarballs[1].read_bytes()[:200_000])
    result = run(tmp_path / 'd', tmp_path / 'out', '--max_failure_rate=1')
    assert result.exit_code == 1 and '--max_failed_units=1' in result.message and tarballs[1].name in result.message
    assert not (tmp_path / 'out' / '_SUCCESS').exists()
    images = {p: p.stat().st_mtime_ns for p in (tmp_path / 'out' / 'images').rglob('*.png')}
    # The same command with the limit goes on where the first stopped, and finishes.
    result = run(tmp_path / 'd', tmp_path / 'out', '--max_failure_rate=1', '--max_failed_units=1')
    assert result.exit_code == 0 and (tmp_path / 'out' / '_SUCCESS').exists()
    assert {p: p.stat().st_mtime_ns for p in images} == images
    totals = result.accounts['totals']
    assert totals['dropped'] == {'tarball_missing': 6}
    assert totals['written'] + totals['failed']['PdfMissing'] == 6
    assert totals['written'] > 0
    assert result.accounts['failed_units'] == {'DamagedArchive': 1}
    assert result.accounts['warnings'] == {'tarball_missing': 1}
    lines = [json.loads(line) for line in (tmp_path / 'out' / 'errors.jsonl').read_text().splitlines()]
    assert [(e['error'], e['count']) for e in lines] == [('DamagedArchive', totals['failed']['PdfMissing'])]


def test_the_older_schema(tmp_path, page_pdf):
    root = tmp_path / 'd'
    (root / 'pdf_tarballs').mkdir(parents=True)
    response = json.dumps({'natural_text': 'old text', 'primary_language': 'en', 'is_rotation_valid': True,
                           'rotation_correction': 0, 'is_table': False, 'is_diagram': False})
    pq.write_table(pa.table({'url': ['u'] * 3, 'page_number': [1] * 3, 'id': ['aaaa-1', 'bbbb-2', 'cccc-3'],
                             'response': [response] * 3}), root / 'train-s2pdf.parquet')
    write_tarball(root / 'pdf_tarballs' / 'pdf_chunk_0000.tar.gz', {'aaaa-1.pdf': page_pdf})
    write_tarball(root / 'pdf_tarballs' / 'pdf_chunk_0001.tar.gz', {'bbbb-2.pdf': page_pdf})
    result = run(root, tmp_path / 'out')
    assert result.accounts['totals'] == {'read': 3, 'written': 2, 'dropped': {}, 'failed': {'PdfMissing': 1}}
    assert [c['id'] for c in load(tmp_path / 'out' / 'chat.json')] == [
        '00_documents_train_s2pdf/aaaa-1', '00_documents_train_s2pdf/bbbb-2']


def test_prompts_and_blank_answers(tmp_path, page_pdf):
    pages = [Page(f'p{i}', page_pdf, 'text') for i in range(12)] + [Page('blank', text_page(''), None)]
    write_split(tmp_path / 'd', 'x', 'train', pages)
    result = run(tmp_path / 'd', tmp_path / 'out', '--prompt=Read it.', '--prompt=OCR:', '--blank_pages=keep',
                 '--blank_answer=No text found')
    chat = load(tmp_path / 'out' / 'chat.json')
    assert result.accounts['totals']['written'] == 13
    assert {c['conversations'][0]['value'] for c in chat} == {'<image>\nRead it.', '<image>\nOCR:'}
    assert chat[-1]['conversations'][1]['value'] == 'No text found'


def test_pngs_and_jpegs_among_the_documents(tmp_path):
    def picture(name: str) -> bytes:
        out = io.BytesIO()
        image = Image.new('RGB', (400, 300), 'white')
        image.paste('black', (0, 0, 200, 100))
        image.save(out, name)
        return out.getvalue()

    (tmp_path / 'd' / 'images').mkdir(parents=True)
    (tmp_path / 'd' / 'images' / 'doc_0001.png').write_bytes(picture('PNG'))
    (tmp_path / 'd' / 'images' / 'doc_0002.jpg').write_bytes(picture('JPEG'))
    (tmp_path / 'd' / 'annotations.json').write_text(json.dumps([
        {'id': f'doc_000{i}', 'image': f'images/doc_000{i}.{e}', 'text': 't'} for i, e in ((1, 'png'), (2, 'jpg'))]))
    assert run(tmp_path / 'd', tmp_path / 'out', '--stage=convert').exit_code == 0
    assert [c['image'] for c in load(tmp_path / 'out' / 'chat.json')] == ['images/doc_0001.png', 'images/doc_0002.png']
    with Image.open(tmp_path / 'out' / 'images' / 'doc_0002.png') as image:
        assert image.size == (160, 120)


def test_the_original_preset(tmp_path, page_pdf):
    write_split(tmp_path / 'd', 'x', 'train', [Page('a', page_pdf, ' spaced '), Page('b', page_pdf, '')])
    result = run(tmp_path / 'd', tmp_path / 'out', '--preset=original')
    assert result.exit_code == 0
    for kind in ('pdf', 'png'):
        assert load(tmp_path / 'out' / f'transformed_data_{kind}.json') == [{
            'id': 'pdf_tarballs/a.pdf', 'image': f'a.{kind}', 'conversations': [
                {'from': 'human', 'value': 'Free OCR.\n<image>'}, {'from': 'gpt', 'value': ' spaced '}]}]
    assert [r['natural_text'] for r in load(tmp_path / 'out' / 'combined_train_data.json')] == [' spaced ', '']
    with Image.open(tmp_path / 'out' / 'png_tarballs' / 'a.png') as image:
        assert (image.size, image.mode) == ((1190, 1684), 'RGB')


def test_the_embedded_sample_is_what_its_script_makes(tmp_path):
    make_sample(tmp_path)
    from beam_pipelines.samples.make_olmocr import FOLDER

    for made in tmp_path.glob('*.parquet'):
        assert pq.read_table(made).equals(pq.read_table(FOLDER / made.name))
    for made in tmp_path.glob('pdf_tarballs/*'):
        with tarfile.open(made) as new, tarfile.open(FOLDER / 'pdf_tarballs' / made.name) as old:
            assert new.getnames() == old.getnames()


def test_plan_writes_nothing(dataset, tmp_path, capsys):
    assert run(dataset, tmp_path / 'out', '--plan').exit_code == 0
    assert '13 rows' in capsys.readouterr().out
    assert not (tmp_path / 'out').exists()


def test_mix_0225_finds_its_documents_in_any_tarball(tmp_path, page_pdf):
    source = make_0225(tmp_path / 'in', page_pdf)
    assert run(source, tmp_path / 'out').exit_code == 0
    account = load(tmp_path / 'out' / 'run.json')
    assert (account['totals']['read'], account['totals']['written'], account['warnings']) == (6, 6, {})


@pytest.mark.parametrize(('flags', 'rows'), [
    ((), {'train': 12, 'eval': 5}), (('--language=ja',), {'eval': 1}), (('--language=vi',), {'train': 1}), (('--split=eval',), {'eval': 5}),
    (('--preset=original',), {'train': 15})], ids=str)
def test_datasets_finds_images_and_text(tmp_path, flags, rows):
    import datasets

    assert olmocr.run([f'--output={tmp_path}/out', '--max_size=100', '--progress=off', *flags]).exit_code == 0
    loaded = datasets.load_dataset(str(tmp_path / 'out'), cache_dir=str(tmp_path / 'cache'))
    assert {split: of.num_rows for split, of in loaded.items()} == rows
    for of in loaded.values():
        assert of.column_names == ['image', 'id', 'text'] and all(row['image'].convert('RGB').size[0] and row['text'] for row in of)
