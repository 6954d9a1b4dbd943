"""describe_dataset: facts from footers and first rows, in text and JSON, and little read for it."""

import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_pipelines import describe_dataset


def run(*flags):
    return describe_dataset.run(list(flags))


@pytest.fixture
def wide(tmp_path):
    rng = random.Random(5)
    root = tmp_path / 'set'
    root.mkdir()
    for name, rows in (('train-00000-of-00002', 4000), ('train-00001-of-00002', 3000), ('test-00000-of-00001', 10)):
        (root / 'data').mkdir(exist_ok=True)
        table = pa.table({'id': list(range(rows)), 'text': [rng.randbytes(400).hex() for _ in range(rows)]})
        pq.write_table(table, root / 'data' / f'{name}.parquet', row_group_size=1000)
    return root


def test_rows_columns_and_examples(wide, capsys):
    found = run(f'--input={wide}').accounts
    assert [(s['split'], s['rows'], s['columns']) for s in found['splits']] == [
        ('train', 7000, {'id': 'int64', 'text': 'string'}), ('test', 10, {'id': 'int64', 'text': 'string'})]
    assert [row['id'] for row in found['splits'][0]['examples']] == [0, 1, 2]
    printed = capsys.readouterr().out
    assert '7,000' in printed and 'columns of default/train' in printed and '(800 characters)' in printed


def test_footers_and_first_rows_are_all_that_is_fetched(wide, hub, capsys):
    hub.add('me/wide', wide)
    assert run('--input=hf://datasets/me/wide', '--json').exit_code == 0
    size = sum(p.stat().st_size for p in wide.rglob('*.parquet'))
    assert hub.bytes_sent < 0.25 * size
    assert json.loads(capsys.readouterr().out)['revision'] == hub.repos['me/wide'].commit


def test_class_labels_images_and_the_cards_counts(tmp_path, capsys):
    features = {'info': {'features': {'label': {'_type': 'ClassLabel', 'names': ['no', 'yes']}, 'pic': {'_type': 'Image'}}}}
    table = pa.table({'label': [0, 1], 'pic': [{'bytes': b'x' * 50, 'path': 'a.png'}] * 2})
    (tmp_path / 'p').mkdir()
    pq.write_table(table.replace_schema_metadata({'huggingface': json.dumps(features)}), tmp_path / 'p' / 'train.parquet')
    assert run(f'--input={tmp_path}/p').accounts['splits'][0]['columns'] == {
        'label': 'class label (no, yes)', 'pic': 'image'}
    assert '<50 bytes' in capsys.readouterr().out
    (tmp_path / 'j').mkdir()
    (tmp_path / 'j' / 'train.jsonl').write_text('{"a": 1}\n{"a": 2}\n')
    (tmp_path / 'j' / 'README.md').write_text(
        '---\ndataset_info:\n  splits:\n  - name: train\n    num_examples: 2\n---\n')
    found = run(f'--input={tmp_path}/j', '--examples=1').accounts['splits'][0]
    assert (found['rows'], found['rows_by'], found['examples']) == (2, 'card', [{'a': 1}])


def test_a_broken_file_is_a_warning(wide, capsys):
    (wide / 'data' / 'train-00001-of-00002.parquet').write_bytes(b'PAR1 no')
    found = run(f'--input={wide}').accounts['splits'][0]
    assert (found['rows'], found['rows_by']) == (4000, 'readable footers') and len(found['faults']) == 1
    assert 'warning: data/train-00001' in capsys.readouterr().out


@pytest.mark.parametrize(('flags', 'words'), [
    ((), '--input is needed'), (('--input=/nowhere',), 'does not exist'), (('--inptu=x',), 'did you mean --input?'),
    (('--input=/tmp', '--runner=DirectRunner'), 'unknown flag --runner'),
    (('--input=hf://datasets/me/none',), 'no dataset me/none'), (('--input=hf://x',), 'names no dataset')])
def test_wrong_use_is_one_line(hub, capsys, flags, words):
    result = run(*flags)
    assert result.exit_code == 2 and words in result.message
    assert len(capsys.readouterr().err.splitlines()) == 1
