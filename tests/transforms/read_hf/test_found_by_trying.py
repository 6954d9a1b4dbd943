"""Kinds that independent testers found after public reports (the repository and number of each beside it)."""

import bz2
import datetime
import gzip
import io
import json
import os
import random
import tarfile
import uuid
import zipfile

import pyarrow as pa
import pytest

from tests.read_hf import faults, read_all, read_rows
from transforms.read_hf import schemas
from transforms.read_hf.card import DatasetError
from transforms.read_hf.plan import plan_read


def put(root, **files) -> None:
    for name, content in files.items():
        path = root / name.replace('__', '.').replace('README', 'README.md')
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def rows(root, **asked) -> list[dict]:
    return [row for of in read_all(root, **asked).values() for row in of]


@pytest.mark.parametrize('line', [b'null', b'[' * 20_000 + b']' * 20_000, b'{"a":' * 5_000 + b'1' + b'}' * 5_000])
def test_lines_that_killed_pyarrows_reader(tmp_path, line):  # apache/arrow#47409, Tencent/rapidjson#1027
    put(tmp_path, train__jsonl=line + b'\n{"a": 1}\n')
    assert rows_and_faults(tmp_path) == ([{'a': 1}], 1)


def rows_and_faults(root) -> tuple[list[dict], int]:
    found = read_rows(root)
    return [v for _, _, v in found if isinstance(v, dict)], len(faults(found))


@pytest.mark.parametrize(('card', 'words'), [
    ('encoding: foo', "the encoding 'foo'"), ('header: false', 'pandas does not take'),
    ('on_bad_lines: skip', 'on_bad_lines'), ('usecols: [z]\n  parse_dates: [d]', 'parse_dates')])
def test_parameters_of_a_card_that_cannot_be_followed(tmp_path, card, words):
    put(tmp_path, README=f'---\nconfigs:\n- config_name: default\n  data_files: a.csv\n  {card}\n---\n', a__csv='a\n1\n')
    with pytest.raises(DatasetError, match=words):
        plan_read(str(tmp_path))


def test_a_header_of_null_is_no_header(tmp_path):  # kedro#392
    put(tmp_path, README='---\nconfigs:\n- config_name: default\n  data_files: a.csv\n  header: null\n---\n', a__csv='1,2\n3,4\n')
    assert rows(tmp_path) == [{'0': 1, '1': 2}, {'0': 3, '1': 4}]


@pytest.mark.parametrize('card', ['train:\n    a.jsonl\n  train:\n    b.jsonl', 'train: [a.jsonl, gone.jsonl]'])
def test_a_card_that_loses_a_file_is_refused(tmp_path, card):
    put(tmp_path, README=f'---\nconfigs:\n- data_files:\n    {card.replace(chr(10) + "  ", chr(10) + "    ")}\n---\n',
        a__jsonl='{"a": 1}\n', b__jsonl='{"a": 2}\n')
    with pytest.raises(DatasetError, match='given twice|gone.jsonl'):
        plan_read(str(tmp_path))


def test_class_labels_are_numbered_by_their_keys(tmp_path):  # huggingface/datasets#4926
    put(tmp_path, README="---\ndataset_info:\n  features:\n  - name: a\n    dtype:\n      class_label:\n        names:\n"
                         "          '1': pos\n          '0': neg\n---\n", train__csv='a\npos\nneg\n')
    assert rows(tmp_path) == [{'a': 1}, {'a': 0}]


@pytest.mark.parametrize('content', ['id,text\n1,x,\n2,y,\n', 'a,b\n1,2,3\n4,5,6\n'])
def test_csv_rows_with_more_fields_than_the_header(tmp_path, content):  # pandas#14124, #38830, #15203
    put(tmp_path, train__csv=content)
    assert faults(read_rows(tmp_path)) == [(None, 'ExtraFields')]


def test_a_zero_byte_in_a_csv(tmp_path):  # pandas#19886
    put(tmp_path, train__csv=b'a,b\n"x\0y",1\n')
    assert faults(read_rows(tmp_path)) == [(None, 'NulByte')]


def test_a_date_is_no_zone_and_a_date_that_does_not_exist_is_text(tmp_path):
    put(tmp_path, train__jsonl='{"d": "2024-02-28", "e": "2024-02-30"}\n')
    assert rows(tmp_path) == [{'d': datetime.datetime(2024, 2, 28), 'e': '2024-02-30'}]


def test_a_column_that_one_csv_lacks_does_not_lose_its_rows(tmp_path):  # pandas#25986
    put(tmp_path, a__csv='a\n1\n2\n', b__csv='a,b\n3,4\n')
    assert rows(tmp_path, columns=('b',)) == [{'b': None}, {'b': None}, {'b': 4}]


def test_a_readme_at_the_head_of_a_packed_tar(tmp_path):  # huggingface/datasets#5849
    with tarfile.open(tmp_path / 'train.tar.gz', 'w:gz') as tar:
        for name, data in (('README.txt', b'hi'), ('a.jsonl', b'{"a": 1}\n')):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    assert rows(tmp_path) == [{'a': 1}]


def test_zips_with_two_of_a_name_with_other_formats_and_with_too_few_members(tmp_path):
    # python/cpython#117779, kim-em/lean-zip#1729
    path = tmp_path / 'train.zip'
    with zipfile.ZipFile(path, 'w') as made:
        made.writestr('a.jsonl', '{"a": 1}\n')
        made.writestr('b.jsonl', '{"a": 3}\n')
        made.writestr('c.csv', 'a\n9\n')
        with pytest.warns(UserWarning, match='Duplicate'):
            made.writestr('a.jsonl', '{"a": 2}\n')
    assert rows_and_faults(tmp_path) == ([{'a': 2}, {'a': 3}], 1)
    data = bytearray(path.read_bytes())
    data[-14:-10] = b'\x05\0\x05\0'
    data[-12:-10] = b'\x05\0'
    path.write_bytes(data)
    assert faults(read_rows(tmp_path)) == [(None, 'DamagedArchive')]


def test_what_follows_a_bzip2_stream_and_is_none(tmp_path):
    put(tmp_path, train__jsonl__bz2=bz2.compress(b'{"a": 1}\n') + b'XX')
    assert rows_and_faults(tmp_path) == ([{'a': 1}], 1)


def test_an_arrow_stream_that_is_cut_between_batches(tmp_path):  # apache/arrow-go#991
    out = io.BytesIO()
    table = pa.table({'a': list(range(6))})
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    put(tmp_path, train__arrow=out.getvalue()[:-8])
    assert rows_and_faults(tmp_path) == ([{'a': i} for i in range(6)], 1)


def test_a_gzip_under_a_plain_name_and_lz4(tmp_path):
    import gzip

    import lz4.frame
    put(tmp_path, a__csv=gzip.compress(b'a\n1\n'), b__csv__lz4=lz4.frame.compress(b'a\n2\n'))
    assert rows(tmp_path) == [{'a': 1}, {'a': 2}]


def test_metadata_of_images_has_one_schema_and_must_name_files(tmp_path):  # huggingface/datasets#7169, #6777
    from PIL import Image

    for folder, text in (('x', '007'), ('y', 'z')):
        (tmp_path / folder).mkdir()
        Image.new('L', (2, 2)).save(tmp_path / folder / 'a.png')
        (tmp_path / folder / 'metadata.csv').write_text(f'file_name,text\na.png,{text}\n')
    assert [row['text'] for row in rows(tmp_path)] == ['007', 'z']
    (tmp_path / 'x' / 'metadata.csv').write_text('text\nq\n')
    assert [error for _, error in faults(read_rows(tmp_path))] == ['NoFileName']


@pytest.mark.parametrize(('line', 'values', 'errors'), [
    ('{"id": 1}{"id": 2}{"id":', [1, 2], ['InvalidJson']), ('{"id": 1}{"id": "\\ud800"}{"id": 3}', [1, 3], ['LoneSurrogate']),
    ('{"id": 1} [2] {"id": 3}', [1, 3], ['NotARecord']), ('{"id": 1, [2]} {"id": 3}', [], ['InvalidJson'])])
@pytest.mark.parametrize('number', [0, 1])
def test_good_texts_of_a_line_that_breaks_off_are_kept(tmp_path, line, values, errors, number):
    other = '{"id": 9}\n'
    put(tmp_path, train__jsonl=other * number + line + '\n' + other)
    found = read_rows(tmp_path)
    assert [v['id'] for _, _, v in found if isinstance(v, dict)] == [9] * number + values + [9]
    assert [error for _, error in faults(found)] == errors


@pytest.mark.parametrize(('text', 'values', 'errors'), [
    ('{\n{"a": 1}\n{"a": 2}\n', [1, 2], ['InvalidJson']), ('{\n"a": 1}\n{\n"a": 2}\n', [1, 2], []), ('{\n\n"a": 1}\n', [1], [])])
def test_a_lone_brace_is_a_broken_line_or_the_begin_of_an_object(tmp_path, text, values, errors):
    put(tmp_path, train__jsonl=text)
    found = read_rows(tmp_path)
    assert [v['a'] for _, _, v in found if isinstance(v, dict)] == values
    assert [error for _, error in faults(found)] == errors


def test_a_list_in_a_gzip_of_many_members_is_never_cut(tmp_path):
    content = [{'id': i, 't': random.Random(i).randbytes(90).hex()} for i in range(20_000)]
    text = json.dumps(content).encode()
    put(tmp_path, train__json__gz=b''.join(gzip.compress(text[at:at + (1 << 20)]) for at in range(0, len(text), 1 << 20)))
    assert rows(tmp_path, part_bytes=1 << 20) == content


def test_a_file_is_planned_without_looking_around_it(tmp_path, monkeypatch):
    """Its folder may be a home or the root of a disk."""
    put(tmp_path, train__jsonl='{"a": 1}\n')
    (tmp_path / 'around').mkdir()
    monkeypatch.setattr(os, 'walk', None)
    assert rows(tmp_path / 'train.jsonl') == [{'a': 1}]
    monkeypatch.chdir(tmp_path)
    assert rows('train.jsonl') == [{'a': 1}]


def test_no_source_is_no_dataset():
    with pytest.raises(DatasetError, match='no dataset is given'):
        plan_read('')


def test_what_decides_records_is_an_input(tmp_path):
    """The card, and the folders of other splits, which are labels of images too."""
    for split, label in (('train', 'cat'), ('test', 'dog')):
        (tmp_path / split / label).mkdir(parents=True)
        put(tmp_path / split / label, a__png=b'')
    put(tmp_path, README='---\nlicense: mit\n---\n')
    assert sorted(path for path, _, _ in plan_read(str(tmp_path), split='train').inputs) == ['README.md', 'test/dog/a.png', 'train/cat/a.png']


@pytest.mark.parametrize(('cells', 'values'), [
    (['9007199254740993', '', '5'], ['9007199254740993', None, '5']), (['9007199254740992', '', '5'], [2.0 ** 53, None, 5.0]),
    (['1e300', '', '5'], [1e300, None, 5.0]), (['12345678901234567.5', '', ' 5'], [12345678901234568.0, None, 5.0])])
def test_csv_integers_that_no_float_holds_are_text(tmp_path, cells, values):  # huggingface/datasets#8365
    put(tmp_path, train__csv='id,big\n' + ''.join(f'1,{cell}\n' for cell in cells))
    assert [row['big'] for row in rows(tmp_path)] == values


def test_csv_integers_that_were_not_looked_at_are_failed_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(schemas, 'LOOK_WHOLE', 10)
    monkeypatch.setattr(schemas, 'LOOK_HEAD', 100)
    put(tmp_path, train__csv='id,big\n' + '1,2\n1,\n' * 200_000 + '2,9007199254740993\n3,4\n3,\n')
    found = read_rows(tmp_path)
    assert faults(found) == [(400_000, 'TypeMismatch')]
    assert [row for _, _, row in found[-2:]] == [{'id': 3, 'big': 4.0}, {'id': 3, 'big': None}]


def test_a_time_without_zone_is_not_given_one(tmp_path):  # apache/texera#7666
    values = ['2024-01-01T00:00:00', '2024-01-01T00:00:00+05:00']
    put(tmp_path, train__jsonl='\n'.join(json.dumps({'t': value}) for value in values))
    assert [row['t'] for row in rows(tmp_path)] == values


def test_avro_uuids_are_texts(tmp_path):  # fastavro#310
    import fastavro

    schema = {'type': 'record', 'name': 'r', 'fields': [{'name': 'u', 'type': ['null', {'type': 'string', 'logicalType': 'uuid'}]},
                                                        {'name': 'l', 'type': {'type': 'array', 'items': {'type': 'string', 'logicalType': 'uuid'}}}]}
    value = '12345678-1234-5678-1234-567812345678'
    with open(tmp_path / 'train.avro', 'wb') as target:
        fastavro.writer(target, schema, [{'u': uuid.UUID(value), 'l': [uuid.UUID(value)]}, {'u': None, 'l': []}])
    assert rows(tmp_path) == [{'u': value, 'l': [value]}, {'u': None, 'l': []}]


def test_a_sample_in_two_places_of_a_tar_is_no_record(tmp_path):  # ray-project/ray#65044
    with tarfile.open(tmp_path / 'train.tar', 'w') as tar:
        for name in ('a.txt', 'b.txt', 'a.cls', 'b.cls', 'c.txt', 'c.cls'):
            info = tarfile.TarInfo(name)
            info.size = 1
            tar.addfile(info, io.BytesIO(b'1'))
    found = read_rows(tmp_path)
    assert [error for _, error in faults(found)] == ['DividedSample', 'DividedSample']
    assert [v['__key__'] for _, _, v in found if isinstance(v, dict)] == ['a', 'b', 'c']


def test_all_is_no_name_of_a_split(tmp_path):
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'all-00000-of-00001.jsonl').write_text('{"a": 1}\n')
    with pytest.raises(DatasetError, match="'all' is no name of a split"):
        plan_read(str(tmp_path))
    put(tmp_path, README='---\nconfigs:\n- data_files:\n  - {split: all, path: data/*}\n---\n')
    with pytest.raises(DatasetError, match="'all', which means all"):
        plan_read(str(tmp_path))


NS = pa.time64('ns')


@pytest.mark.parametrize('array', [
    pa.array([[1234567891], [1000]], pa.list_(NS)), pa.array([{'t': 86399999999999}, {'t': 5000}], pa.struct([('t', NS)])),
    pa.array([[('a', 1234567891)], [('b', 2000)]], pa.map_(pa.string(), NS)), pa.array([1234567891, 1000], NS).dictionary_encode(),
    pa.array([[1, 2], [3000, 4000]], pa.list_(NS, 2)), pa.array([[1], [1000]], pa.list_view(NS))], ids=lambda array: str(array.type))
def test_nanoseconds_of_a_day_within_a_value_are_never_dropped(tmp_path, array):  # huggingface/datasets#8391
    table = pa.table({'t': array})
    with pa.ipc.new_file(tmp_path / 'train.arrow', table.schema) as target:
        target.write_table(table)
    assert faults(read_rows(tmp_path)) == [(0, 'UnreadableValue')]
