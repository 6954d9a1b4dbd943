import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.files import storage


def test_atomic_writer_leaves_nothing_when_the_block_fails(tmp_path):
    with pytest.raises(KeyError), storage.atomic_writer(str(tmp_path / 'a.json')) as target:
        target.write(b'half')
        raise KeyError
    assert os.listdir(tmp_path) == []


def test_atomic_writer_knows_size_and_hash(tmp_path):
    path = str(tmp_path / 'deep' / 'a.bin')
    with storage.atomic_writer(path) as target:
        target.write(b'ab')
        target.write(b'c')
    assert storage.read_bytes(path) == b'abc'
    assert target.size == 3
    assert target.sha256 == 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'


@pytest.mark.parametrize(('number', 'word'), [(errno.ENOSPC, 'no space left'), (errno.EACCES, 'no permission'),
                                              (errno.EIO, 'cannot write')])
def test_storage_errors_say_what_to_do(number, word):
    with pytest.raises(storage.RunAborted, match=word), storage.storage_errors('/out'):
        raise OSError(number, os.strerror(number))


@pytest.mark.parametrize(('pattern', 'path', 'matches'), [
    ('**/*.pdf', 'a.pdf', True), ('**/*.pdf', 'x/y/a.pdf', True), ('*.pdf', 'x/a.pdf', False),
    ('**', 'x/y', True), ('a?.pdf', 'ab.pdf', True), ('a?.pdf', 'a/.pdf', False), ('[ab].pdf', 'b.pdf', True),
    ('[!ab].pdf', 'b.pdf', False), ('x/**/a.pdf', 'x/a.pdf', True), ('a+b.pdf', 'a+b.pdf', True),
    ('[^ab].pdf', 'b.pdf', False), ('[^ab].pdf', 'c.pdf', True), ('**.pdf', 'x/a.pdf', True), ('x**.pdf', 'x/y/a.pdf', True),
    ('**/eval[-._ 0-9]*', 'autoload/medieval.vim', False)])
def test_glob(pattern, path, matches):
    assert bool(storage.glob_to_regex(pattern).match(path)) is matches


@given(st.text(alphabet='abc/.-_ ', max_size=20))
def test_a_name_without_wildcards_matches_only_itself(name):
    assert storage.glob_to_regex(name).match(name)
    assert not storage.glob_to_regex(name).match(name + 'x')


def test_a_link_out_of_the_folder_is_not_within_it(tmp_path):
    inside = tmp_path / 'in'
    inside.mkdir()
    (tmp_path / 'secret').write_text('x')
    os.symlink(tmp_path / 'secret', inside / 'link')
    (inside / 'own').write_text('y')
    assert not storage.is_file_within(str(inside / 'link'), str(inside))
    assert storage.is_file_within(str(inside / 'own'), str(inside))


def test_list_files_is_sorted_and_skips_work_folders(tmp_path):
    for name in ('b.txt', 'a.txt', '.work/c.txt', 'd/e.txt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('1')
    assert [i.path[len(str(tmp_path)) + 1:] for i in storage.list_files(str(tmp_path))] == ['a.txt', 'b.txt', 'd/e.txt']


def test_a_scheme_without_a_file_system_is_one_line_that_says_what_is_missing():
    with pytest.raises(ValueError, match=r'registered for foo:// .*hf:// an import of transforms.hub.filesystem'):
        storage.exists('foo://bucket/x')
    with pytest.raises(ValueError, match='registered for foo://'):
        storage.list_files('foo://bucket/x')


def test_an_atomic_writer_counts_bytes_whatever_holds_them(tmp_path):
    with storage.atomic_writer(str(tmp_path / 'a')) as target:
        assert target.write(memoryview(b'abcdefgh').cast('i')) == 8
        target.close()
        with pytest.raises(ValueError, match='closed'):
            target.write(b'x')
    assert (target.size, (tmp_path / 'a').read_bytes()) == (8, b'abcdefgh')
