import os
import signal

import psutil
import pymupdf
import pytest

from transforms.pdf.count_pages import CountPages
from transforms.pdf.errors import ERROR_ORDER, PageError, deciding_error
from transforms.pdf.render_page import PDF_OPERATIONS, RenderPage
from transforms.pdf.settings import RenderSettings
from transforms.sandbox.pool import Pool, acquire_pool, release_pool

SETTINGS = RenderSettings(max_size=300, cpu_seconds=2, memory_bytes=1 << 30)


@pytest.fixture(scope='module')
def pool():
    made = Pool(PDF_OPERATIONS, SETTINGS, 1)
    yield made
    made.close()


def task(**changes) -> dict:
    return {'name': 'a.pdf', 'path': '', 'page': 0, 'rotation': 0, 'expect_ink': True, **changes}


def ask(pool, data: bytes, **changes) -> dict:
    return pool.submit(RenderPage, task(**changes), data).result(60).header


def pdf_with_content(content: bytes, resources: str = '<<>>') -> bytes:
    document = pymupdf.open()
    page = document.new_page()
    xref = document.get_new_xref()
    document.update_object(xref, '<<>>')
    document.update_stream(xref, content)
    document.xref_set_key(page.xref, 'Contents', f'{xref} 0 R')
    document.xref_set_key(page.xref, 'Resources', resources)
    return document.tobytes(deflate=True)


def slow_pdf() -> bytes:
    lines = b''.join(b'%d %d m %d %d l ' % (i * 7 % 600, i * 13 % 800, i * 17 % 600, i * 29 % 800)
                     for i in range(400_000))
    return pdf_with_content(lines + b'S')


def self_calling_pdf() -> bytes:
    """A form that renders itself: pdfium runs out of memory over it."""
    document = pymupdf.open()
    page = document.new_page()
    form, content = document.get_new_xref(), document.get_new_xref()
    document.update_object(form, f'<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X {form} 0 R>>>>>>')
    document.update_stream(form, b'/X Do /X Do')
    document.update_object(content, '<<>>')
    document.update_stream(content, b'/X Do')
    document.xref_set_key(page.xref, 'Contents', f'{content} 0 R')
    document.xref_set_key(page.xref, 'Resources', f'<</XObject<</X {form} 0 R>>>>')
    return document.tobytes()


def test_a_page_comes_back_as_an_image(pool, page_pdf):
    answer = pool.submit(RenderPage, task(), page_pdf).result(60)
    assert answer.body.startswith(b'\x89PNG')
    assert (answer.header['height'], answer.header['engine'], answer.header['pages']) == (300, 'pdfium', 1)
    assert answer.header['bytes'] == len(answer.body)


def test_same_bytes_from_memory_and_from_a_path(pool, page_pdf, tmp_path):
    (tmp_path / 'a.pdf').write_bytes(page_pdf)
    assert ask(pool, page_pdf)['sha256'] == ask(pool, b'', path=str(tmp_path / 'a.pdf'))['sha256']


def test_spilling_writes_the_image_itself(pool, page_pdf, tmp_path):
    answer = pool.submit(RenderPage, task(spill=str(tmp_path / 'out')), page_pdf).result(60)
    assert answer.body == b''
    assert (tmp_path / 'out').read_bytes().startswith(b'\x89PNG')
    assert ask(pool, page_pdf, spill=str(tmp_path / 'no' / 'folder'))['spill_errno'] == 2


@pytest.mark.parametrize(('data', 'name', 'error'), [
    (b'<html>%PPDF</html>', 'a.pdf', 'NotAPdf'), (b'\xff\xd8\xff\xe0JFIF', 'a.pdf', 'NotAPdf'),
    (b'%PDF-1.4 nothing', 'a.pdf', 'DamagedPdf'), (b'', 'a.pdf', 'NotAPdf'), (b'%PDF-1.4', 'a.png', 'NotAPdf')])
def test_what_is_no_pdf_is_told(pool, data, name, error):
    assert ask(pool, data, name=name)['error'] == error


def test_a_blank_page_with_text_is_a_failure_and_without_is_not(pool):
    blank = pdf_with_content(b'')
    assert ask(pool, blank, expect_ink=True)['error'] == 'BlankRender'
    for unknown in (False, None):
        assert ask(pool, blank, expect_ink=unknown)['ink_share'] == 0


def test_cpu_limit(page_pdf):
    pool = Pool(PDF_OPERATIONS, RenderSettings(max_size=300, cpu_seconds=0.3), 1)
    assert ask(pool, slow_pdf())['error'] == 'PageTimeout'
    assert 'error' not in ask(pool, page_pdf)
    pool.close()


def test_memory_limit_is_told_from_a_crash(page_pdf):
    pool = Pool(PDF_OPERATIONS, RenderSettings(max_size=300, memory_bytes=700 << 20, engine='pdfium'), 1)
    assert 'error' not in ask(pool, page_pdf)
    assert ask(pool, self_calling_pdf())['error'] == 'PageOutOfMemory'
    assert 'error' not in ask(pool, page_pdf)
    pool.close()


def test_a_killed_child_costs_nothing(page_pdf):
    pool = Pool(PDF_OPERATIONS, SETTINGS, 1)
    first = ask(pool, page_pdf)
    child = next(c for c in psutil.Process().children() if 'transforms.sandbox.child' in ' '.join(c.cmdline()))
    os.kill(child.pid, signal.SIGKILL)
    assert ask(pool, page_pdf) == first
    pool.close()


def test_an_engine_by_name_never_falls_back():
    pool = Pool(PDF_OPERATIONS, RenderSettings(max_size=300, engine='mupdf'), 1)
    assert ask(pool, pdf_with_content(b'0 0 100 100 re f'))['engine'] == 'mupdf'
    pool.close()


def test_counting_pages(pool):
    document = pymupdf.open()
    for _ in range(7):
        document.new_page()
    assert pool.submit(CountPages, task(), document.tobytes()).result(60).header['pages'] == 7


def test_a_child_that_cannot_start_is_an_error_not_a_verdict(monkeypatch):
    monkeypatch.setattr('transforms.sandbox.pool.sys.executable', '/bin/false')
    pool = Pool(PDF_OPERATIONS, RenderSettings(max_size=301), 1)
    with pytest.raises(RuntimeError, match='could not start'):
        ask(pool, b'%PDF-1.4')
    pool.close()


def test_one_pool_for_each_process_and_settings():
    one, two = acquire_pool(PDF_OPERATIONS, SETTINGS, 1), acquire_pool(PDF_OPERATIONS, SETTINGS, 1)
    assert one is two
    release_pool(one)
    assert any(t.is_alive() for t in one._threads)
    release_pool(two)
    assert not any(t.is_alive() for t in one._threads)


@pytest.mark.parametrize(('first', 'second', 'names'), [
    ('DamagedPdf', 'RepairedPdf', 'RepairedPdf'), ('EncryptedPdf', 'DamagedPdf', 'EncryptedPdf'),
    ('DamagedPdf', 'PageTimeout', 'PageTimeout'), ('BlankRender', 'DamagedPdf', 'DamagedPdf'),
    ('BlankRender', 'BlankRender', 'BlankRender')])
def test_which_of_two_verdicts_names_the_outcome(first, second, names):
    assert deciding_error(PageError(first, ''), PageError(second, '')).name == names
    assert {first, second} <= set(ERROR_ORDER)


def test_a_page_does_not_depend_on_what_was_rendered_before():
    """pdfium remembers which font stands in for a missing one, unless it is made to forget."""
    def page_with_font(name: str) -> bytes:
        font = f'<</Font<</F <</Type/Font/Subtype/TrueType/BaseFont/{name}>>>>>>'
        return pdf_with_content(b'BT /F 40 Tf 50 600 Td (Handgloves 123) Tj ET', font)

    names = ('NoSuchFont', 'Arial,Bold', 'Times-Italic', 'Wingdings', 'AnotherMissing-Bold')
    alone = []
    for name in names:
        pool = Pool(PDF_OPERATIONS, SETTINGS, 1)
        alone.append(ask(pool, page_with_font(name))['sha256'])
        pool.close()
    pool = Pool(PDF_OPERATIONS, SETTINGS, 1)
    for order in (names, names[::-1]):
        together = [ask(pool, page_with_font(name))['sha256'] for name in order]
        assert together == [alone[names.index(name)] for name in order]
    pool.close()
