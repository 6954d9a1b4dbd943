import os
import subprocess
import sys
import threading

import pytest

from transforms.files import storage
from transforms.hub.errors import HubMissing
from transforms.hub.settings import HubSettings, configure

NAME = 'hf://datasets/me/cached'


@pytest.fixture
def folder(tmp_path, hub):
    (tmp_path / 'repo').mkdir()
    for i in range(4):
        (tmp_path / 'repo' / f'{i}.bin').write_bytes(os.urandom(2_500_000))
    hub.add('me/cached', tmp_path / 'repo')
    return tmp_path / 'repo'


@pytest.fixture
def cache(tmp_path, hub):
    configure(HubSettings(patience_seconds=5, cache=str(tmp_path / 'cache'), cache_bytes=6_000_000))
    return tmp_path / 'cache'


def read(path):
    with storage.open_read(storage.pin(path)) as source:
        return source.read()


def test_what_was_read_is_not_fetched_again(hub, folder, cache):
    for _ in range(3):
        assert read(f'{NAME}/1.bin') == (folder / '1.bin').read_bytes()
    assert hub.bytes_sent == 2_500_000


def test_the_limit_holds(hub, folder, cache):
    from transforms.hub.cache import BlockCache

    for i in range(4):
        read(f'{NAME}/{i}.bin')
    BlockCache(str(cache), 6_000_000).shrink()
    assert sum(p.stat().st_size for p in (cache / 'blocks').rglob('*') if p.is_file()) <= 6_000_000
    for i in range(4):
        assert read(f'{NAME}/{i}.bin') == (folder / f'{i}.bin').read_bytes()


def test_offline_reads_what_is_there_and_says_what_is_missing(hub, folder, cache, monkeypatch):
    root = storage.pin(NAME)
    storage.list_files(root)
    read(f'{NAME}/1.bin')
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    asked = len(hub.asked)
    assert storage.pin(NAME) == root
    assert read(f'{NAME}/1.bin') == (folder / '1.bin').read_bytes()
    with pytest.raises(HubMissing, match='3 MiB of .*2.bin.* not in the cache'):
        read(f'{NAME}/2.bin')
    with pytest.raises(HubMissing, match='HF_HUB_OFFLINE is set'):
        storage.pin('hf://datasets/me/other')
    assert len(hub.asked) == asked


def test_a_damaged_block_is_fetched_again(hub, folder, cache):
    read(f'{NAME}/0.bin')
    block = next(p for p in (cache / 'blocks').rglob('0000000'))
    block.write_bytes(b'cut')
    assert read(f'{NAME}/0.bin') == (folder / '0.bin').read_bytes()
    block.write_bytes(bytes(block.stat().st_size))
    assert read(f'{NAME}/0.bin') == (folder / '0.bin').read_bytes()


def test_several_readers_at_once(hub, folder, cache):
    wrong = []

    def reader(seed):
        for i in range(4):
            if read(f'{NAME}/{(i + seed) % 4}.bin') != (folder / f'{(i + seed) % 4}.bin').read_bytes():
                wrong.append(i)

    threads = [threading.Thread(target=reader, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_huggingface_hub_downloaded_is_used_offline(hub, folder, monkeypatch):
    subprocess.run([sys.executable, '-c', 'from huggingface_hub import hf_hub_download; '
                    'hf_hub_download("me/cached", "2.bin", repo_type="dataset")'], check=True)
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    assert read(f'{NAME}/2.bin') == (folder / '2.bin').read_bytes()
