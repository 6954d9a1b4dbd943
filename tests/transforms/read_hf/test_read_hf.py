"""The transform: the same records for every way of cutting the work, provenance, columns, limits, errors before the start."""

import gzip
import json
import random

import apache_beam as beam
import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.read_hf import faults, read_all, read_rows
from transforms.read_hf import units
from transforms.read_hf.card import DatasetError
from transforms.read_hf.plan import plan_read
from transforms.read_hf.read_hf import ReadHF


def lines(rows) -> bytes:
    return b''.join(json.dumps(row).encode() + b'\n' for row in rows)


def some_rows(count, seed=0, size=300):
    rng = random.Random(seed)
    return [{'id': i, 'text': 'x' * rng.randrange(size)} for i in range(count)]


def test_records_with_provenance_and_counts(tmp_path):
    for name, rows in (('train', some_rows(10)), ('test', some_rows(3))):
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f'{name}.parquet', row_group_size=4)
    with TestPipeline('FnApiRunner') as pipeline:
        read = pipeline | ReadHF(str(tmp_path))
        identities = read.main | beam.Map(lambda r: (r.origin.split, r.origin.file, r.row, r.values['id']))
        assert_that(identities, equal_to([('train', 'train.parquet', i, i) for i in range(10)]
                                         + [('test', 'test.parquet', i, i) for i in range(3)]))
        counts = read.counts | 'Counts' >> beam.Map(lambda t: (t.file, t.kind, t.count))
        assert_that(counts, equal_to([('train.parquet', 'read', 10), ('test.parquet', 'read', 3)]), label='Counted')


@pytest.mark.parametrize('split_bytes', [700, 1000, 4096, 10**6])
@pytest.mark.parametrize('kind', ['jsonl', 'txt', 'parquet', 'members.jsonl.gz', 'one.jsonl.gz'])
def test_any_cutting_gives_each_record_once(tmp_path, split_bytes, kind):
    rows = some_rows(300)
    path = tmp_path / f'train.{kind}'
    if kind == 'parquet':
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=17)
    elif kind == 'txt':
        rows = [{'text': r['text']} for r in rows]
        path.write_bytes('\n'.join(r['text'] for r in rows).encode())
    elif kind == 'jsonl':
        path.write_bytes(lines(rows))
    elif kind == 'one.jsonl.gz':
        path.write_bytes(gzip.compress(lines(rows)))
    else:
        data = lines(rows)
        cuts = sorted(random.Random(1).sample(range(len(data)), 40))
        path.write_bytes(b''.join(gzip.compress(data[a:b]) for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)))
    plan = plan_read(str(tmp_path))
    split = plan.splits[0]
    chains = units.plan_units(split, plan.root, 's', '', split_bytes=split_bytes)
    from transforms.read_hf.read_unit import read_unit

    found = [item for chain in chains for unit in chain.units for item in read_unit(unit)]
    if kind == 'txt' and not rows[-1]['text']:
        rows.pop()
    assert [values for _, values in found] == rows
    numbers = [row for row, _ in found]
    assert numbers == sorted(set(numbers))
    assert (len(chains) > 1) == (path.stat().st_size > split_bytes and kind != 'one.jsonl.gz')


def test_a_line_that_begins_at_a_border_is_read_once(tmp_path):
    rows = [{'id': i} for i in range(100)]
    data = lines(rows)
    (tmp_path / 'train.jsonl').write_bytes(data)
    from transforms.read_hf.read_unit import read_unit

    plan = plan_read(str(tmp_path))
    for size in range(5, 60):
        chains = [unit for start in range(0, len(data), size) for unit in [
            units.ReadUnit(plan.chains[0].units[0].origin, plan.root, plan.splits[0].files[0],
                           plan.chains[0].units[0].layout, start, min(len(data), start + size))]]
        assert [v['id'] for unit in chains for _, v in read_unit(unit)] == list(range(100)), size


def test_columns_and_limits(tmp_path):
    pq.write_table(pa.Table.from_pylist(some_rows(50)), tmp_path / 'train.parquet', row_group_size=5)
    (tmp_path / 'lines').mkdir()
    (tmp_path / 'lines' / 'train.jsonl').write_bytes(lines(some_rows(50)))
    assert read_all(tmp_path, pattern='*.parquet', columns=('id',))['default/train'] == [{'id': i} for i in range(50)]
    assert read_all(tmp_path / 'lines', columns=('id',))['default/train'] == [{'id': i} for i in range(50)]
    for source in (tmp_path / 'train.parquet', tmp_path / 'lines'):
        with TestPipeline('FnApiRunner') as pipeline:
            read = pipeline | ReadHF(str(source), limit=7)
            assert_that(read.main | beam.Map(lambda r: r.values['id']), equal_to(list(range(7))))


def test_avro(tmp_path):
    schema = {'type': 'record', 'name': 'r', 'fields': [{'name': 'id', 'type': 'long'},
                                                        {'name': 'text', 'type': ['null', 'string']}]}
    with open(tmp_path / 'train.avro', 'wb') as out:
        fastavro.writer(out, schema, [{'id': i, 'text': str(i) if i % 2 else None} for i in range(30)], codec='deflate')
    assert read_all(tmp_path)['default/train'] == [{'id': i, 'text': str(i) if i % 2 else None} for i in range(30)]
    data = (tmp_path / 'train.avro').read_bytes()
    (tmp_path / 'train.avro').write_bytes(data[:-20])
    assert faults(read_rows(tmp_path))[-1][1] == 'DamagedFile'


def test_sounds_are_references(tmp_path):
    for label in ('high', 'low'):
        (tmp_path / label).mkdir()
        (tmp_path / label / 'a.wav').write_bytes(b'RIFF')
    assert read_all(tmp_path)['default/train'] == [
        {'audio': {'path': f'{tmp_path}/high/a.wav', 'bytes': None}, 'label': 0},
        {'audio': {'path': f'{tmp_path}/low/a.wav', 'bytes': None}, 'label': 1}]


@pytest.mark.parametrize(('asked', 'words'), [
    ({'subset': 'english'}, 'no subset english; it has de, en'),
    ({'subset': 'en', 'split': 'trian'}, 'did you mean train'),
    ({}, 'several subsets: choose one of de, en'),
    ({'subset': 'en', 'columns': ('txt',)}, 'no column txt; did you mean text'),
    ({'pattern': '*.parquet'}, 'no data file that matches'),
])
def test_one_line_for_what_is_not_there(tmp_path, asked, words):
    (tmp_path / 'README.md').write_text('---\nconfigs:\n- {config_name: en, data_files: e.jsonl}\n'
                                        '- {config_name: de, data_files: d.jsonl}\n---\n')
    for name in 'ed':
        (tmp_path / f'{name}.jsonl').write_bytes(lines(some_rows(3)))
    with pytest.raises(DatasetError, match=words):
        plan_read(str(tmp_path), **asked)


def test_a_misspelt_column_is_refused_though_a_line_is_no_json(tmp_path):
    (tmp_path / 'train.jsonl').write_bytes(lines(some_rows(5)) + b'no json\n' + lines(some_rows(5)))
    with pytest.raises(DatasetError, match='no column txt; did you mean text'):
        plan_read(str(tmp_path), columns=('txt',))
    assert len(plan_read(str(tmp_path), columns=('text',)).chains) == 1


@pytest.mark.parametrize(('readme', 'words'), [
    ('---\nconfigs:\n- {config_name: [\n---\n', 'broken YAML at line'),
    ('---\na: &a [1]\nb: &b [*a, *a]\nconfigs: [{data_files: [*b, *b]}]\n---\n', 'that are no texts'),
    ('---\nconfigs: [{data_files: "**a/**/*"}]\n---\n', 'is no glob'),
    ('---\nconfigs: [{data_files: train.jsonl, field: rows}]\n---\n', 'gives field'),
    ('---\nconfigs: [{data_files: nothing.jsonl}]\n---\n', 'names files that are not there'),
    ('---\ndate: 2024-99-99\n---\n', 'broken YAML'),
])
def test_a_broken_card(tmp_path, readme, words):
    (tmp_path / 'README.md').write_text(readme)
    (tmp_path / 'train.jsonl').write_bytes(lines(some_rows(3)))
    with pytest.raises(DatasetError, match=words):
        plan_read(str(tmp_path))


def test_a_repository_with_a_script_names_the_way_out(tmp_path, hub):
    (tmp_path / 'old').mkdir()
    (tmp_path / 'old' / 'old.py').write_text('raise SystemExit("never run")')
    (tmp_path / 'converted' / 'default' / 'train').mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(some_rows(3)), tmp_path / 'converted' / 'default' / 'train' / '0000.parquet')
    hub.add('me/old', tmp_path / 'old', refs={'refs/convert/parquet': tmp_path / 'converted'})
    with pytest.raises(DatasetError, match='never run: try --hub_parquet'):
        plan_read('hf://datasets/me/old')
    assert len(read_all('hf://datasets/me/old', hub_parquet=True)['default/train']) == 3


def test_two_of_twenty_columns_fetch_little_more(tmp_path, hub):
    rng = random.Random(3)
    table = pa.table({f'c{i:02d}': [rng.randbytes(500).hex() for _ in range(2000)] for i in range(20)})
    pq.write_table(table, tmp_path / 'train.parquet', row_group_size=500, compression='none', use_dictionary=False)
    hub.add('me/wide', tmp_path)
    rows = read_all('hf://datasets/me/wide', columns=('c03', 'c11'))['default/train']
    assert rows == table.select(['c03', 'c11']).to_pylist()
    wanted = sum(pq.ParquetFile(tmp_path / 'train.parquet').metadata.row_group(g).column(c).total_compressed_size
                 for g in range(4) for c in (3, 11))
    assert hub.bytes_sent < 1.05 * wanted + 4 * (64 << 10)
    hub.sent.clear()
    assert len(read_all('hf://datasets/me/wide', columns=('c03', 'c11'), limit=0)['default/train']) == 2000


def test_the_first_rows_fetch_little_more(tmp_path, hub):
    (tmp_path / 'train.jsonl').write_bytes(lines(some_rows(20_000, size=1000)))
    hub.add('me/long', tmp_path)
    with TestPipeline('FnApiRunner') as pipeline:
        read = pipeline | ReadHF('hf://datasets/me/long', limit=5)
        assert_that(read.main | beam.Map(lambda r: r.values['id']), equal_to(list(range(5))))
    assert hub.bytes_sent < 3_000_000 < (tmp_path / 'train.jsonl').stat().st_size


def test_members_of_one_name_and_size_in_two_archives_are_told_apart(tmp_path):
    import zipfile

    for name, first in (('a', 0), ('b', 5)):
        pq.write_table(pa.table({'id': list(range(first, first + 5))}), tmp_path / 'x.parquet')
        with zipfile.ZipFile(tmp_path / f'{name}.zip', 'w') as archive:
            archive.write(tmp_path / 'x.parquet', 'x.parquet')
    (tmp_path / 'x.parquet').unlink()
    assert [row['id'] for row in read_all(tmp_path)['default/train']] == list(range(10))
