import io

import psutil
import pytest
from PIL import Image

from tests.transforms.sandbox.operations import HashPixels, HashSettings, LookAround, Misbehave
from transforms.image.check_image import CheckImage, ImageLimits
from transforms.image.thumbnail import MakeThumbnail
from transforms.sandbox.pool import Pool, acquire_pool, release_pool
from transforms.sandbox.window import Window

SETTINGS = HashSettings()


@pytest.fixture(scope='module')
def pool():
    made = Pool((HashPixels, Misbehave), SETTINGS, 2)
    yield made
    made.close()


def ask(pool, what: str, **task) -> dict:
    return pool.submit(Misbehave, {'what': what, **task}, b'ab').result(30).header


def picture(size=(6, 4), kind='PNG') -> bytes:
    out = io.BytesIO()
    Image.new('RGB', size, (200, 10, 10)).save(out, kind)
    return out.getvalue()


def test_an_operation_of_anybody_is_one_class_found_by_its_path(pool):
    one, two = (pool.submit(HashPixels, {}, picture(kind=kind)).result(30).header['hash'] for kind in ('PNG', 'BMP'))
    assert one == two
    assert pool.submit(HashPixels, {}, b'none').result(30).header['error'] == 'NoImage'


@pytest.mark.parametrize(('what', 'error', 'words'), [
    ('spin', 'HashTimeout', 'over 1 s'), ('allocate', 'HashOutOfMemory', 'refused'), ('die', 'HashCrash', 'SIGSEGV'),
    ('raise', 'NoImage', 'a bug of the library'), ('refuse', 'NotToday', 'for this reason')])
def test_every_end_has_the_name_that_the_operation_gives_it(pool, what, error, words):
    header = ask(pool, what)
    assert header['error'] == error
    assert words in header['message']
    assert pool.submit(Misbehave, {'what': 'go on'}, b'ab').result(30).body == b'ba'


def test_children_know_what_their_operations_import_and_nothing_else():
    names = ['pypdfium2', 'pymupdf', 'apache_beam', 'transforms.pdf.engines', 'numpy', 'PIL.Image']
    pool = Pool((CheckImage, LookAround), ImageLimits(), 1)
    assert pool.submit(CheckImage, {}, picture()).result(30).header['width'] == 6
    assert pool.submit(LookAround, {'names': names}).result(30).header['modules'] == ['PIL.Image']
    pool.close()


def test_a_thumbnail_is_decoded_in_a_child():
    pool = Pool((MakeThumbnail,), ImageLimits(max_pixels=100_000), 1)
    answer = pool.submit(MakeThumbnail, {'side': 20}, picture((200, 100))).result(30)
    assert Image.open(io.BytesIO(answer.body)).size == (20, 10)
    assert pool.submit(MakeThumbnail, {'side': 20}, b'\x89PNG').result(30).header['error'] == 'DamagedImage'
    assert pool.submit(MakeThumbnail, {'side': 20}, picture((1000, 1000))).result(30).header['error'] == 'ImageTooBig'
    pool.close()


def test_pools_are_shared_by_operations_settings_and_width():
    one = acquire_pool((HashPixels,), SETTINGS, 1)
    assert acquire_pool((HashPixels,), SETTINGS, 1) is one
    other = acquire_pool((Misbehave,), SETTINGS, 1)
    assert other is not one
    for pool in (one, one, other):
        release_pool(pool)
    assert not [child for child in psutil.Process().children() if 'HashPixels"]' in ' '.join(child.cmdline())]


@pytest.mark.parametrize('in_order', [True, False])
def test_a_window_answers_every_task_and_holds_no_more_than_it_may(pool, in_order):
    window, given, most = Window(pool, 3, in_order), [], 0
    for number in range(40):
        window.submit(number, Misbehave, {'what': 'go on'}, bytes([number]) * 3)
        given += [(item, answer.body[0]) for item, answer in window.ready()]
        most = max(most, number + 1 - len(given))
    given += [(item, answer.body[0]) for item, answer in window.rest()]
    assert most <= 3
    assert (given if in_order else sorted(given)) == [(number, number) for number in range(40)]
    assert list(window.rest()) == []


def test_a_window_of_large_payloads_holds_one_of_them(pool):
    window, given = Window(pool, 50, True, max_bytes=10), []
    for number in range(6):
        window.submit(number, Misbehave, {'what': 'go on'}, bytes(8))
        given += [item for item, _ in window.ready()]
        assert number + 1 - len(given) <= 1
    assert given + [item for item, _ in window.rest()] == list(range(6))
