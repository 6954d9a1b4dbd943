import io
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from transforms.pdf.encode import (
    encode,
    encode_png,
    ink_share,
    is_gray,
    luminance,
    measure,
    to_mode,
    to_one_channel,
)
from transforms.pdf.engines import PdfiumDocument
from transforms.pdf.settings import PNG_CODECS, RenderSettings

SHAPES = st.one_of(st.tuples(st.integers(1, 130), st.integers(1, 70)),
                   st.tuples(st.integers(1, 130), st.integers(1, 70), st.just(3)))


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.uint8, SHAPES), st.sampled_from(PNG_CODECS))
def test_png_is_lossless(pixels, codec):
    with Image.open(io.BytesIO(encode_png(pixels, codec))) as image:
        image.load()
        assert image.mode == ('L' if pixels.ndim == 2 else 'RGB')
        assert np.array_equal(np.asarray(image), pixels)


def test_scans_use_filter_up_and_rendered_pages_none(page_pdf):
    smooth = np.cumsum(np.random.default_rng(1).integers(0, 3, (400, 300)), axis=0).astype(np.uint8)
    rendered = PdfiumDocument(page_pdf).render(0, 0, RenderSettings())
    kinds = []
    for pixels in (smooth, rendered):
        raw = zlib.decompress(encode_png(pixels)[41:-16])
        kinds.append(raw[0])
    assert kinds == [2, 0]


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 90), st.integers(1, 9))))
def test_gray_pages_become_one_channel(gray):
    rgb = np.repeat(gray[:, :, None], 3, axis=2)
    assert is_gray(rgb)
    one = to_one_channel(rgb)
    assert np.array_equal(one, gray)
    assert ink_share(one) == ink_share(rgb)
    assert np.array_equal(to_mode(one, 'rgb'), rgb)
    assert np.array_equal(to_mode(one, 'auto'), gray)


MARKS = st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39), st.one_of(
    st.integers(0, 255).map(lambda v: (v, v, v)), st.tuples(*[st.integers(0, 255)] * 3))), max_size=12)


@given(st.integers(1, 40), st.integers(1, 40), MARKS, st.sampled_from([255, 254, 0]))
def test_one_look_measures_what_several_do(height, width, marks, paper):
    pixels = np.full((height, width, 3), paper, np.uint8)
    for y, x, color in marks:
        pixels[y % height, x % width] = color
    before = pixels.copy()
    found, share = measure(pixels)
    expected = to_one_channel(pixels)
    assert found.shape == expected.shape and np.array_equal(found, expected)
    assert share == ink_share(expected)
    assert np.array_equal(pixels, before)


def test_one_coloured_pixel_keeps_colour_unless_gray_is_asked_for():
    pixels = np.full((50, 40, 3), 200, np.uint8)
    pixels[49, 39, 2] = 201
    assert to_mode(to_one_channel(pixels), 'auto').ndim == 3
    assert np.array_equal(to_mode(pixels, 'gray'), luminance(pixels))


def test_ink_share_counts_luminance_below_250():
    pixels = np.full((10, 10), 255, np.uint8)
    pixels[0, :5] = (249, 250, 0, 251, 100)
    assert ink_share(pixels) == 0.03
    assert ink_share(np.repeat(pixels[:, :, None], 3, axis=2)) == 0.03


@pytest.mark.parametrize(('image_format', 'name'), [('png', 'PNG'), ('jpg', 'JPEG'), ('webp', 'WEBP')])
def test_formats(image_format, name):
    data = encode(np.full((20, 30, 3), 128, np.uint8), RenderSettings(image_format=image_format))
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == (name, (30, 20))


def test_quality_changes_size():
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    sizes = [len(encode(pixels, RenderSettings(image_format='jpg', quality=q))) for q in (20, 95)]
    assert sizes[0] < sizes[1]
