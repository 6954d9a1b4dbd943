"""Members of a tarball that is read as a stream: what is handed out, and what is said of the rest."""

import io
import tarfile

import pytest

from transforms.files.tar_stream import ArchiveDamaged
from transforms.olmocr.archive_members import ArchiveMembers


def tar(*members: tuple[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w') as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content if isinstance(content, bytes) else b''))
    return out.getvalue()


def members_of(tmp_path, data: bytes, scan_first: bool, *wanted: str) -> tuple[ArchiveMembers, dict[str, bytes]]:
    path = tmp_path / 't.tar'
    path.write_bytes(data)
    members = ArchiveMembers(str(path), frozenset(wanted), 1 << 20, scan_first)
    read = {m.name: m.data for m in members.read(lambda name: name in wanted) if not m.irregular}
    return members, read


@pytest.mark.parametrize(('second', 'versions'), [(b'1', []), (b'2', ['a'])], ids=['equal', 'other'])
def test_without_looking_ahead_a_second_version_is_reported(tmp_path, second, versions):
    members, _ = members_of(tmp_path, tar(('a', b'1'), ('b', b'x'), ('a', second)), False, 'a')
    assert (members.second_versions, members.duplicates) == (versions, 0)


def test_looking_ahead_hands_out_the_last(tmp_path):
    members, read = members_of(tmp_path, tar(('a', b'1'), ('a', b'2')), True, 'a')
    assert (read, members.duplicates) == ({'a': b'2'}, 1)


LINKED = tar(('b', 'a'), ('a', b'x' * 512))


@pytest.mark.parametrize(('data', 'flags'), [
    (LINKED, (False, False)), (LINKED[:512 * 3], (True, False)), (LINKED + b'garbage' * 100, (False, True))],
    ids=['whole', 'no end', 'garbage'])
def test_links_are_followed_however_the_archive_ends(tmp_path, data, flags):
    members, _ = members_of(tmp_path, data, True, 'a', 'b')
    assert (members.without_end, members.with_trailing_data) == flags
    assert [(name, member.data) for name, member in members.linked(['b', 'c'])] == [('b', b'x' * 512)]


def test_what_cannot_be_read_raises(tmp_path):
    with pytest.raises(ArchiveDamaged, match='begins'):
        members_of(tmp_path, b'<html>' * 200, True, 'a')
