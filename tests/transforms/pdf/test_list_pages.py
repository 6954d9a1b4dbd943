import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.pdf.list_pages import PageSelection, display_name, page_image_path


@pytest.mark.parametrize(('text', 'count', 'pages'), [
    ('1-3', 10, [0, 1, 2]), ('2', 10, [1]), ('3-', 5, [2, 3, 4]), ('7,1-2', 6, [0, 1]), ('1-3,2-5', 9, [0, 1, 2, 3, 4])])
def test_page_selection(text, count, pages):
    assert list(PageSelection.parse(text).pick(count)) == pages


@pytest.mark.parametrize('text', ['', '0', '3-1', 'a', '1,,2', '-3'])
def test_page_selection_refuses(text):
    with pytest.raises(argparse.ArgumentTypeError):
        PageSelection.parse(text)


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 9)), max_size=5), st.integers(0, 40))
def test_pages_are_ascending_unique_and_inside(ranges, count):
    picked = list(PageSelection(tuple((a, a + n) for a, n in ranges)).pick(count))
    wanted = {p - 1 for a, n in ranges for p in range(a, a + n + 1) if p <= count} if ranges else set(range(count))
    assert picked == sorted(wanted)


@given(st.text(min_size=1, max_size=300))
def test_image_names_are_safe(name):
    path = page_image_path(name, 0, 'png')
    assert all(c.isascii() and (c.isalnum() or c in '._-/') for c in path)
    assert path == path.lower()
    assert max(map(len, path.split('/'))) < 128
    assert '..' not in path.split('/')


def test_names_that_are_no_text_are_shown():
    assert display_name(b'a\xff.pdf'.decode('utf-8', 'surrogateescape')) == 'a\\xff.pdf'
