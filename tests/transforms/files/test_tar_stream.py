import gzip
import io
import tarfile

import pytest

from transforms.files.decompress import DecompressionBomb
from transforms.files.tar_stream import ArchiveDamaged, stream_members


def make_tar(members: list, packed: bool = True) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w') as archive:
        for item in members:
            info, data = item if isinstance(item[0], tarfile.TarInfo) else (tarfile.TarInfo(item[0]), item[1])
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(out.getvalue()) if packed else out.getvalue()


def read(data: bytes, **kwargs) -> list:
    return list(stream_members(io.BytesIO(data), kwargs.pop('wanted', lambda name: True), **kwargs))


@pytest.mark.parametrize('packed', [True, False])
def test_members_in_order_without_leading_dots(packed):
    members = read(make_tar([('./a/b.pdf', b'one'), ('c:d.pdf', b'two')], packed))
    assert [(m.name, m.data, m.irregular) for m in members] == [('a/b.pdf', b'one', ''), ('c:d.pdf', b'two', '')]


def test_only_wanted_members_carry_data():
    members = read(make_tar([('a', b'one'), ('b', b'two')]), wanted=lambda name: name == 'b')
    assert [(m.name, m.size, m.data) for m in members] == [('a', 3, b''), ('b', 3, b'two')]


def test_links_and_devices_are_irregular_and_carry_nothing():
    link, device, folder = tarfile.TarInfo('l.pdf'), tarfile.TarInfo('d.pdf'), tarfile.TarInfo('f')
    link.type, link.linkname = tarfile.SYMTYPE, '/etc/passwd'
    device.type, folder.type = tarfile.CHRTYPE, tarfile.DIRTYPE
    members = read(make_tar([(link, b''), (device, b''), (folder, b'')]))
    assert [(m.name, m.irregular, m.data) for m in members] == [
        ('l.pdf', 'link', b''), ('d.pdf', 'special', b''), ('f', 'folder', b'')]


def test_a_member_over_the_limit_is_not_read():
    members = read(make_tar([('big', b'x' * 1000), ('small', b'y')]), max_bytes=100)
    assert [(m.name, m.irregular, len(m.data)) for m in members] == [('big', 'too_big', 0), ('small', '', 1)]


@pytest.mark.parametrize('cut', [0.3, 0.6, 0.9])
def test_a_truncated_archive_hands_out_what_came_before(cut):
    import random

    noise = random.Random(1)
    data = make_tar([(f'm{i}', noise.randbytes(5000)) for i in range(20)])
    seen = []
    with pytest.raises(ArchiveDamaged):
        for member in stream_members(io.BytesIO(data[:int(len(data) * cut)]), lambda name: True):
            seen.append(member)
    assert 0 < len(seen) < 20
    assert all(len(m.data) == 5000 for m in seen)


def test_a_wrong_checksum_at_the_end_is_noticed():
    data = bytearray(make_tar([('a', b'x' * 100)]))
    data[-6] ^= 1
    with pytest.raises(ArchiveDamaged):
        read(bytes(data))


def test_a_giant_header_is_refused():
    info = tarfile.TarInfo('a')
    info.type, info.size = tarfile.XHDTYPE, 1 << 33
    with pytest.raises(ArchiveDamaged):
        read(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + b'\0' * 4096))


def test_a_bomb_is_stopped(monkeypatch):
    monkeypatch.setattr('transforms.files.decompress._FREE_BYTES', 1 << 20)
    with pytest.raises(DecompressionBomb):
        read(make_tar([('zeros', b'\0' * (64 << 20))]), wanted=lambda name: False)
