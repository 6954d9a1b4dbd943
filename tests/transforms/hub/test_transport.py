import hashlib
import os
import time

import pytest

from tests.hub_server import now_and_then
from transforms.files import storage
from transforms.hub.errors import HubChanged, HubDenied, HubDown, HubMissing
from transforms.hub.settings import HubSettings, configure

NAME = 'hf://datasets/me/set'


@pytest.fixture
def folder(tmp_path, hub):
    root = tmp_path / 'repo'
    (root / 'deep').mkdir(parents=True)
    (root / 'large.bin').write_bytes(os.urandom(3_000_000))
    (root / 'deep' / 'small.txt').write_bytes(b'small text')
    (root / 'empty').write_bytes(b'')
    hub.add('me/set', root)
    return root


def read(path):
    with storage.open_read(storage.pin(path)) as source:
        return source.read()


def test_lists_sizes_and_hashes_at_a_pinned_commit(hub, folder):
    root = storage.pin(NAME)
    assert root == f"{NAME}@{hub.repos['me/set'].commit}" and storage.pin(root) == root
    infos = {info.path[len(root) + 1:]: info for info in storage.list_files(root)}
    assert {name: info.size for name, info in infos.items()} == {'deep/small.txt': 10, 'empty': 0, 'large.bin': 3_000_000}
    assert infos['large.bin'].fingerprint == hashlib.sha256((folder / 'large.bin').read_bytes()).hexdigest()
    assert storage.exists(f'{root}/deep') and storage.exists(f'{root}/large.bin') and not storage.exists(f'{root}/none')
    assert [i.path for i in storage.list_files(f'{root}/deep', '*.txt')] == [f'{root}/deep/small.txt']


def test_a_folder_that_is_asked_for_before_anything_else(hub, folder):
    root = storage.pin(NAME)
    assert storage.exists(f'{root}/deep') and not storage.is_file(f'{root}/deep')
    assert [i.size for i in storage.list_files(f'{root}/deep')] == [10]
    assert storage.is_file(f'{root}/deep/small.txt')


def test_an_address_that_is_none_is_the_hubs_fault(hub, folder):
    root = storage.pin(NAME)
    storage.exists(f'{root}/large.bin')
    configure(HubSettings(patience_seconds=1))
    hub.fault = lambda asked: ('status', 302, {'Location': 'http://[bad'}) if asked.kind == 'resolve' else None
    with pytest.raises(HubDown):
        read(f'{root}/large.bin')


def test_a_server_that_ignores_ranges_costs_no_whole_file_for_a_few_bytes(hub, folder):
    with storage.open_read(storage.pin(f'{NAME}/large.bin')) as source:
        assert source.read(10) == (folder / 'large.bin').read_bytes()[:10]


def test_a_listing_of_many_pages(hub, tmp_path):
    for i in range(180):
        (tmp_path / 'many' / f'{i % 7}').mkdir(parents=True, exist_ok=True)
        (tmp_path / 'many' / f'{i % 7}' / f'{i}.txt').write_text(str(i))
    hub.add('me/many', tmp_path / 'many')
    assert len(storage.list_files(storage.pin('hf://datasets/me/many'))) == 180
    assert sum('cursor=' in asked.path for asked in hub.asked) >= 3


def test_reads_whole_files_and_ranges_once(hub, folder):
    data = (folder / 'large.bin').read_bytes()
    assert read(f'{NAME}/large.bin') == data
    assert hub.bytes_sent == len(data)
    assert read(f'{NAME}/deep/small.txt') == b'small text' and read(f'{NAME}/empty') == b''
    hub.sent.clear()
    with storage.open_read(storage.pin(f'{NAME}/large.bin')) as source:
        source.seek(2_000_000)
        assert source.read(10) == data[2_000_000:2_000_010]
        source.seek(-5, 2)
        assert source.read() == data[-5:]
    assert hub.bytes_sent < 600_000


def test_the_token_stays_at_home(hub, folder, monkeypatch):
    monkeypatch.setenv('HF_TOKEN', hub.token)
    hub.repos['me/set'].private = True
    assert read(f'{NAME}/large.bin') == (folder / 'large.bin').read_bytes()
    by_origin = {asked.origin: 'Authorization' in asked.headers for asked in hub.asked}
    assert by_origin == {'home': True, 'storage': False}


def test_never_more_requests_than_connections(hub, folder):
    storage.list_files(storage.pin(NAME))
    hub.most_open = 0
    configure(HubSettings(connections=2, patience_seconds=6))
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(6) as threads:
        assert len({hashlib.sha256(d).digest() for d in threads.map(read, [f'{NAME}/large.bin'] * 6)}) == 1
    # A client has its last byte a moment before the server has left its handler.
    assert hub.most_open <= 2 + 1


@pytest.mark.parametrize('fault', [
    ('status', 429, {'Retry-After': '1'}), ('status', 503, {}), ('cut', 100_000), ('cut', 0), ('length', 50),
    ('close',), ('stall', 1.5)])
def test_a_passing_fault_costs_nothing_but_time(hub, folder, fault):
    root = storage.pin(NAME)
    storage.exists(f'{root}/large.bin')
    left = [fault, fault]
    hub.fault = lambda asked: left.pop() if left and asked.kind in ('resolve', 'storage') else None
    assert read(f'{root}/large.bin') == (folder / 'large.bin').read_bytes()
    assert not left


def test_a_cut_body_goes_on_where_it_broke_off(hub, folder):
    root = storage.pin(NAME)
    storage.exists(f'{root}/large.bin')
    left = [('cut', 200_000)] * 3
    hub.fault = lambda asked: left.pop() if left and asked.kind == 'storage' else None
    assert read(f'{root}/large.bin') == (folder / 'large.bin').read_bytes()
    assert hub.bytes_sent == 3_000_000


def test_many_faults_everywhere(hub, folder):
    hub.fault = now_and_then(0.2, seed=4)
    for _ in range(5):
        assert read(f'{NAME}/large.bin') == (folder / 'large.bin').read_bytes()


def test_retry_after_is_kept(hub, folder):
    root = storage.pin(NAME)
    left = [('status', 429, {'Retry-After': '2'})]
    hub.fault = lambda asked: left.pop() if left and asked.kind == 'resolve' else None
    start = time.monotonic()
    read(f'{root}/deep/small.txt')
    assert time.monotonic() - start >= 2


def test_a_hub_that_is_down_is_given_up_in_time(hub, folder):
    root = storage.pin(NAME)
    storage.exists(f'{root}/large.bin')
    configure(HubSettings(patience_seconds=2))
    hub.fault = lambda asked: ('status', 503, {})
    start = time.monotonic()
    with pytest.raises(HubDown, match='gave nothing for .* 503.* resumes'):
        read(f'{root}/large.bin')
    assert time.monotonic() - start < 5


def test_a_changed_file_is_told(hub, folder):
    root = storage.pin(NAME)
    storage.list_files(root)
    (folder / 'large.bin').write_bytes(os.urandom(3_000_000))
    with pytest.raises(HubChanged, match='large.bin has changed since the run was planned'):
        read(f'{root}/large.bin')
    (folder / 'deep' / 'small.txt').write_bytes(b'other text')
    with pytest.raises(HubChanged):
        read(f'{root}/deep/small.txt')


def test_endless_redirects(hub, folder):
    root = storage.pin(NAME)
    hub.fault = lambda asked: ('redirect',) if asked.kind == 'resolve' else None
    with pytest.raises(HubDenied, match='without end'):
        read(f'{root}/deep/small.txt')


def test_a_renamed_repository_is_found(hub, folder):
    hub.add('old/name', folder).moved_to = 'me/set'
    assert read('hf://datasets/old/name/deep/small.txt') == b'small text'


def test_a_signed_address_that_ran_out_is_asked_for_again(hub, folder):
    root = storage.pin(NAME)
    with storage.open_read(f'{root}/large.bin') as source:
        source.read(10)
    left = [('status', 403, {})]
    hub.fault = lambda asked: left.pop() if left and asked.kind == 'storage' else None
    assert read(f'{root}/large.bin') == (folder / 'large.bin').read_bytes()


@pytest.mark.parametrize(('url', 'facts', 'token', 'error', 'words'), [
    ('hf://datasets/me/nothing', {}, '', HubMissing, 'no dataset me/nothing on the Hub'),
    ('hf://datasets/me/set@v9', {}, '', HubMissing, 'no revision v9'),
    ('hf://datasets/me/set', {'private': True}, '', HubMissing, 'no token is set'),
    ('hf://datasets/me/set', {'gated': True}, '', HubDenied, 'gated or private, and no token is set'),
    ('hf://datasets/me/set', {'gated': True}, 'hf_wrong', HubDenied, 'conditions are not accepted'),
])
def test_missing_and_closed_ones(hub, folder, monkeypatch, url, facts, token, error, words):
    for name, value in facts.items():
        setattr(hub.repos['me/set'], name, value)
    if token:
        monkeypatch.setenv('HF_TOKEN', token)
    with pytest.raises(error, match=words) as raised:
        storage.pin(url)
    assert '\n' not in str(raised.value) and 'hf_wrong' not in str(raised.value)
