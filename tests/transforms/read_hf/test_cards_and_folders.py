"""Cards, folders of images, saved datasets and Git LFS pointers: the values of `datasets`, or a word on what is not read."""

import io
import os
import tarfile
import zipfile
from pathlib import Path

import datasets
import pytest
from PIL import Image

from tests.read_hf import faults, read_all, read_rows
from transforms.read_hf.card import DatasetError
from transforms.read_hf.plan import plan_read
from transforms.read_hf.read_hf import ReadHF

POINTER = b'version https://git-lfs.github.com/spec/v1\noid sha256:' + b'a' * 64 + b'\nsize 12345678\n'
ALL_FILES = 'configs:\n- config_name: default\n  data_files: "**"\n'
PICTURES = {'a.png': None, 'b.png': None}


def make(folder: Path, card: str, files: dict[str, str | bytes | None]) -> Path:
    """A dataset of small files; None stands for a picture."""
    if card:
        (folder / 'README.md').write_text(f'---\n{card}\n---\n')
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            Image.new('RGB', (4, 4)).save(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def by_datasets(folder: Path) -> dict[str, list]:
    """What `datasets` reads, pictures as their paths."""
    return {split: [plain(row) for row in of.data.to_pylist()] for split, of in datasets.load_dataset(str(folder), cache_dir=f'{folder}-cache').items()}


def plain(value: object) -> object:
    """Pictures as their paths."""
    if isinstance(value, dict):
        return value['path'] if set(value) == {'path', 'bytes'} else {name: plain(of) for name, of in value.items()}
    return [plain(of) for of in value] if isinstance(value, list) else value


@pytest.mark.parametrize(('card', 'files'), [
    (f'{ALL_FILES}  drop_metadata: true', {**PICTURES, 'metadata.csv': 'file_name,t\na.png,x\nb.png,y\n'}),
    (f'{ALL_FILES}  drop_metadata: true\n  drop_labels: false', {'x/a.png': None, 'y/b.png': None, 'metadata.csv': 'file_name,t\na.png,x\n'}),
    (f'{ALL_FILES}  drop_labels: true', {'x/a.png': None, 'y/b.png': None}),
    (f'{ALL_FILES}  metadata_filenames: [captions.csv]', {**PICTURES, 'captions.csv': 'file_name,t\na.png,x\nb.png,y\n'}),
    (f'{ALL_FILES}  metadata_filenames: captions.csv', {**PICTURES, 'captions.csv': 'file_name,t\na.png,x\nb.png,y\n'}),
    (f'{ALL_FILES}  decode_num_threads: 2', PICTURES),
    ('', {**PICTURES, 'metadata.jsonl': '{"file_names":["a.png"],"y_file_names":["b.png","a.png"]}\n'}),
    ('', {**PICTURES, 'metadata.jsonl': '{"x":{"file_name":"a.png","k":1},"l":[{"file_name":"b.png"}]}\n'}),
    ('', {**PICTURES, 'metadata.jsonl': '{"file_name":"a.png","o_file_name":null}\n{"file_name":null,"o_file_name":"b.png"}\n'}),
    ('', {'s/a.png': None, 'metadata.csv': 'file_name,t\ns\\a.png,x\n'}),
    ('', {'s/a.png': None, 'metadata.csv': 'file_name,t\n./s//a.png,x\n'}),
    ('', {'A.PNG': None, 'ü b.png': None, 'metadata.csv': 'file_name,t\nA.PNG,x\nü b.png,y\n'}),
    ("configs:\n- config_name: '2024'\n  data_files: data//a.csv\n  default: true\n- config_name: '2023'\n  data_files: b.csv",
     {'data/a.csv': 'n\n1\n', 'b.csv': 'n\n2\n'}),
    ('configs:\n- config_name: default\n  data_files: a.csv\n  features: [{name: n, dtype: string}]', {'a.csv': 'n\n007\n'}),
    ('configs:\n- config_name: default\n  data_files: a.csv\n  usecols: [n]\n  nrows: 1\n  skiprows: 1', {'a.csv': 'z\nn,m\n1,2\n3,4\n'}),
], ids=lambda value: '' if isinstance(value, dict) else value.replace('\n', ' ')[-50:])
def test_as_datasets_reads_it(tmp_path, card, files):
    folder = make(tmp_path, card, files)
    ours = {label.partition('/')[2]: [plain(row) for row in rows] for label, rows in read_all(folder).items()}
    assert {split: [absolute(row) for row in rows] for split, rows in ours.items()} == {
        split: [absolute(row) for row in rows] for split, rows in by_datasets(folder).items()}


def absolute(value: object) -> object:
    """Paths without what leads nowhere."""
    if isinstance(value, dict):
        return {name: absolute(of) for name, of in value.items()}
    if isinstance(value, list):
        return [absolute(of) for of in value]
    return os.path.normpath(value) if isinstance(value, str) and value.startswith('/') else value


@pytest.mark.parametrize(('file', 'param'), [
    ('a.csv', 'index_col: 0'), ('a.csv', 'dialect: excel'), ('a.csv', 'error_bad_lines: false'), ('a.csv', 'foo: 1'),
    ('a.csv', 'drop_labels: true'), ('a.csv', 'columns: n'), ('a.jsonl', 'field: data'), ('a.jsonl', 'sep: ";"'),
    ('a.jsonl', 'chunks: 1'), ('a.txt', 'sample_by: paragraph'), ('a.txt', 'keep_linebreaks: true'), ('a.parquet', 'encoding: latin-1'),
    ('a.parquet', 'filters: [[n, "=", 1]]'), ('a.arrow', 'batch_size: 3'), ('a.tar', 'encoding: latin-1'),
    ('a.png', 'filters: [[n, "=", 1]]'), ('a.png', 'sep: ";"'), ('a.png', 'drop_metadata: some'), ('a.png', 'metadata_filenames: [1]')])
def test_a_parameter_that_is_not_followed_is_named(tmp_path, file, param):
    folder = make(tmp_path, f'configs:\n- config_name: default\n  data_files: {file}\n  {param}', {file: b'n\n1\n'})
    with pytest.raises(DatasetError, match=f"gives {param.partition(':')[0]}"):
        plan_read(str(folder))


def test_names_of_configs_that_are_integers(tmp_path):
    folder = make(tmp_path, 'configs:\n- config_name: 2023\n  data_files: b.csv\n- config_name: 2024\n  data_files: a.csv\n  default: true',
                  {'a.csv': 'n\n1\n', 'b.csv': 'n\n2\n'})
    assert read_all(folder) == {'2024/train': [{'n': 1}]} and read_all(folder, subset='2023') == {'2023/train': [{'n': 2}]}


def test_the_yaml_beside_the_card_counts_more(tmp_path):
    folder = make(tmp_path, 'configs:\n- config_name: old\n  data_files: b.csv', {
        'a.csv': 'n\n1\n', 'b.csv': 'n\n2\n', '.huggingface.yaml': 'configs:\n- config_name: new\n  data_files: [{split: s, path: a.csv}]\n'})
    assert read_all(folder) == {'new/s': [{'n': 1}]} and by_datasets(folder) == {'s': [{'n': 1}]}
    assert {file.path for file in plan_read(str(folder)).beside} == {'README.md', '.huggingface.yaml'}


def test_what_save_to_disk_leaves(tmp_path):
    rows = datasets.Dataset.from_dict({'a': [1, 2, 3]})
    rows.select([2, 0]).save_to_disk(str(tmp_path / 'one'), num_shards=2)
    datasets.DatasetDict({'foo': rows, 'bar': rows.select([1])}).save_to_disk(str(tmp_path / 'several'))
    assert read_all(tmp_path / 'one') == {'default/train': [{'a': 3}, {'a': 1}]}
    assert read_all(tmp_path / 'several') == {'default/foo': [{'a': 1}, {'a': 2}, {'a': 3}], 'default/bar': [{'a': 2}]}
    state = tmp_path / 'one' / 'state.json'
    state.write_text(state.read_text().replace('"_fingerprint"', '"_indices_data_files": [{"filename": "i.arrow"}], "_fingerprint"'))
    with pytest.raises(DatasetError, match='indices file'):
        plan_read(str(tmp_path / 'one'))


def test_links_are_followed_and_circles_are_not(tmp_path):
    (tmp_path / 'real').mkdir()
    real = make(tmp_path / 'real', '', {'train.jsonl': '{"a": 1}\n'})
    for name, target in (('folder', real), ('file', real / 'train.jsonl'), ('circle', None), ('nowhere', Path('/no/such'))):
        (tmp_path / name).mkdir()
        if name == 'circle':
            (tmp_path / name / 'self').symlink_to(tmp_path / name)
            (tmp_path / name / 'train.jsonl').write_text('{"a": 1}\n')
        else:
            (tmp_path / name / ('data' if name == 'folder' else 'train.jsonl')).symlink_to(target)
    for name in ('folder', 'file', 'circle'):
        assert read_all(tmp_path / name) == {'default/train': [{'a': 1}]}
    assert faults(read_rows(tmp_path / 'nowhere')) == [(None, 'FileMissing')]


def test_a_link_to_a_folder_beside_it(tmp_path):
    (tmp_path / 'd').mkdir()
    make(tmp_path / 'd', 'configs:\n- config_name: default\n  data_files: data/*.jsonl', {'zreal/a.jsonl': '{"a": 1}\n'})
    (tmp_path / 'd' / 'data').symlink_to('zreal')
    (tmp_path / 'd' / 'zreal' / 'up').symlink_to('..')
    assert read_all(tmp_path / 'd') == {'default/train': [{'a': 1}]} == {f'default/{name}': rows for name, rows in by_datasets(tmp_path / 'd').items()}
    (tmp_path / 'two').mkdir()
    for name, other in (('x', 'y'), ('y', 'x')):  # each leads into the other
        make(tmp_path / 'two', '', {f'{name}/{name}.jsonl': '{"a": 1}\n'})
        (tmp_path / 'two' / name / 'other').symlink_to(f'../{other}')
    assert len(read_all(tmp_path / 'two')['default/train']) == 4


def packed(kind: str) -> bytes:
    """A data file that is a pointer, in an archive."""
    out = io.BytesIO()
    if kind == 'zip':
        with zipfile.ZipFile(out, 'w') as archive:
            archive.writestr('a.jsonl', POINTER)
    else:
        with tarfile.open(fileobj=out, mode='w:gz' if kind == 'tar.gz' else 'w') as archive:
            member = tarfile.TarInfo('a.jpg' if kind == 'tar' else 'a.jsonl')
            member.size = len(POINTER)
            archive.addfile(member, io.BytesIO(POINTER))
    return out.getvalue()


@pytest.mark.parametrize('files', [
    *({f'train.{ending}': POINTER} for ending in (
        'parquet', 'jsonl', 'json', 'csv', 'tsv', 'txt', 'arrow', 'avro', 'tar', 'tar.gz', 'zip', 'jsonl.gz', 'jsonl.zst', 'json.bz2',
        'csv.xz', 'txt.lz4')),
    {'a.jpg': POINTER}, {'a.jpg': POINTER, 'metadata.csv': 'file_name,t\na.jpg,x\n'}, {'a.jpg': b'', 'metadata.jsonl': POINTER},
    {'train.zip': packed('zip')}, {'train.tar.gz': packed('tar.gz')}, {'train.tar': packed('tar')},
    {'state.json': '{"_data_files": [{"filename": "data.arrow"}]}', 'data.arrow': POINTER},
], ids=lambda files: '+'.join(files))
def test_a_git_lfs_pointer_says_so_in_every_layout(tmp_path, files):
    found = faults(read_rows(make(tmp_path, '', files)))
    assert [error for _, error in found] == ['LfsPointer']


@pytest.mark.parametrize('name', ['README.md', '.huggingface.yaml'])
def test_a_card_that_is_a_pointer(tmp_path, name):
    make(tmp_path, '', {name: POINTER, 'train.csv': 'n\n1\n'})
    with pytest.raises(DatasetError, match=f'{name}.*Git LFS pointer'):
        plan_read(str(tmp_path))


def test_a_path_object_is_a_source(tmp_path):
    make(tmp_path, '', {'train.csv': 'n\n1\n'})
    assert ReadHF(tmp_path).plan.files == ReadHF(f'file://{tmp_path}').plan.files == 1


LABELLED = 'dataset_info:\n  features:\n  - name: z\n    dtype:\n      class_label:\n        names:\n'


@pytest.mark.parametrize(('names', 'cells'), [(('1', '2', '3', '4', '5'), (0, 1, 4)), (('1', '0'), (0, 1)), (('no', 'yes'), ('yes', 'no'))])
def test_numbers_in_a_csv_are_numbers_of_labels(tmp_path, names, cells):
    card = LABELLED + '\n'.join(f'          "{i}": "{name}"' for i, name in enumerate(names))
    make(tmp_path, card, {'train.csv': 'z\n' + '\n'.join(map(str, cells)) + '\n'})
    found = [row['z'] for row in read_all(tmp_path)['default/train']]
    assert found == [row['z'] for row in by_datasets(tmp_path)['train']]


@pytest.mark.parametrize(('card', 'line'), [
    ('configs:\n- config_name: no\n  data_files: a.jsonl', 'a config_name that YAML reads as false: put it in quotes'),
    ('configs:\n- config_name: x\n  data_files:\n  - split: on\n    path: a.jsonl', 'a split that YAML reads as true'),
    ('configs:\n- config_name: x\n  default: true\n  data_files: a.jsonl\n- config_name: y\n  default: true\n  data_files: a.jsonl', 'several configs the default one'),
    ('dataset_info:\n  features:\n  - name: id\n    dtype: str', 'gives id the dtype str, which `datasets` does not have'),
    ('dataset_info:\n  features:\n  - name: 7\n    dtype: string', 'a feature whose name is no text: 7'),
])
def test_what_a_card_must_not_say(tmp_path, card, line):
    make(tmp_path, card, {'a.jsonl': '{"id": "007"}\n'})
    with pytest.raises(DatasetError, match=line.replace('`', '.')):
        ReadHF(tmp_path)


def test_a_config_whose_name_is_zero(tmp_path):
    make(tmp_path, 'configs:\n- config_name: 0\n  data_files: a.jsonl\n- config_name: 1\n  data_files: b.jsonl', {'a.jsonl': '{"i": 1}\n', 'b.jsonl': '{"i": 2}\n'})
    assert sorted(split.subset for split in plan_read(str(tmp_path), subset='all').splits) == ['0', '1']


def test_a_card_in_utf_16(tmp_path):
    make(tmp_path, '', {'a.jsonl': '{"i": 1}\n', 'README.md': '---\nlicense: mit\n---\n'.encode('utf-16')})
    with pytest.raises(DatasetError, match='is UTF-16: save it as UTF-8'):
        ReadHF(tmp_path)


def saved(folder: Path) -> Path:
    datasets.DatasetDict({name: datasets.Dataset.from_dict({'i': [1, 2, 3]}) for name in ('train', 'fr')}).save_to_disk(str(folder))
    return folder


@pytest.mark.parametrize(('damage', 'line'), [
    (lambda f: [(f / 'fr' / name).unlink() for name in os.listdir(f / 'fr')], 'names the split fr, whose state.json is not there'),
    (lambda f: (f / 'fr' / 'state.json').unlink(), 'names the split fr, whose state.json is not there'),
    (lambda f: (f / 'fr' / 'state.json').write_text('{"_data_fi'), 'state.json cannot be read'),
    (lambda f: (f / 'fr' / 'state.json').write_text('{"_data_files": []}'), 'names no data file'),
    (lambda f: (f / 'dataset_dict.json').write_bytes(POINTER), 'dataset_dict.json cannot be read'),
])
def test_saved_datasets_that_are_not_whole(tmp_path, damage, line):
    folder = saved(tmp_path / 'd')
    damage(folder)
    with pytest.raises(DatasetError, match=line):
        ReadHF(folder)


def test_an_empty_metadata_file_beside_images(tmp_path):
    make(tmp_path, '', {**PICTURES, 'metadata.jsonl': ''})
    with pytest.raises(DatasetError, match='is empty, beside files that it would name'):
        ReadHF(tmp_path)


def test_a_limit_below_zero(tmp_path):
    with pytest.raises(ValueError, match='limit=-1 must be at least 0'):
        ReadHF(tmp_path, limit=-1)


def test_a_name_that_is_spelt_in_two_ways(tmp_path):
    make(tmp_path, '', {'e\u0301.png': None, 'metadata.jsonl': '{"file_name": "\u00e9.png"}\n'})
    (row,) = read_all(tmp_path)['default/train']
    assert Path(row['image']['path']).name == 'e\u0301.png'


def test_a_file_beside_the_zip_of_the_others(tmp_path):
    make(tmp_path, '', {'loose.png': None, 'metadata.jsonl': '{"file_name": "loose.png"}\n{"file_name": "in.png"}\n'})
    with zipfile.ZipFile(tmp_path / 'a.zip', 'w') as images:
        images.write(tmp_path / 'loose.png', 'in.png')
    found = read_all(tmp_path)['default/train']
    assert [(Path(row['image']['path']).name, bool(row['image']['bytes'])) for row in found] == [('loose.png', False), ('in.png', True)]
