"""Labels, PDFs, tarballs and zips after public bug reports, each named after its kind."""

import json
import math

import numpy as np
import pytest
from PIL import Image

from beam_pipelines import llava_cc3m, olmocr, render_pdf
from tests.conftest import shared
from tests.helpers import assert_balanced, load, records
from transforms.files.font_set import font_files

HAS_CJK = any(word in path.lower() for path in font_files() for word in ('cjk', 'fallback', 'ipa', 'wqy', 'gothic', 'mincho'))
PIPELINES = {'cc3m': llava_cc3m, 'olm': olmocr, 'cc': llava_cc3m}


def run(tmp_path, case: str, *flags: str):
    """(exit code, run.json, records) of a case."""
    kind = case.partition('_')[0]
    source = shared('reading_cases' if kind == 'cc' else 'page_cases') / case
    module = render_pdf if case.endswith(('.pdf', '.png')) else PIPELINES[kind]
    size = () if module is llava_cc3m else ('--max_size=640',)
    result = module.run([f'--input={source}', f'--output={tmp_path}/out', *size, *flags])
    assert_balanced(result.accounts)
    return result.exit_code, load(tmp_path / 'out' / 'run.json'), records(tmp_path / 'out')


def image(tmp_path, record: dict) -> np.ndarray:
    return np.asarray(Image.open(tmp_path / 'out' / record['output']).convert('L'))


@pytest.mark.parametrize(('case', 'written'), [
    ('cc3m_backslash_zip', 2), ('cc3m_infozip_utf8', 2), ('cc3m_macosx_zip', 2), ('cc3m_nested_zip', 1), ('cc3m_nfd_zip', 2),
    ('cc3m_motion_photo', 2), ('cc3m_partial_unzip', 3), ('cc3m_pandas_nan', 50), ('cc3m_integer_ids', 2), ('cc_nan', 4), ('cc_u64_last', 4),
    ('olm_absolute', 2), ('olm_plain_tar', 1), ('olm_xz_named_gz', 1), ('olm_hardlink', 3), ('olm_sparse', 2),
    ('olm_lone_number', 5), ('olm_gz_trailing', 1), ('olm_cjk_noembed', 3)])
def test_all_of_it_is_written(tmp_path, case, written):
    code, account, _ = run(tmp_path, case)
    assert (code, account['totals']['written'], account['totals']['read']) == (0, written, written)


@pytest.mark.parametrize(('case', 'dropped'), [
    ('cc3m_tiny', {'image_too_small': 3}), ('cc3m_lone_surrogate', {'lone_surrogate': 1}),
    ('cc_surrogate', {'lone_surrogate': 1}), ('cc3m_human_special', {'special_token': 2}),
    ('cc3m_mix665k', {'bad_record': 1, 'image_token_count': 1})])
def test_dropped_with_a_reason(tmp_path, case, dropped):
    code, account, _ = run(tmp_path, case)
    assert (code, account['totals']['dropped']) == (0, dropped)


@pytest.mark.parametrize('case', ['cc3m_pandas_nan', 'cc3m_integer_ids', 'cc_nan', 'cc_u64_last'])
def test_values_that_json_does_not_know_stay_as_they_are(tmp_path, case):
    """chat.json promises the same values: NaN and integers of any size too."""
    run(tmp_path, case)
    folder = 'reading_cases' if case.startswith('cc_') else 'page_cases'
    before = [repr(record) for record in load(shared(folder) / case / 'chat.json')]
    assert [repr(record) for record in load(tmp_path / 'out' / 'chat.json')] == before


def test_fonts_that_are_not_embedded_are_rendered(tmp_path):
    """By the other engine where this machine has no fonts for them."""
    _, _, found = run(tmp_path, 'olm_cjk_noembed')
    by_member = {record['member']: record for record in found.values()}
    assert {record['engine'] for record in found.values()} == ({'pdfium'} if HAS_CJK else {'mupdf'})
    assert 'HeiseiKakuGo-W5' in by_member['mixed.pdf']['substituted_fonts']
    assert '宋体' in by_member['xiao.pdf']['substituted_fonts']
    boxed = image(tmp_path, by_member['mixed.pdf'])[130:220, 40:310]  # within the frame, where the text belongs
    assert (boxed < 128).mean() > 0.05


@pytest.mark.skipif(HAS_CJK, reason='fonts for Chinese and Japanese are installed here')
@pytest.mark.parametrize('case', ['noembed-identity.pdf', 'cjk_mixed.pdf'])
def test_without_another_engine_missing_letters_fail_the_page(tmp_path, case):
    code, account, _ = run(tmp_path, case, '--pdf_engine=pdfium')
    assert (code, account['totals']['failed']) == (1, {'FontMissing': 1})


def test_a_repaired_file_is_no_white_page(tmp_path):
    code, account, _ = run(tmp_path, 'issue2840.pdf', '--repaired=fail')
    assert (code, account['totals']['failed']) == (1, {'RepairedPdf': 1})
    code, account, found = run(tmp_path / 'kept', 'issue2840.pdf')
    assert code == 0 and image(tmp_path / 'kept', next(iter(found.values()))).min() < 128
    assert (account['warnings'], next(iter(found.values()))['repaired']) == ({'repaired_pdf': 1}, True)


def test_an_inherited_letter_box_is_no_missing_box(tmp_path):
    _, _, found = run(tmp_path, 'inherit_letter_crop.pdf')
    record = next(iter(found.values()))
    assert (record['width'], record['height']) == (640, 640)


@pytest.mark.parametrize('case', ['olm_png16', 'gray16.png'])
def test_16_bits_are_scaled_not_clipped(tmp_path, case):
    _, _, found = run(tmp_path, case)
    for record in found.values():
        pixels = image(tmp_path, record)
        assert pixels.min() < 100 < 200 < pixels.max()


def test_a_page_without_a_pixel_of_height_is_dropped_and_nothing_written_is_said(tmp_path):
    code, account, _ = run(tmp_path, 'strip.pdf')
    assert (code, account['totals']['dropped']) == (1, {'image_too_small': 1})
    assert account['problems'] == ['nothing was written: of 1 records 1 dropped as image_too_small']


def test_webp_beyond_its_own_limit_is_refused_before_the_start(tmp_path, capsys):
    source = shared('page_cases') / 'strip.pdf'
    flags = [f'--input={source}', f'--output={tmp_path}/out', '--image_format=webp', '--max_size=16384']
    assert render_pdf.run(flags).exit_code == 2
    assert 'webp has at most 16383 pixels a side' in capsys.readouterr().err


def test_of_two_members_of_one_name_the_last_counts(tmp_path):
    code, account, found = run(tmp_path, 'olm_duplicate_member')
    assert (code, account['warnings']) == (0, {'duplicate_member': 1})
    same = {record['member']: record['sha256'] for record in found.values()}
    assert same['a.pdf'] == same['z.pdf']  # the last a.pdf is the document that z.pdf is too


def test_garbage_behind_a_gzip_is_a_warning(tmp_path):
    assert run(tmp_path, 'olm_gz_trailing')[1]['warnings'] == {'archive_with_trailing_data': 1}


def test_a_pointer_in_the_place_of_a_tarball_says_so(tmp_path):
    code, account, _ = run(tmp_path, 'olm_lfs_pointer')
    assert (code, account['failed_units']) == (1, {'DamagedArchive': 1})
    assert 'Git LFS pointer' in (tmp_path / 'out' / 'errors.jsonl').read_text()


def test_a_text_that_is_a_list_is_no_label(tmp_path):
    code, account, _ = run(tmp_path, 'olm_text_list')
    assert (code, account['totals']['failed']) == (1, {'BadRow': 2})


def test_a_chat_that_is_cut_fails_the_run_and_says_which_flag_allows_it(tmp_path):
    """All else is written; the same command with the flag finishes what is there."""
    source = tmp_path / 'in'
    source.mkdir()
    case = shared('reading_cases') / 'cc_nan'
    (source / 'images.zip').write_bytes((case / 'images.zip').read_bytes())
    (source / 'chat.json').write_bytes((case / 'chat.json').read_bytes()[:-30])
    flags = [f'--input={source}', f'--output={tmp_path}/out']
    result = llava_cc3m.run(flags)
    assert result.exit_code == 1 and '--max_failed_units=1' in result.message and 'unknown number' in result.message
    assert not (tmp_path / 'out' / '_SUCCESS').exists()
    result = llava_cc3m.run([*flags, '--max_failed_units=1'])
    assert result.exit_code == 0 and result.accounts['totals']['written'] == 3
    assert len(json.loads((tmp_path / 'out' / 'chat.json').read_text())) == 3
    assert math.isfinite(result.accounts['seconds'])
