"""Rows and values equal to `datasets.load_dataset` on the same folder, layout by layout."""

import bz2
import csv
import gzip
import io
import json
import lzma
import tarfile
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.read_hf import read_all

datasets = pytest.importorskip('datasets', reason='datasets is in the test extra')
zstandard = pytest.importorskip('zstandard')

ROWS = [{'id': i, 'text': f'text {i} ă', 'score': i / 2 if i % 3 else None, 'tags': ['a', str(i)],
         'meta': {'lang': 'en' if i % 2 else None, 'n': i}} for i in range(57)]
FLAT = [{'id': i, 'text': f'line {i}, "quoted"\nsecond', 'score': i / 2, 'flag': bool(i % 2)} for i in range(40)]


def lines(rows) -> bytes:
    return b''.join(json.dumps(row, ensure_ascii=False).encode() + b'\n' for row in rows)


def table_csv(rows, separator=',') -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0], delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def png(shade) -> bytes:
    out = io.BytesIO()
    Image.new('L', (4, 3), shade).save(out, 'PNG')
    return out.getvalue()


def parquet_sharded(root):
    (root / 'data').mkdir()
    for split, shards in (('train', 3), ('test', 1), ('extra', 1)):
        for i in range(shards):
            pq.write_table(pa.Table.from_pylist(ROWS[i * 19:i * 19 + 19]),
                           root / 'data' / f'{split}-{i:05d}-of-{shards:05d}.parquet', row_group_size=7)


def parquet_by_datasets(root):
    features = datasets.Features({'id': datasets.Value('int32'), 'label': datasets.ClassLabel(names=['no', 'yes']),
                                  'image': datasets.Image(), 'box': datasets.List(datasets.Value('float32'), 4),
                                  'nested': {'a': datasets.Value('string'), 'b': [datasets.Value('int64')]}})
    made = datasets.Dataset.from_list(
        [{'id': i, 'label': i % 2, 'image': {'bytes': png(i), 'path': f'{i}.png'}, 'box': [0.5 * i] * 4,
          'nested': {'a': None if i == 2 else str(i), 'b': list(range(i))}} for i in range(9)], features)
    made.to_parquet(root / 'train.parquet')


def json_lines(root):
    (root / 'train.jsonl').write_bytes(lines(ROWS))
    (root / 'validation.jsonl').write_bytes(lines(ROWS[:5]))


def json_lines_sparse(root):
    rows = [{'id': 1, 'a': 'x'}, {'id': 2, 'b': {'c': 1}}, {'id': 3, 'a': None, 'b': {'d': [1.5, 2]}}, {'id': 4}]
    (root / 'all.jsonl').write_bytes(lines(rows) + lines(rows[:1]).rstrip())


def json_lines_typed(root):
    rows = [{'when': '2024-01-02T03:04:05', 'n': 1, 'x': 2}, {'when': '2024-02-02T03:04:05', 'n': 2, 'x': 2.5}]
    (root / 'train.jsonl').write_bytes(lines(rows))


def packed(name, pack):
    def make(root):
        (root / f'train.{name}').write_bytes(pack(lines(ROWS)))
        (root / f'test.{name}').write_bytes(pack(lines(ROWS[:3])))
    return make


def gz_of_members(root):
    (root / 'train.jsonl.gz').write_bytes(gzip.compress(lines(ROWS[:20])) + gzip.compress(lines(ROWS[20:])))


def json_list(root):
    (root / 'train.json').write_text(json.dumps(ROWS, indent=1))


def json_list_of_texts(root):
    (root / 'train.json').write_text(json.dumps(['one', 'two "three"']))


def json_columns(root):
    (root / 'train.json').write_text(json.dumps({'a': [1, 2, 3], 'b': ['x', 'y', None]}, indent=2))


def comma_separated(root):
    (root / 'train.csv').write_bytes(table_csv(FLAT))
    (root / 'dev.csv').write_bytes(table_csv([{**r, 'id': '' if r['id'] == 3 else r['id']} for r in FLAT]))


def comma_separated_gz(root):
    (root / 'train.csv.gz').write_bytes(gzip.compress(table_csv(FLAT)))


def tab_separated(root):
    (root / 'train.tsv').write_bytes(table_csv(FLAT, '\t'))


def text(root):
    (root / 'train.txt').write_bytes('first\n\nthird ă\r\nfourth\rfifth\nlast'.encode())
    (root / 'test.txt').write_bytes(b'only\n')


def arrow(root):
    datasets.Dataset.from_list(ROWS).save_to_disk(root / 'saved')
    for path in (root / 'saved').glob('*.json'):
        path.unlink()


def arrow_file(root):
    table = pa.Table.from_pylist(ROWS)
    with pa.ipc.new_file(root / 'train.arrow', table.schema) as writer:
        writer.write_table(table, max_chunksize=10)


def webdataset(root):
    for split in ('train', 'test'):
        with tarfile.open(root / f'{split}-0.tar', 'w') as tar:
            for i in range(6):
                for name, data in ((f'd/{i:03d}.png', png(i)), (f'd/{i:03d}.txt', f'caption {i}'.encode()),
                                   (f'd/{i:03d}.json', json.dumps({'w': i, 'tags': ['x']}).encode()),
                                   (f'd/{i:03d}.cls', str(i).encode())):
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))


def image_folder_labels_differ(root):
    for split, labels in (('train', 'abc'), ('test', 'ac')):
        for label in labels:
            (root / split / label).mkdir(parents=True)
            (root / split / label / 'x.png').write_bytes(png(3))


def csv_card(root):
    (root / 'README.md').write_text('---\nconfigs:\n- config_name: default\n  data_files: d.csv\n  sep: ";"\n'
                                    '  names: [x, y]\n  skiprows: 1\n---\n')
    (root / 'd.csv').write_text('junk\n1;a\n2;b\n')


def csv_types(root):
    (root / 'train-a.csv').write_text('id,v\nx,1\ny,2\n')
    (root / 'train-b.csv').write_text('id,v\n7,3\n8,4\n')


def json_list_sparse(root):
    (root / 'train.json').write_text('[{"a": 1}, {"b": "x", "a": 2.5}]')


def webdataset_upper(root):
    with tarfile.open(root / 'train.tar', 'w') as tar:
        for name, data in (('0.PNG', png(1)), ('0.TXT', b'one')):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def zip_unsorted(root):
    with zipfile.ZipFile(root / 'train.zip', 'w') as archive:
        for name in ('b.jsonl', '__MACOSX/x.jsonl', 'a.jsonl', '.h/y.jsonl', 'sub/c.jsonl'):
            archive.writestr(name, lines(ROWS[ord(name[0]) % 7:][:3]))


def zip_of_lines(root):
    with zipfile.ZipFile(root / 'train.zip', 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('a.jsonl', lines(ROWS[:20]))
        archive.writestr('b.jsonl', lines(ROWS[20:]))


def image_folder(root):
    for split in ('train', 'test'):
        for label in ('cat', 'dog'):
            (root / split / label).mkdir(parents=True)
            for i in range(3):
                (root / split / label / f'{i}.png').write_bytes(png(i))


def image_folder_metadata(root):
    (root / 'train').mkdir()
    for i in range(4):
        (root / 'train' / f'{i}.png').write_bytes(png(i))
    (root / 'train' / 'metadata.jsonl').write_bytes(
        lines([{'file_name': f'{i}.png', 'caption': f'a {i}'} for i in range(4)]))


def image_folder_csv(root):
    image_folder_metadata(root)
    (root / 'train' / 'metadata.jsonl').unlink()
    (root / 'train' / 'metadata.csv').write_text('file_name,caption\n0.png,zero\n2.png,two\n')


def card_configs(root):
    (root / 'README.md').write_text('---\nconfigs:\n- config_name: en\n  data_files:\n  - split: train\n    path: en/t*.jsonl\n'
                                    '  - split: held_out\n    path: [en/h.jsonl]\n- config_name: vi\n  default: true\n'
                                    '  data_files: vi/*.jsonl\n- config_name: whole\n  data_dir: fr\n---\n# A set\n')
    for folder in ('en', 'vi', 'fr'):
        (root / folder).mkdir()
        (root / folder / 'train.jsonl').write_bytes(lines(ROWS[:4]))
        (root / folder / 'h.jsonl').write_bytes(lines(ROWS[4:6]))
    (root / 'fr' / 'test.jsonl').write_bytes(lines(ROWS[6:8]))
    (root / 'fr' / 'h.jsonl').unlink()


def folders_of_splits(root):
    for name in ('training', 'dev', 'my-eval'):
        (root / name / 'deep').mkdir(parents=True)
        (root / name / 'deep' / 'part.jsonl').write_bytes(lines(ROWS[:3]))
    (root / '__pycache__').mkdir()
    (root / '__pycache__' / 'train.jsonl').write_bytes(lines(ROWS))
    (root / '.hidden').mkdir()
    (root / '.hidden' / 'train.jsonl').write_bytes(lines(ROWS))
    (root / 'notes.md').write_text('x')


def names_without_splits(root):
    (root / 'part-b.jsonl').write_bytes(lines(ROWS[:3]))
    (root / 'part-a.jsonl').write_bytes(lines(ROWS[3:9]))
    (root / 'dataset_infos.json').write_text('{}')


LAYOUTS = [parquet_sharded, parquet_by_datasets, json_lines, json_lines_sparse, json_lines_typed, gz_of_members, json_list,
           json_list_of_texts, json_columns, comma_separated, comma_separated_gz, tab_separated, text, arrow, arrow_file,
           webdataset, zip_of_lines, image_folder, image_folder_metadata, image_folder_csv, card_configs,
           folders_of_splits, names_without_splits, image_folder_labels_differ,
           csv_card, csv_types, json_list_sparse, webdataset_upper, zip_unsorted]
PACKED = {'jsonl.gz': gzip.compress, 'jsonl.bz2': bz2.compress, 'jsonl.xz': lzma.compress,
          'jsonl.zst': lambda data: zstandard.ZstdCompressor().compress(data),
          'json.gz': gzip.compress, 'txt.gz': gzip.compress}
ALL = {make.__name__: make for make in LAYOUTS} | {name: packed(name, pack) for name, pack in PACKED.items()}


def made_by_datasets():
    """A dataset of many types, as `datasets` itself holds it."""
    import datetime

    features = datasets.Features({
        'id': datasets.Value('int64'), 'label': datasets.ClassLabel(names=['no', 'yes']), 'text': datasets.Value('string'),
        'score': datasets.Value('float64'), 'tags': datasets.List(datasets.Value('string')),
        'meta': {'lang': datasets.Value('string'), 'when': datasets.Value('timestamp[s]')}})
    day = datetime.datetime(2024, 5, 6, 7, 8, 9)
    return datasets.Dataset.from_list(
        [{'id': i, 'label': i % 2, 'text': f'text "{i}", ă\nline two' if i % 5 else '', 'score': None if i % 7 == 3 else i / 3,
          'tags': [str(i)] * (i % 3), 'meta': {'lang': 'vi' if i % 2 else None, 'when': day if i % 4 else None}}
         for i in range(83)], features)


def flat():
    return made_by_datasets().remove_columns(['tags', 'meta'])


BUILT = {
    'to_parquet': lambda root: made_by_datasets().to_parquet(root / 'train.parquet'),
    'to_parquet_small_batches': lambda root: made_by_datasets().to_parquet(root / 'test.parquet', batch_size=10),
    'to_parquet_shards': lambda root: [made_by_datasets().shard(3, i, contiguous=True).to_parquet(
        root / 'data' / f'validation-{i:05d}-of-00003.parquet') for i in range(3) if (root / 'data').mkdir(exist_ok=True) is None],
    'to_json': lambda root: made_by_datasets().to_json(root / 'train.jsonl'),
    'to_json_gzip': lambda root: made_by_datasets().to_json(root / 'train.jsonl.gz', compression='gzip'),
    'to_json_bz2': lambda root: made_by_datasets().to_json(root / 'train.jsonl.bz2', compression='bz2'),
    'to_json_xz': lambda root: made_by_datasets().to_json(root / 'train.jsonl.xz', compression='xz'),
    'to_json_list': lambda root: made_by_datasets().to_json(root / 'train.json', lines=False, orient='records'),
    'to_csv': lambda root: flat().to_csv(root / 'train.csv'),
    'to_csv_gzip': lambda root: (root / 'train.csv.gz').write_bytes(gzip.compress(_saved(flat().to_csv))),
    'to_csv_tabs': lambda root: flat().to_csv(root / 'train.tsv', sep='\t'),
    'save_to_disk': lambda root: _arrow_only(made_by_datasets().save_to_disk, root),
    'save_to_disk_shards': lambda root: _arrow_only(lambda where: made_by_datasets().save_to_disk(where, num_shards=4), root),
    'save_to_disk_splits': lambda root: _arrow_only(datasets.DatasetDict(
        {'train': made_by_datasets(), 'test': made_by_datasets().select(range(5))}).save_to_disk, root),
}


def _saved(save) -> bytes:
    out = io.BytesIO()
    save(out)
    return out.getvalue()


def _arrow_only(save, root):
    save(root)
    for path in root.rglob('*.json'):
        path.unlink()


ALL |= BUILT


def expected(root, cache, config=None):
    loaded = datasets.load_dataset(str(root), config, cache_dir=str(cache))
    found = {}
    for split, rows in loaded.items():
        for name, feature in rows.features.items():
            if isinstance(feature, (datasets.Image, datasets.Audio)):
                rows = rows.cast_column(name, type(feature)(decode=False))
        found[split] = [plain(row, root) for row in rows]
    return found


def plain(value, root):
    """A value without what is the reader's own: absolute paths, and bytes read of referenced files."""
    if isinstance(value, dict):
        if set(value) == {'path', 'bytes'}:
            path = (value['path'] or '').removeprefix(str(root)).lstrip('/')
            return {'path': path, 'bytes': value['bytes'] and len(value['bytes'])}
        return {k: plain(v, root) for k, v in value.items() if k != '__url__'}
    return [plain(v, root) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize('name', ALL)
def test_rows_equal_those_of_datasets(tmp_path, monkeypatch, name):
    monkeypatch.setenv('HF_DATASETS_DISABLE_PROGRESS_BARS', '1')
    root = tmp_path / 'data'
    root.mkdir()
    ALL[name](root)
    for config in ('en', 'vi', 'whole') if name == 'card_configs' else (None,):
        ours = {key.partition('/')[2]: [plain(row, root) for row in rows]
                for key, rows in read_all(root, subset=config or '').items()}
        theirs = expected(root, tmp_path / 'cache', config)
        assert list(ours) == list(theirs)
        for split, rows in theirs.items():
            assert ours[split] == rows
