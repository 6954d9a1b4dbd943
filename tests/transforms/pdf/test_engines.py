import io

import numpy as np
import pymupdf
import pytest
from PIL import Image

from tests.helpers import pdf_of_objects
from transforms.pdf.count_pages import CountPages
from transforms.pdf.engines import MupdfDocument, PdfiumDocument
from transforms.pdf.errors import PageError
from transforms.pdf.images import render_image
from transforms.pdf.settings import RenderSettings
from transforms.pdf.sizes import output_size
from transforms.sandbox.child import _answer

SMALL = RenderSettings(max_size=200)


def open_with(engine: str, data: bytes, accept_repaired: bool = False):
    return PdfiumDocument(data) if engine == 'pdfium' else MupdfDocument(data, accept_repaired)


def corner_page(width: float = 300, height: float = 400, **boxes) -> bytes:
    """A page with a black square in the upper left corner of its media box."""
    document = pymupdf.open()
    page = document.new_page(width=width, height=height)
    page.draw_rect(pymupdf.Rect(0, 0, 60, 60), fill=(0, 0, 0), color=(0, 0, 0))
    if 'crop' in boxes:
        page.set_cropbox(pymupdf.Rect(*boxes['crop']))
    if 'rotate' in boxes:
        page.set_rotation(boxes['rotate'])
    return document.tobytes()


def dark_corner(pixels: np.ndarray) -> str:
    gray = pixels.min(axis=2)
    h, w = gray.shape
    places = {'upper left': gray[:h // 10, :w // 10], 'upper right': gray[:h // 10, -w // 10:],
              'lower right': gray[-h // 10:, -w // 10:], 'lower left': gray[-h // 10:, :w // 10]}
    return ','.join(name for name, part in places.items() if part.mean() < 128)


@pytest.mark.parametrize('engine', ['pdfium', 'mupdf'])
@pytest.mark.parametrize(('size', 'expected'), [((300, 400), (150, 200)), ((400, 300), (200, 150)),
                                                ((612, 792), (155, 200)), ((595.28, 841.89), (141, 200)),
                                                ((60, 4000), (3, 200))])
def test_longest_side_is_exact(engine, size, expected):
    pixels = open_with(engine, corner_page(*size)).render(0, 0, SMALL)
    assert (pixels.shape[1], pixels.shape[0]) == expected


@pytest.mark.parametrize('engine', ['pdfium', 'mupdf'])
@pytest.mark.parametrize(('degrees', 'corner'), [(0, 'upper left'), (90, 'upper right'), (180, 'lower right'),
                                                 (270, 'lower left')])
def test_rotation_is_clockwise(engine, degrees, corner):
    pixels = open_with(engine, corner_page()).render(0, degrees, SMALL)
    assert dark_corner(pixels) == corner
    assert pixels.shape[:2] == ((200, 150) if degrees in (0, 180) else (150, 200))


@pytest.mark.parametrize('engine', ['pdfium', 'mupdf'])
def test_page_rotation_is_applied_and_added(engine):
    assert dark_corner(open_with(engine, corner_page(rotate=90)).render(0, 0, SMALL)) == 'upper right'
    assert dark_corner(open_with(engine, corner_page(rotate=90)).render(0, 270, SMALL)) == 'upper left'


@pytest.mark.parametrize('engine', ['pdfium', 'mupdf'])
def test_media_box_is_shown_unless_crop_is_asked_for(engine):
    data = corner_page(crop=(100, 100, 300, 400))
    assert dark_corner(open_with(engine, data).render(0, 0, SMALL)) == 'upper left'
    cropped = open_with(engine, data).render(0, 0, RenderSettings(max_size=200, page_box='crop'))
    assert dark_corner(cropped) == ''
    assert cropped.shape[:2] == (200, 133)


INHERITED = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[-50 20 250 420]/CropBox[0 100 200 300]>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<<>>>>endobj
4 0 obj<</Length 22>>stream
0 g -50 360 60 60 re f
endstream endobj
trailer<</Root 1 0 R/Size 5>>
"""


def with_xref(body: bytes) -> bytes:
    """Adds the cross-reference table to hand-written objects."""
    offsets = [body.index(b'%d 0 obj' % i) for i in range(1, 5)]
    trailer = body.index(b'trailer')
    table = b'xref\n0 5\n0000000000 65535 f \n' + b''.join(b'%010d 00000 n \n' % o for o in offsets)
    return body[:trailer] + table + body[trailer:] + b'startxref\n%d\n%%%%EOF' % trailer


@pytest.mark.parametrize('engine', ['pdfium', 'mupdf'])
def test_inherited_boxes_with_an_origin_elsewhere(engine):
    pixels = open_with(engine, with_xref(INHERITED)).render(0, 0, SMALL)
    assert pixels.shape[:2] == (200, 150)
    assert dark_corner(pixels) == 'upper left'


def test_dpi_renders_the_natural_size():
    assert open_with('mupdf', corner_page(612, 792)).render(0, 0, RenderSettings(dpi=144)).shape == (1584, 1224, 3)
    assert open_with('pdfium', corner_page(612, 792)).render(0, 0, RenderSettings(dpi=144)).shape == (1584, 1224, 3)


def test_too_many_pixels_are_refused():
    with pytest.raises(PageError) as caught:
        output_size(14400, 14400, RenderSettings(dpi=600))
    assert caught.value.name == 'PageTooBig'


@pytest.mark.parametrize('size', [(0, 0), (float('nan'), 10), (float('inf'), 10)])
def test_a_page_without_size_is_damaged(size):
    with pytest.raises(PageError) as caught:
        output_size(*size, SMALL)
    assert caught.value.name == 'DamagedPdf'


@pytest.mark.parametrize('engine', ['pdfium', 'mupdf'])
def test_a_password_is_told_from_damage(engine):
    locked = pymupdf.open()
    locked.new_page()
    data = locked.tobytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw='x')
    with pytest.raises(PageError) as caught:
        open_with(engine, data)
    assert caught.value.name == 'EncryptedPdf'
    with pytest.raises(PageError) as caught:
        open_with(engine, b'%PDF-1.7\nnothing here')
    assert caught.value.name in ('DamagedPdf', 'RepairedPdf')


def test_mupdf_repairs_only_when_accepted():
    data = INHERITED  # no cross-reference table
    with pytest.raises(PageError) as caught:
        open_with('mupdf', data)
    assert caught.value.name == 'RepairedPdf'
    assert open_with('mupdf', data, accept_repaired=True).render(0, 0, SMALL).shape[0] == 200


def image_bytes(size, mode='RGB', name='PNG', **save) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, 255).save(out, name, **save)
    return out.getvalue()


@pytest.mark.parametrize(('size', 'shape'), [((800, 400), (100, 200)), ((20, 10), (10, 20))])
def test_images_are_shrunk_and_never_enlarged(size, shape):
    assert render_image(image_bytes(size), 0, SMALL).shape[:2] == shape


def test_image_rotation_is_clockwise():
    source = Image.new('RGB', (60, 40), 'white')
    source.paste('black', (0, 0, 15, 15))
    out = io.BytesIO()
    source.save(out, 'PNG')
    turned = render_image(out.getvalue(), 90, SMALL)
    assert turned.shape[:2] == (60, 40)
    assert turned[5, 35].max() == 0


def test_transparent_images_stand_on_white():
    out = io.BytesIO()
    Image.new('RGBA', (10, 10), (0, 0, 0, 0)).save(out, 'PNG')
    assert render_image(out.getvalue(), 0, SMALL).min() == 255


def test_a_giant_image_is_refused_before_it_is_decoded():
    with pytest.raises(PageError) as caught:
        render_image(image_bytes((3000, 3000), '1'), 0, RenderSettings(max_pixels=1_000_000))
    assert caught.value.name == 'PageTooBig'


def test_a_truncated_image_is_damaged():
    with pytest.raises(PageError) as caught:
        render_image(image_bytes((500, 500))[:-30], 0, SMALL)
    assert caught.value.name == 'DamagedPdf'


@pytest.mark.parametrize('as_path', [False, True])
def test_a_document_without_pages_is_told_apart_whatever_failed_before_it(tmp_path, as_path):
    encrypted = pymupdf.open()
    encrypted.new_page()
    locked = encrypted.tobytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw='secret')
    # An XFA form loads without a page tree: its pages would be made by a script.
    empty = pdf_of_objects(b'<</Type/Catalog/AcroForm<</XFA 2 0 R>>>>', b'<</Length 5>>\nstream\n<xdp>\nendstream')

    counting = CountPages(RenderSettings(engine='pdfium'))

    def error_of(data: bytes) -> str:
        path = tmp_path / 'file.pdf'
        path.write_bytes(data)
        task = {'name': 'file.pdf', 'path': str(path) if as_path else ''}
        return _answer(counting, task, b'' if as_path else data)[0]['error']

    assert [error_of(data) for data in (locked, empty, b'%PDF-1.7 no more', empty, locked)] \
        == ['EncryptedPdf', 'EmptyPdf', 'DamagedPdf', 'EmptyPdf', 'EncryptedPdf']


def test_no_page_shows_what_was_rendered_before(page_pdf):
    first = PdfiumDocument(corner_page(700, 900)).render(0, 0, SMALL).copy()
    for size in (64, 1000, 300):
        PdfiumDocument(page_pdf).render(0, 0, RenderSettings(max_size=size))
    assert np.array_equal(PdfiumDocument(corner_page(700, 900)).render(0, 0, SMALL), first)
    large = RenderSettings(max_size=6000)  # more than is kept for the next page
    one, two = (PdfiumDocument(page_pdf).render(0, 0, large) for _ in range(2))
    assert np.array_equal(one, two) and not np.shares_memory(one, two)
