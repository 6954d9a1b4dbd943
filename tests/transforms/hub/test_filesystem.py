import gzip
import subprocess
import sys

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

import transforms.hub.filesystem  # noqa: F401 - registers hf:// with Beam
from tests.helpers import ROOT
from transforms.hub.errors import HubDenied
from transforms.hub.path import HubPath
from transforms.hub.publish import publish, publish_staged

NAME = 'hf://datasets/me/set'


@pytest.fixture
def folder(tmp_path, hub):
    (tmp_path / 'repo' / 'part').mkdir(parents=True)
    for i in range(3):
        (tmp_path / 'repo' / 'part' / f'{i}.txt').write_text(f'{i}a\n{i}b\n')
    (tmp_path / 'repo' / 'more.txt.gz').write_bytes(gzip.compress(b'x\ny\n'))
    hub.add('me/set', tmp_path / 'repo')
    return tmp_path / 'repo'


def test_beams_own_readers_understand_it(hub, folder):
    with TestPipeline('FnApiRunner') as pipeline:
        lines = pipeline | beam.io.ReadFromText(f'{NAME}/part/*.txt')
        assert_that(lines, equal_to(['0a', '0b', '1a', '1b', '2a', '2b']))
        packed = pipeline | 'Gz' >> beam.io.ReadFromText(f'{NAME}/more.txt.gz')
        assert_that(packed, equal_to(['x', 'y']), label='Packed')


@pytest.mark.parametrize('revision', ['refs/convert/parquet', 'refs%2Fconvert%2Fparquet', 'feature%2Fx'])
def test_beams_own_readers_at_a_revision_with_slashes(hub, tmp_path, revision):
    (tmp_path / 'converted' / 'default' / 'train').mkdir(parents=True)
    for i in range(2):
        pq.write_table(pa.table({'a': [i]}), tmp_path / 'converted' / 'default' / 'train' / f'000{i}.parquet')
    hub.add('me/old', tmp_path / 'converted', refs={'refs/convert/parquet': tmp_path / 'converted', 'feature/x': tmp_path / 'converted'})
    with TestPipeline('FnApiRunner') as pipeline:
        rows = pipeline | beam.io.ReadFromParquet(f'hf://datasets/me/old@{revision}/default/train/*.parquet')
        assert_that(rows, equal_to([{'a': 0}, {'a': 1}]))


def test_match_size_and_checksum(hub, folder):
    found = FileSystems.match([f'{NAME}/part/[01].txt', f'{NAME}/**.gz', f'{NAME}/more.txt.gz', f'{NAME}/no*'])
    assert [[m.path.rpartition('/')[2] for m in f.metadata_list] for f in found] == [
        ['0.txt', '1.txt'], ['more.txt.gz'], ['more.txt.gz'], []]
    assert found[0].metadata_list[0].size_in_bytes == 6
    assert FileSystems.exists(f'{NAME}/part') and not FileSystems.exists(f'{NAME}/parts')
    assert len(FileSystems.checksum(f'{NAME}/part/0.txt')) == 40
    with pytest.raises(BeamIOError):
        FileSystems.delete([f'{NAME}/part/0.txt'])


def test_what_beam_writes_becomes_one_commit(hub, folder, monkeypatch, tmp_path):
    monkeypatch.setenv('BEAM_HUB_STAGING', str(tmp_path / 'staging'))
    with TestPipeline('FnApiRunner') as pipeline:
        pipeline | beam.Create(['one', 'two']) | beam.io.WriteToText(f'{NAME}/out/lines', file_name_suffix='.txt')
    assert not hub.repos['me/set'].commits
    with pytest.raises(HubDenied, match='no token is set'):
        publish_staged(NAME, 'lines')
    monkeypatch.setenv('HF_TOKEN', hub.token)
    publish_staged(NAME, 'lines')
    repo = hub.repos['me/set']
    assert len(repo.commits) == 1 and repo.commits[0]['summary'] == 'lines'
    assert repo.written == {'out/lines-00000-of-00001.txt': b'one\ntwo\n'}


def test_what_beam_writes_to_a_repository_that_is_still_to_be_made(hub, monkeypatch, tmp_path):
    monkeypatch.setenv('BEAM_HUB_STAGING', str(tmp_path / 'staging'))
    with TestPipeline('FnApiRunner') as pipeline:
        pipeline | beam.Create(['one']) | beam.io.WriteToText('hf://datasets/me/later/part')
    monkeypatch.setenv('HF_TOKEN', hub.token)
    publish_staged('hf://datasets/me/later', 'lines')
    assert hub.repos['me/later'].written == {'part-00000-of-00001': b'one\n'}


def test_a_folder_is_published_in_one_commit(hub, tmp_path, monkeypatch):
    monkeypatch.setenv('HF_TOKEN', hub.token)
    (tmp_path / 'out' / '.work').mkdir(parents=True)
    (tmp_path / 'out' / '.work' / 'state').write_text('x')
    (tmp_path / 'out' / 'large.bin').write_bytes(bytes(10_000))
    (tmp_path / 'out' / 'chat.json').write_text('[]')
    publish(str(tmp_path / 'out'), HubPath('me/new', '', 'sub'), 'a run')
    repo = hub.repos['me/new']
    assert repo.written == {'sub/large.bin': bytes(10_000), 'sub/chat.json': b'[]'} and len(repo.commits) == 1
    assert all('Authorization' not in a.headers for a in hub.asked if a.origin == 'storage')


def test_beams_readers_of_csv_and_json_beside_ours(hub, tmp_path):
    """In a program of one's own, and with the pandas that we ask for."""
    (tmp_path / 'set').mkdir()
    (tmp_path / 'set' / 'a.csv').write_text('a,b\n1,x\n2,y\n')
    (tmp_path / 'set' / 'a.json').write_text('{"a": 1}\n{"a": 2}\n')
    hub.add('me/tables', tmp_path / 'set')
    code = f'''
from beam_pipelines import olmocr
import apache_beam as beam
import transforms.hub.filesystem
with beam.Pipeline(runner='FnApiRunner') as pipeline:
    pipeline | beam.io.ReadFromCsv('hf://datasets/me/tables/a.csv') | beam.Map(lambda row: print(row.a, row.b))
    pipeline | beam.io.ReadFromJson('{tmp_path}/set/a.json') | 'Print' >> beam.Map(lambda row: print(row.a))
'''
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0 and sorted(done.stdout.split('\n')) == ['', '1', '1 x', '2', '2 y'], done.stderr
