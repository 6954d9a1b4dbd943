"""Letters of fonts that a document does not embed: a page is written with them, or not at all."""

import pytest

from tests.beam_pipelines.test_public_reports import HAS_CJK
from tests.helpers import pdf_of_objects
from transforms.pdf.fonts import SUBSTITUTED, Letters, Requested, is_shown
from transforms.pdf.render_page import PDF_OPERATIONS, RenderPage
from transforms.pdf.settings import RenderSettings
from transforms.sandbox.pool import Pool

pytestmark = pytest.mark.skipif(HAS_CJK, reason='fonts for Chinese and Japanese are installed here')
JAPANESE = b'/Type/Font/Subtype/Type0/BaseFont/HeiseiMin-W3/Encoding/%s/DescendantFonts[6 0 R]'
CID = (b'<</Type/Font/Subtype/CIDFontType0/BaseFont/HeiseiMin-W3/CIDSystemInfo<</Registry(Adobe)/Ordering(Japan1)'
       b'/Supplement 2>>/DW 1000/FontDescriptor 7 0 R>>')
DESCRIPTOR = (b'<</Type/FontDescriptor/FontName/%s/Flags 4/FontBBox[0 -200 1000 900]/ItalicAngle 0/Ascent 900/Descent -200'
              b'/CapHeight 700/StemV 80>>')


def pdf(content: bytes, encoding: bytes = b'UniJIS-UCS2-H', page: bytes = b'', font: bytes = b'', cid: bytes = CID,
        more: tuple[bytes, ...] = ()) -> bytes:
    """One page of 400 x 300 with F1 (Helvetica) and F2 (a font that is not embedded)."""
    return pdf_of_objects(
        b'<</Type/Catalog/Pages 2 0 R>>', b'<</Type/Pages/Kids[3 0 R]/Count 1>>',
        b'<</Type/Page/Parent 2 0 R/MediaBox[0 0 400 300]/Contents 4 0 R' + page +
        b'/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>/F2 5 0 R>>>>>>',
        b'<</Length %d>>stream\n' % len(content) + content + b'\nendstream',
        b'<<' + (font or JAPANESE % encoding) + b'>>', cid,
        DESCRIPTOR % (b'ArialMT' if font else b'HeiseiMin-W3'), *more)


LATIN = b'BT /F1 20 Tf 20 250 Td (Latin text) Tj ET '
TEXT = b'<65E5672C8A9E4E2D> Tj'
HEBREW_CMAP = (b'/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapType 2 def 1 begincodespacerange <0000> <FFFF> endcodespacerange '
               b'1 beginbfrange <0001> <0004> <05D0> endbfrange endcmap end end')
HEBREW = dict(
    font=b'/Type/Font/Subtype/Type0/BaseFont/ArialMT/Encoding/Identity-H/DescendantFonts[6 0 R]/ToUnicode 8 0 R',
    cid=b'<</Type/Font/Subtype/CIDFontType2/BaseFont/ArialMT/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>'
        b'/DW 600/FontDescriptor 7 0 R>>',
    more=(b'<</Length %d>>stream\n' % len(HEBREW_CMAP) + HEBREW_CMAP + b'\nendstream',))


@pytest.fixture(scope='module')
def pools():
    made = {engine: Pool(PDF_OPERATIONS, RenderSettings(engine=engine, max_size=400), 1) for engine in ('auto', 'pdfium')}
    yield made
    for pool in made.values():
        pool.close()


def outcome(pools, engine: str, document: bytes) -> str:
    task = {'name': 'a.pdf', 'path': '', 'page': 0, 'rotation': 0, 'expect_ink': True}
    header = pools[engine].submit(RenderPage, task, document).result().header
    return header.get('error') or header['engine']


@pytest.mark.parametrize('content', [
    b'BT /F2 30 Tf 20 150 Td ' + TEXT + b' ET',
    b'BT /F2 1 Tf 30 0 0 30 20 150 Tm ' + TEXT + b' ET',
    b'q 30 0 0 30 0 0 cm BT /F2 1 Tf 1 5 Td ' + TEXT + b' ET Q',
    b'BT /F2 30 Tf 0 1 -1 0 100 40 Tm ' + TEXT + b' ET',
], ids=['plain', 'scaled-text', 'scaled-page', 'upright'])
def test_the_other_engine_renders_them_however_they_stand(pools, content):  # go-pdfium#296, pypdfium2#366
    assert [outcome(pools, engine, pdf(LATIN + content)) for engine in ('auto', 'pdfium')] == ['mupdf', 'FontMissing']


def test_letters_that_stand_askew(pools):
    """pdfium's text layer gives them boxes like any other's, so only the other engine knows."""
    document = pdf(LATIN + b'BT /F2 30 Tf 0.7 0.7 -0.7 0.7 100 40 Tm ' + TEXT + b' ET')
    assert outcome(pools, 'auto', document) == 'mupdf'


def test_vertical_writing(pools):  # pdf.js#12350
    document = pdf(LATIN + b'BT /F2 30 Tf 100 250 Td ' + TEXT + b' ET', b'UniJIS-UCS2-V')
    assert [outcome(pools, engine, document) for engine in ('auto', 'pdfium')] == ['mupdf', 'FontMissing']


@pytest.mark.parametrize('content', [b'BT 3 Tr /F2 30 Tf 20 150 Td ' + TEXT + b' ET', b'BT /F2 30 Tf 20 150 Td <00410042> Tj ET'],
                         ids=['invisible', 'latin letters of it'])
@pytest.mark.parametrize('engine', ['auto', 'pdfium'])
def test_what_does_not_count(pools, engine, content):
    assert outcome(pools, engine, pdf(LATIN + content)) == 'pdfium'


@pytest.mark.parametrize('content', [b'1 g BT /F2 30 Tf 20 150 Td ' + TEXT + b' ET', b'BT /F2 30 Tf 20 500 Td ' + TEXT + b' ET'],
                         ids=['white', 'off the page'])
def test_what_nobody_sees_fails_no_page(pools, content):  # PyMuPDF#453, #3533
    assert outcome(pools, 'pdfium', pdf(LATIN + content)) == 'pdfium'


def test_white_letters_on_dark_ground_count(pools):
    document = pdf(LATIN + b'0 g 0 100 400 100 re f 1 g BT /F2 30 Tf 20 150 Td ' + TEXT + b' ET')
    assert [outcome(pools, engine, document) for engine in ('auto', 'pdfium')] == ['mupdf', 'FontMissing']


@pytest.mark.parametrize('around', [b'', b'0 0 0 RG 15 145 m 200 145 l S ', b'0.8 g 0 100 400 100 re f 0 g '],
                         ids=['alone', 'underlined', 'in a shaded row'])
def test_letters_that_no_engine_has(pools, around):  # pdf.js#15033
    document = pdf(LATIN + around + b'BT /F2 30 Tf 20 150 Td <0001000200030004> Tj ET', **HEBREW)
    assert [outcome(pools, engine, document) for engine in ('auto', 'pdfium')] == ['FontMissing', 'FontMissing']


def test_what_counts_as_shown():
    assert all(map(is_shown, map(ord, 'aß日∑、́')))
    assert not any(map(is_shown, (32, 0xA0, 0xAD, 0xFFFD, 0xE000, 0x3164)))


def test_what_pdfium_cannot_have_rendered():
    missed = Requested(('x',), missed=True)
    assert not Letters(frozenset(map(ord, 'Ünïcode–€'))).beyond(missed)
    assert Letters(frozenset({ord('日')})).beyond(missed)
    assert not Letters(frozenset({ord('日')})).beyond(Requested(('x',), missed=True, has_cjk=True))
    assert not Letters(frozenset({ord('日')})).beyond(Requested(('x',)))
    assert len(SUBSTITUTED) == 233
