"""Uids and files of them against plain sets in memory."""

import io
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from tests.conftest import shared
from transforms.image_text import uid_files
from transforms.image_text.uid_files import (
    SortedUids,
    UidFileError,
    combine_uids,
    count_uids,
    difference,
    intersection,
    npy_header,
    open_uids,
    save_uids,
    union,
)
from transforms.image_text.uids import UID, format_uids, parse_uids, places_of, sort_uids


def made(count, seed=0, halves=1 << 62, sort=True):
    """Random uids; few different halves give copies and ties."""
    chance = np.random.default_rng(seed)
    uids = np.empty(count, UID)
    uids['f0'], uids['f1'] = chance.integers(0, halves, count, np.uint64), chance.integers(0, halves, count, np.uint64)
    return sort_uids(uids) if sort else uids


def npy(uids):
    target = io.BytesIO()
    np.save(target, uids)
    return target.getvalue()


def test_texts_to_uids_and_back():
    texts = ['139e4a9b22a614771f06c700a8ebe150', '6e356964a967af455c8016b75d691203', '0' * 32, 'f' * 32]
    uids, valid = parse_uids(pa.array(texts))
    assert valid.all()
    assert uids.tolist() == [(int(text[:16], 16), int(text[16:], 16)) for text in texts]
    assert format_uids(uids) == texts
    assert parse_uids(pa.array([text.upper() for text in texts]))[0].tolist() == uids.tolist()


def test_what_is_no_uid():
    good = '139e4a9b22a614771f06c700a8ebe150'
    texts = pa.array(['x', good, None, good[:-1], good[:-1] + 'g', good + '0', '', good[:15] + ' ' + good[16:], '0x' + good[2:], good[:-2] + 'é'])
    for array in (texts, texts.slice(1), pa.concat_arrays([pa.array([good]), texts]).slice(1), texts.cast(pa.large_string())):
        uids, valid = parse_uids(array)
        assert [text for text, right in zip(array.to_pylist(), valid, strict=True) if right] == [good]
        assert format_uids(uids[valid]) == [good]
    assert [len(one) for one in parse_uids(pa.array([], pa.string()))] == [0, 0]


@pytest.mark.parametrize('halves', [3, 1 << 62])
def test_order_and_places(halves):
    uids, wanted = made(500, halves=halves, sort=False), made(200, 1, halves, sort=False)
    ordered = sort_uids(uids)
    assert ordered.tolist() == sorted(uids.tolist())
    plain = [int(f'{high:016x}{low:016x}', 16) for high, low in ordered.tolist()]
    for side in ('left', 'right'):
        asked = np.concatenate([wanted, uids[:50]])
        numbers = [int(f'{high:016x}{low:016x}', 16) for high, low in asked.tolist()]
        assert places_of(ordered, asked, side).tolist() == np.searchsorted(np.array(plain, object), np.array(numbers, object), side).tolist()


def test_the_published_files_byte_for_byte(tmp_path):
    for name in ('golden_no_filter.npy', 'golden_basic_filter_ftz.npy'):
        path = shared('golden/image_text') / name
        file = open_uids(str(path))
        uids = np.concatenate(list(file.chunks(3)))
        assert uids.tolist() == np.load(path).tolist()
        save_uids(str(tmp_path / name), [uids[:4], uids[4:]], len(uids))
        assert (tmp_path / name).read_bytes() == path.read_bytes()
    assert npy_header(0) == npy(np.empty(0, UID))
    assert len(npy_header(10**18)) == len(npy_header(0)) == 128


@pytest.fixture(params=[(1 << 20, 1 << 22, 1 << 21), (5, 40, 30)], ids=['at once', 'in pieces'])
def pieces(request, monkeypatch):
    for name, value in zip(('_CHUNK', '_RUN', '_MERGED'), request.param, strict=True):
        monkeypatch.setattr(uid_files, name, value)
    monkeypatch.setattr(uid_files, '_LEAST', 4)


@pytest.mark.parametrize('halves', [2, 12, 1 << 62])
@pytest.mark.parametrize('sort', [True, False])
def test_set_operations(tmp_path, pieces, halves, sort):
    common = made(60, 9, halves, sort)
    arrays = [np.concatenate([made(count, seed, halves, sort), common[:part]]) for seed, (count, part) in enumerate([(300, 60), (150, 40), (0, 60)])]
    arrays = [sort_uids(some) if sort else some for some in arrays]
    files = []
    for i, some in enumerate(arrays):
        path = tmp_path / f'{i}.npy'
        path.write_bytes(npy(some) if i != 1 else some.tobytes())
        files.append(SortedUids(open_uids(str(path)), str(tmp_path)))
    assert [file.is_sorted for file in files] == [sort] * 3
    counts = [Counter(some.tolist()) for some in arrays]
    a, b, c = counts
    everything = {uid: a[uid] + b[uid] + c[uid] for uid in a | b | c}
    expected = {union: everything, intersection: {uid: a[uid] for uid in a if b[uid] and c[uid]},
                difference: {uid: a[uid] for uid in a if not b[uid] and not c[uid]}}
    for choose, times in expected.items():
        for keep in (False, True):
            found = combine_uids(files, choose, keep, str(tmp_path / 'out.npy'), str(tmp_path))
            uids = sorted(uid for uid, count in times.items() for _ in range(count if keep else 1))
            assert np.load(tmp_path / 'out.npy').tolist() == uids
            assert (found.written, found.distinct) == (len(uids), len(times))
    for file, one in zip(files, counts, strict=True):
        assert count_uids(file) == uid_files.Combined(one.total(), len(one))


@pytest.mark.parametrize(('data', 'message'), [
    (b'', 'is empty'), (b'PAR1' + b'x' * 12, 'is a Parquet file'), (b'PK\x03\x04' + b'x' * 12, 'is a zip archive'), (b'x' * 17, 'has 17 bytes and no .npy header'),
    (npy(made(3))[:-1], 'it is cut, or has something behind them'), (npy(made(3)) + b'x' * 16, 'has something behind them'),
    (npy(np.arange(4)), 'holds int64 of shape'), (npy(made(4).reshape(2, 2)), r'of shape \(2, 2\)'), (npy(np.zeros(2, '>u8,>u8')), 'uids are u8,u8'),
    (npy(np.array([{}, 'x'], object)), 'holds object of shape'), (npy(made(3))[:60], 'a damaged .npy header'),
    (npy(made(3)).replace(b"'shape': (3,)", b"'shape': (-1)"), 'uids are|damaged'), (npy(made(3)).replace(b'descr', b'()()('), 'a damaged .npy header'),
    (b'\x93NUMPY\x09\x00' + b'x' * 60, 'a damaged .npy header'), (b'version https://git-lfs.github.com/spec/v1\n', 'Git LFS pointer')])
def test_what_is_no_file_of_uids(tmp_path, data, message):
    (tmp_path / 'a.npy').write_bytes(data)
    with pytest.raises(UidFileError, match=message):
        open_uids(str(tmp_path / 'a.npy'))
