"""convert: its output is what `datasets` reads of its input, in every layout; it accounts for what it cannot write."""

import argparse
import datetime
import decimal
import gzip
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_pipelines import convert
from options.context import Context
from options.convert import convert_settings
from tests.transforms.read_hf.test_parity import ALL, expected


def run(source, output, *flags):
    result = convert.run(['--input', str(source), '--output', str(output), '--progress=off', *flags])
    assert result.exit_code in (0, 1, 2), result
    return result


def rows_of(output, split='train'):
    """The records of a split as they were written."""
    return [json.loads(line) for path in sorted((output / 'data').glob(f'{split}-*.jsonl.gz'))
            for line in gzip.decompress(path.read_bytes()).splitlines()]


def changed(value, change):
    """A value with `change` made to each object and scalar in it, from the inside out."""
    if isinstance(value, dict):
        return change({key: changed(inner, change) for key, inner in value.items()})
    return [changed(inner, change) for inner in value] if isinstance(value, list) else change(value)


def sized_as_base64(value):
    """Of payloads only the size counts."""
    if isinstance(value, dict) and set(value) == {'path', 'bytes'} and value['bytes']:
        return {**value, 'bytes': -(-value['bytes'] // 3) * 4}
    return value


def untimed(value):
    """Times as texts, as JSON lines hold them: `datasets` makes times of them again."""
    return value.isoformat() if isinstance(value, datetime.date) else value


def without_none(value):
    return {key: inner for key, inner in value.items() if inner is not None} if isinstance(value, dict) else value


def relative_to(root):
    """Makes the paths of references what they are in the input."""
    return lambda value: {**value, 'path': value['path'].removeprefix(f'{root}/'.lstrip('/'))} \
        if isinstance(value, dict) and value.get('path') else value


@pytest.mark.parametrize('name', ALL)
def test_what_is_written_is_what_datasets_reads_of_the_input(tmp_path, monkeypatch, name):
    monkeypatch.setenv('HF_DATASETS_DISABLE_PROGRESS_BARS', '1')
    root = tmp_path / 'data'
    root.mkdir()
    ALL[name](root)
    for config in ('en', 'vi', 'whole') if name == 'card_configs' else (None,):
        theirs = expected(root, tmp_path / 'cache', config)
        for kind in ('parquet', 'jsonl'):
            output = tmp_path / kind
            assert run(root, output, f'--format={kind}').state == 'done'
            ours = expected(output, tmp_path / 'cache', config)
            assert list(ours) == list(theirs)
            for split, rows in theirs.items():
                found = changed(ours[split], relative_to(root))
                if kind == 'parquet':  # whose objects have all keys of their column
                    assert changed(found, without_none) == changed(rows, without_none)
                else:
                    assert changed(found, untimed) == changed(changed(rows, sized_as_base64), untimed)


def lines(rows):
    return ''.join(json.dumps(row) + '\n' for row in rows)


def test_columns_limit_split_and_subset(tmp_path):
    for subset in ('en', 'vi'):
        (tmp_path / 'in' / subset).mkdir(parents=True)
        for split in ('train', 'test'):
            (tmp_path / 'in' / subset / f'{split}.jsonl').write_text(lines({'id': i, 'text': subset, 'x': 1} for i in range(9)))
    (tmp_path / 'in' / 'README.md').write_text('---\nlicense: mit\nconfigs:\n' + ''.join(
        f'- config_name: {s}\n  data_files:\n  - {{split: train, path: {s}/train.jsonl}}\n  - {{split: test, path: {s}/test.jsonl}}\n'
        for s in ('en', 'vi')) + '---\n')
    assert run(tmp_path / 'in', tmp_path / 'all').accounts['totals']['written'] == 36
    assert sorted(str(p.relative_to(tmp_path / 'all')) for p in (tmp_path / 'all' / 'data').rglob('*.gz')) == [
        f'data/{subset}/{split}-00000-of-00001.jsonl.gz' for subset in ('en', 'vi') for split in ('test', 'train')]
    assert 'license: mit' in (tmp_path / 'all' / 'README.md').read_text()
    run(tmp_path / 'in', tmp_path / 'few', '--subset=vi', '--split=test', '--columns=text,id', '--limit=3')
    assert rows_of(tmp_path / 'few', 'test') == [{'text': 'vi', 'id': i} for i in range(3)]
    assert run(tmp_path / 'in', tmp_path / 'none', '--subset=vi', '--split=tst').message.endswith('did you mean test?')
    assert 'has no column txt; did you mean text?' in run(tmp_path / 'in', tmp_path / 'none', '--columns=txt').message


def test_a_limited_parquet_gives_exactly_its_first_rows_of_several_files_and_groups(tmp_path):
    (tmp_path / 'in').mkdir()
    for number in range(3):
        table = pa.table({'id': range(number * 50, number * 50 + 50)})
        pq.write_table(table, tmp_path / 'in' / f'train-{number}.parquet', row_group_size=7)
    for limit in (1, 7, 50, 60, 150, 999):
        assert run(tmp_path / 'in', tmp_path / str(limit), f'--limit={limit}').state == 'done'
        assert [row['id'] for row in rows_of(tmp_path / str(limit))] == list(range(min(limit, 150)))


VALUES = [
    ([1, 'x', None], 'string', ['1', '"x"', None]), ([{'a': 1}, {'a': 'x'}], 'string', ['{"a":1}', '{"a":"x"}']),
    ([{}, {}], 'string', ['{}', '{}']), ([1, 2.5], 'double', [1.0, 2.5]), ([None, None], 'null', [None, None]),
    ([[], [1]], 'list<element: int64>', [[], [1]]), ([2 ** 70, 1], 'string', [str(2 ** 70), '1']),
    ([{'a': {'b': 1}}, {'a': {'c': 'x'}}], 'struct<a: struct<b: int64, c: string>>',
     [{'a': {'b': 1, 'c': None}}, {'a': {'b': None, 'c': 'x'}}]),
    ([{'d': '2020-01-01'}, None], 'struct<d: string>', [{'d': '2020-01-01'}, None]),
    ([['2020-01-01'], ['2021-03-04'], []], 'list<element: string>', [['2020-01-01'], ['2021-03-04'], []]),
    ([[1, 'x'], [2]], 'string', ['[1,"x"]', '[2]']), ([[1, 'x'], [2.5], [3]], 'string', ['[1,"x"]', '[2.5]', '[3]']),
    ([[2 ** 64 - 1, 1], [2]], 'string', [f'[{2 ** 64 - 1},1]', '[2]']),
    ([True, False], 'bool', [True, False]), ([True, 1], 'string', ['true', '1'])]


@pytest.mark.parametrize('values', VALUES, ids=[str(values[0])[:30] for values in VALUES])
def test_a_column_has_one_type_in_parquet_and_no_value_is_lost(tmp_path, values):
    values, kind, expected_values = values
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'train.jsonl').write_text(lines({'v': value, 'w': 1} for value in values))
    assert run(tmp_path / 'in', tmp_path / 'out', '--format=parquet').accounts['totals']['written'] == len(values)
    table = pq.read_table(tmp_path / 'out' / 'data')
    assert (str(table.schema.field('v').type), table['v'].to_pylist()) == (kind, expected_values)


def test_what_was_not_seen_when_types_were_taken_is_a_failed_record(tmp_path, monkeypatch):
    """Arrow would drop an unknown key of an object in silence."""
    from transforms.shards import column_types

    monkeypatch.setattr(column_types, 'LOOK_WHOLE', 10)
    monkeypatch.setattr(column_types, 'LOOK_HEAD', 10)
    (tmp_path / 'in').mkdir()
    rows = [{'m': {'a': 1, 'p': None}} for _ in range(1500)]
    (tmp_path / 'in' / 'train.jsonl').write_text(lines([*rows, {'m': {'a': 2, 'new': 3}}, {'m': {'a': 'text'}}, {'m': {'a': 5, 'p': 'path'}}]))
    result = run(tmp_path / 'in', tmp_path / 'out', '--format=parquet')
    assert (result.accounts['totals']['written'], result.accounts['totals']['failed']) == (1501, {'TypeMismatch': 2})
    said = [json.loads(line)['message'] for line in (tmp_path / 'out' / 'errors.jsonl').read_text().splitlines()]
    assert 'm has the key new' in said[0]
    assert 'm.a is str, an integer is expected' in said[1]


def test_values_that_json_has_no_form_for(tmp_path):
    (tmp_path / 'in').mkdir()
    table = pa.table({'b': [b'\x00\xff'], 'd': pa.array([datetime.date(2024, 1, 2)]), 't': pa.array([datetime.time(3, 4)]),
                      'n': [float('nan')], 'm': pa.array([[('k', 1)]], pa.map_(pa.string(), pa.int64())),
                      'x': pa.array(['1.50']).cast(pa.decimal128(5, 2)), 'u': pa.array([datetime.timedelta(seconds=5)])})
    pq.write_table(table, tmp_path / 'in' / 'train.parquet')
    run(tmp_path / 'in', tmp_path / 'out')
    row, = rows_of(tmp_path / 'out')
    assert row.pop('n') != 0
    assert row == {'b': 'AP8=', 'd': '2024-01-02', 't': '03:04:00', 'm': [['k', 1]], 'x': '1.50', 'u': '0:00:05'}
    assert run(tmp_path / 'in', tmp_path / 'same', '--format=parquet').state == 'done'
    assert pq.read_table(tmp_path / 'same' / 'data').drop_columns('n').equals(table.drop_columns('n'))


def test_features_survive(tmp_path):
    import datasets

    (tmp_path / 'in').mkdir()
    features = datasets.Features({'label': datasets.ClassLabel(names=['no', 'yes']), 'n': datasets.Value('int16')})
    datasets.Dataset.from_list([{'label': 1, 'n': 3}], features).to_parquet(tmp_path / 'in' / 'train.parquet')
    run(tmp_path / 'in', tmp_path / 'out', '--format=parquet')
    assert datasets.load_dataset(str(tmp_path / 'out'), cache_dir=str(tmp_path / 'cache'))['train'].features == features


def test_names_of_strangers_lead_nowhere(tmp_path):
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'a.jsonl').write_text('{"id": 1}\n')
    (tmp_path / 'in' / 'README.md').write_text(
        '---\nconfigs:\n- config_name: ../../x\n  data_files: a.jsonl\n- config_name: ../../X\n  data_files: a.jsonl\n'
        '- config_name: "."\n  data_files:\n  - {split: "../t", path: a.jsonl}\n---\n')
    assert run(tmp_path / 'in', tmp_path / 'out').accounts['totals']['written'] == 3
    made = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob('*.gz'))
    assert len(made) == 3
    assert all(path.startswith('out/data/') for path in made)


def test_parts_that_are_done_are_not_read_again_and_failed_ones_are(tmp_path):
    (tmp_path / 'in').mkdir()
    for name in 'abc':
        (tmp_path / 'in' / f'train-{name}.jsonl').write_text(lines({'id': i, 'text': name * 9000} for i in range(100)))
    good = (tmp_path / 'in' / 'train-b.jsonl').read_bytes()
    stat = (tmp_path / 'in' / 'train-b.jsonl').stat()
    (tmp_path / 'in' / 'train-b.jsonl').write_bytes(b'x' * 100 + b'\n' + good[101:])
    os.utime(tmp_path / 'in' / 'train-b.jsonl', ns=(stat.st_atime_ns, stat.st_mtime_ns))
    flags = ('--shard_size=1MB', '--max_failures=0')
    assert run(tmp_path / 'in', tmp_path / 'out', *flags).state == 'failed'
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / 'out' / 'data').iterdir()}
    (tmp_path / 'in' / 'train-b.jsonl').write_bytes(good)
    os.utime(tmp_path / 'in' / 'train-b.jsonl', ns=(stat.st_atime_ns, stat.st_mtime_ns))
    # What failed stays failed by the same command, as for every pipeline; --retry_failed does only those parts again.
    assert run(tmp_path / 'in', tmp_path / 'out', *flags).state == 'failed'
    assert run(tmp_path / 'in', tmp_path / 'out', *flags, '--retry_failed').state == 'done'
    after = {p.name: p.stat().st_mtime_ns for p in (tmp_path / 'out' / 'data').iterdir()}
    assert sorted(name for name in before if before[name] != after[name]) == ['train-00001-of-00003.jsonl.gz']
    assert len(rows_of(tmp_path / 'out')) == 300


def test_an_output_within_the_input_is_refused(tmp_path):
    (tmp_path / 'train.jsonl').write_text('{"id": 1}\n')
    assert 'lies in --input' in run(tmp_path, tmp_path / 'out').message


def test_a_place_on_the_hub_within_the_input_is_refused():
    flags = argparse.Namespace(input='hf://datasets/a/b/', output='hf://datasets/a/b/new')
    context = Context(flags, flags.input, '', 'output/hub/a--b--new', '', 1, 1)
    with pytest.raises(ValueError, match='lies in --input'):
        convert_settings(context)


def test_types_are_looked_at_only_for_a_run(tmp_path, monkeypatch):
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'train.jsonl').write_text('{"id": {"a": 1}}\n')
    flags = '--format=parquet',
    assert run(tmp_path / 'in', tmp_path / 'out', *flags).state == 'done'
    monkeypatch.setattr('options.convert.column_types', None)
    assert run(tmp_path / 'in', tmp_path / 'new', *flags, '--plan').state == 'planned'
    assert run(tmp_path / 'in', tmp_path / 'out', *flags).state == 'done'


def test_images_as_references_need_no_space(tmp_path):
    (tmp_path / 'in').mkdir()
    with open(tmp_path / 'in' / 'a.png', 'wb') as file:
        file.truncate(1 << 43)
    assert run(tmp_path / 'in', tmp_path / 'out').state == 'done'


@pytest.mark.parametrize('flag', ['--input=', '--output='])
def test_an_empty_path_is_no_default(flag):
    result = convert.run([flag])
    assert result.exit_code == 2 and 'empty' in result.message


def test_all_cores_are_used_where_it_is_worth_it(tmp_path, capsys):
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'train.jsonl').write_text('{"id": 1}\n')
    run(tmp_path / 'in', tmp_path / 'a', '--plan')
    assert 'with   1 worker' in capsys.readouterr().out
    run(tmp_path / 'in', tmp_path / 'a', '--plan', '--num_workers=3')
    assert 'with   3 worker' in capsys.readouterr().out
    with open(tmp_path / 'in' / 'train-2.jsonl', 'wb') as file:
        file.truncate(600 << 20)
    run(tmp_path / 'in', tmp_path / 'a', '--plan')
    assert f'with   {min(3, len(os.sched_getaffinity(0)))} worker' in capsys.readouterr().out


# Small inputs after public bug reports of tools that convert datasets: (file, content, what Parquet must hold).
REPORTS = {
    'datatrove 330: the first value is None': ('train.jsonl', lines([{'a': None}, {'a': 'x'}]), [{'a': None}, {'a': 'x'}]),
    'marin 5142: a column comes late': (
        'train.jsonl', lines([{'a': 1}] * 9 + [{'a': 1, 'b': 2}]), [{'a': 1, 'b': None}] * 9 + [{'a': 1, 'b': 2}]),
    'datasets 7222: null in a whole block, then text': (
        'train.jsonl', lines([{'a': None, 'b': 'x' * 1000}] * 3000 + [{'a': 't', 'b': ''}]),
        [{'a': None, 'b': 'x' * 1000}] * 3000 + [{'a': 't', 'b': ''}]),
    'datasets 3480: a .gz that is none': ('train.jsonl.gz', lines([{'a': 1}, {'a': 2}]), [{'a': 1}, {'a': 2}]),
    'datasets 5088: a document in .json.gz': ('train.json.gz', gzip.compress(b'[{"a": 1},\n {"a": 2}]'), [{'a': 1}, {'a': 2}]),
    'datasets 7161: some objects are empty': (
        'train.jsonl', lines([{'s': {}}, {'s': {'n': 1}}, {'s': None}]), [{'s': {'n': None}}, {'s': {'n': 1}}, {'s': None}]),
    'arrow 9886: all objects are empty': ('train.jsonl', lines([{'s': {}, 'n': 1}]), [{'s': '{}', 'n': 1}]),
    'duckdb 6443: an empty object within one': (
        'train.jsonl', lines([{'c': {'k': 'v', 'e': {}}}]), [{'c': '{"k":"v","e":{}}'}]),
    'arrow-rs 703: empty and null lists of objects': (
        'train.jsonl', lines([{'l': []}, {'l': None}, {'l': [{'x': [1]}, None]}]), [{'l': []}, {'l': None}, {'l': [{'x': [1]}, None]}]),
    'aws-sdk-pandas 319: a text, then an object': ('train.jsonl', lines([{'a': 't'}, {'a': {'b': 1}}]), [{'a': '"t"'}, {'a': '{"b":1}'}]),
    'pandas 53798: an integer that only some objects have': (
        'train.jsonl', lines([{'s': {'a': 1, 'c': 2 ** 53 + 1}}, {'s': {'a': 4}}]),
        [{'s': {'a': 1, 'c': 2 ** 53 + 1}}, {'s': {'a': 4, 'c': None}}]),
}


@pytest.mark.parametrize('name', REPORTS)
def test_public_reports(tmp_path, name):
    file, content, rows = REPORTS[name]
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    for kind in ('jsonl', 'parquet'):
        assert run(tmp_path / 'in', tmp_path / kind, f'--format={kind}').accounts['totals']['written'] == len(rows)
    assert pq.read_table(tmp_path / 'parquet' / 'data').to_pylist() == rows
    assert len(rows_of(tmp_path / 'jsonl')) == len(rows)


def test_lists_in_a_row_are_refused_and_not_read_as_something_else(tmp_path):
    """datasets 7037: what its own to_json(lines=False) writes of several batches."""
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'train.json').write_text('[{"a": 1}]\n[{"a": 2}]')
    assert run(tmp_path / 'in', tmp_path / 'out').accounts['totals']['failed'] == {'NotARecord': 2}


BENT = {
    'a bool beside floats': [{'v': {'a': 1.5}}, {'v': {'a': True}}], 'a bool beside integers': [{'v': [{'a': 1}, {'a': True}]}],
    'a text beside lists': [{'v': {'t': ['x']}}, {'v': {'t': 'news'}}], 'an empty list beside objects': [{'v': {'i': {'a': 1}}}, {'v': {'i': []}}],
}


@pytest.mark.parametrize('name', BENT)
def test_what_arrow_would_bend_is_json_text_or_a_failed_record(tmp_path, monkeypatch, name):
    from transforms.shards import column_types

    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'train.jsonl').write_text(lines(BENT[name]))
    assert run(tmp_path / 'in', tmp_path / 'whole', '--format=parquet').state == 'done'
    assert [json.loads(v) for v in pq.read_table(tmp_path / 'whole' / 'data')['v'].to_pylist()] == [row['v'] for row in BENT[name]]
    if len(BENT[name]) == 2:
        monkeypatch.setattr(column_types, 'LOOK_WHOLE', 10)
        monkeypatch.setattr(column_types, 'LOOK_HEAD', 10)
        (tmp_path / 'in' / 'train.jsonl').write_text(lines([BENT[name][0]] * 1500 + [BENT[name][1]]))
        totals = run(tmp_path / 'in', tmp_path / 'heads', '--format=parquet').accounts['totals']
        assert (totals['written'], totals['failed']) == (1500, {'TypeMismatch': 1})


def test_a_limit_takes_the_files_in_the_order_of_the_card(tmp_path):
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'README.md').write_text('---\nconfigs:\n- config_name: default\n  data_files:\n  - {split: train, path: [b.jsonl, a.jsonl]}\n---\n')
    (tmp_path / 'in' / 'b.jsonl').write_text('{"m": {"x": 1}}\n')
    (tmp_path / 'in' / 'a.jsonl').write_text('{"m": {"y": 2}}\n')
    run(tmp_path / 'in', tmp_path / 'out', '--format=parquet', '--limit=1')
    assert pq.read_table(tmp_path / 'out' / 'data').to_pylist() == [{'m': {'x': 1}}]


def several(root, *tables):
    (root / 'in').mkdir()
    for number, table in enumerate(tables):
        pq.write_table(table, root / 'in' / f'train-{number}.parquet')


FILES_DIFFER = {
    'a key of a struct': ([{'a': 1}], [{'a': 2, 'b': 'x'}], None, None),
    'in a list': ([[{'a': 1}]], [[{'a': 2, 'b': 'x'}]], None, None),
    'inner floats': ([{'a': 1}], [{'a': 1.5}], None, None),
    'times': ([0], [1234567], pa.timestamp('ms'), pa.timestamp('us')),
    'floats': ([0.5], [0.1], pa.float32(), pa.float64()),
    'halves': ([0.5], [1e10], pa.float16(), pa.float64()),
    'integers': ([1], [2 ** 40], pa.int32(), pa.int64()),
}


@pytest.mark.parametrize('name', FILES_DIFFER)
def test_the_files_of_a_split_differ_and_nothing_is_lost(tmp_path, name):
    one, two, kind, other = FILES_DIFFER[name]
    tables = [pa.table({'v': pa.array(values, given)}) for values, given in ((one, kind), (two, other))]
    several(tmp_path, *tables)
    assert run(tmp_path / 'in', tmp_path / 'out', '--format=parquet').accounts['totals']['written'] == 2
    found = pq.read_table(tmp_path / 'out' / 'data')['v'].to_pylist()
    assert changed(found, without_none) == [value for table in tables for value in table['v'].to_pylist()]


def test_arrow_types_that_parquet_has_no_form_for(tmp_path):
    (tmp_path / 'in').mkdir()
    columns = {'r': pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), ['a', 'b']),
               'i': pa.array([(1, 2, 3)] * 3, pa.month_day_nano_interval()),
               'u': pa.UnionArray.from_sparse(pa.array([0, 1, 0], pa.int8()), [pa.array([1, 2, 3]), pa.array(['x', 'y', 'z'])])}
    table = pa.table(columns)
    with pa.ipc.new_file(tmp_path / 'in' / 'train.arrow', table.schema) as writer:
        writer.write_table(table)
    assert run(tmp_path / 'in', tmp_path / 'out', '--format=parquet').accounts['totals']['written'] == 3
    found = pq.read_table(tmp_path / 'out' / 'data')
    assert found['r'].to_pylist() == ['a', 'a', 'b']
    assert found['u'].to_pylist() == ['1', '"y"', '3']


def test_nanoseconds_of_a_day_are_never_dropped(tmp_path):
    (tmp_path / 'in').mkdir()
    table = pa.table({'t': pa.array([123456789, 5000, None], pa.time64('ns'))})
    with pa.ipc.new_file(tmp_path / 'in' / 'train.arrow', table.schema) as writer:
        writer.write_table(table)
    for kind in ('jsonl', 'parquet'):
        totals = run(tmp_path / 'in', tmp_path / kind, f'--format={kind}').accounts['totals']
        assert (totals['written'], totals['failed']) == (2, {'UnreadableValue': 1})


def test_records_without_columns(tmp_path):
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'train.jsonl').write_text('{}\n{}\n')
    assert rows_of(tmp_path / 'a') == [] and run(tmp_path / 'in', tmp_path / 'a').accounts['totals']['written'] == 2
    assert run(tmp_path / 'in', tmp_path / 'b', '--format=parquet').accounts['totals']['failed'] == {'TypeMismatch': 2}


def test_a_dotted_name_is_a_column_and_no_path(tmp_path):
    several(tmp_path, pa.table({'a': [{'b': 9}], 'a.b': [3], 'z': [5]}))
    run(tmp_path / 'in', tmp_path / 'out', '--columns=a.b')
    assert rows_of(tmp_path / 'out') == [{'a.b': 3}]
    run(tmp_path / 'in', tmp_path / 'all')
    assert rows_of(tmp_path / 'all') == [{'a': {'b': 9}, 'a.b': 3, 'z': 5}]


@pytest.mark.parametrize('depth', [100, 240, 900, 5000])
@pytest.mark.parametrize('pair', [('[', ']', '1'), ('{"a":', '}', '1')], ids=['lists', 'objects'])
def test_one_deep_record_costs_at_most_itself(tmp_path, depth, pair):
    (tmp_path / 'in').mkdir()
    deep = pair[0] * depth + pair[2] + pair[1] * depth
    (tmp_path / 'in' / 'train.jsonl').write_text(f'{{"v": {deep}}}\n{{"v": null}}\n{{"v": null}}\n')
    for kind in ('jsonl', 'parquet'):
        totals = run(tmp_path / 'in', tmp_path / kind, f'--format={kind}').accounts['totals']
        assert totals['written'] == 3 - sum(totals['failed'].values()) >= 2


def test_a_file_whose_name_is_no_text(tmp_path):
    (tmp_path / 'in').mkdir()
    with open(os.fsencode(tmp_path / 'in') + b'/train-\xff.jsonl', 'wb') as file:
        file.write(b'{"id": 1}\n')
    assert run(tmp_path / 'in', tmp_path / 'out').accounts['totals']['written'] == 1
    assert 'complete already' not in run(tmp_path / 'in', tmp_path / 'out', '--limit=5').message


def test_a_file_that_must_not_be_read_is_a_failed_unit(tmp_path, monkeypatch):
    from transforms.files import storage

    (tmp_path / 'in').mkdir()
    for name in 'ab':
        (tmp_path / 'in' / f'train-{name}.jsonl').write_text('{"id": 1}\n')
    genuine = storage.open_info

    def guarded(root, file):
        if file.path.endswith('-b.jsonl'):
            raise PermissionError(13, 'Permission denied')
        return genuine(root, file)

    monkeypatch.setattr(storage, 'open_info', guarded)
    result = run(tmp_path / 'in', tmp_path / 'out')
    assert (result.exit_code, result.accounts['totals']['written'], result.accounts['failed_units']) == (1, 1, {'FileUnreadable': 1})


def convert_avro(folder, kinds, values):
    import fastavro

    (folder / 'in').mkdir()
    with open(folder / 'in' / 'train.avro', 'wb') as target:
        fastavro.writer(target, {'type': 'record', 'name': 'r', 'fields': [{'name': 'u', 'type': kinds}]}, [{'u': value} for value in values])
    assert run(folder / 'in', folder / 'out', '--format=parquet').state == 'done'
    return pq.read_table(folder / 'out' / 'data')['u']


@pytest.mark.parametrize(('kinds', 'values', 'texts'), [
    ([{'type': 'long', 'logicalType': 'timestamp-micros'}, {'type': 'int', 'logicalType': 'date'}],
     [datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1, 5, 6, 7, 8, tzinfo=datetime.timezone.utc)], ['"2024-01-01"', '"2024-01-01T05:06:07.000008+00:00"']),
    (['string', 'bytes'], ['abc', b'\xff\x00'], ['"abc"', '"/wA="']),
    (['long', {'type': 'bytes', 'logicalType': 'decimal', 'precision': 6, 'scale': 2}], [7, decimal.Decimal('1.25')], ['7', '"1.25"'])])
def test_a_union_of_what_arrow_would_bend_is_json_text(tmp_path, kinds, values, texts):  # apache/iceberg#15437
    assert convert_avro(tmp_path, kinds, values).to_pylist() == texts


def test_an_avro_uuid_is_text(tmp_path):  # fastavro#310
    value = '12345678-1234-5678-1234-567812345678'
    assert convert_avro(tmp_path, ['null', {'type': 'string', 'logicalType': 'uuid'}], [value, None]).to_pylist() == [value, None]


UUIDS = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b'0123456789abcdef', bytes(16)], pa.binary(16)))


@pytest.mark.parametrize('array', [
    pa.MapArray.from_arrays([0, 1, 2], pa.array(['x', 'y']), UUIDS), pa.FixedSizeListArray.from_arrays(UUIDS, 1),
    pa.array([[1, 2], None], pa.list_(pa.int64(), 2)), pa.array([12300, None], pa.decimal128(5, -2)),
    pa.array([[1], None], pa.list_view(pa.int64()))], ids=lambda array: str(array.type))
def test_types_that_parquet_or_its_readers_have_no_form_for(tmp_path, array):  # duckdb-rs#808, apache/arrow#35692
    (tmp_path / 'in').mkdir()
    table = pa.table({'n': [1, 2], 'v': array})
    with pa.ipc.new_file(tmp_path / 'in' / 'train.arrow', table.schema) as target:
        target.write_table(table)
    assert run(tmp_path / 'in', tmp_path / 'out', '--format=parquet').accounts['totals']['written'] == 2
    assert pq.read_table(tmp_path / 'out' / 'data').num_rows == 2


@pytest.mark.parametrize('count', [1, 1000, 1500])
@pytest.mark.parametrize('nested', [False, True])
def test_integers_that_no_float_holds_beside_floats(tmp_path, count, nested):  # pola-rs/polars#29330
    values = [9007199254740993] * count + [0.5] * 5
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'train.jsonl').write_text(lines({'v': {'n': value} if nested else value} for value in values))
    assert run(tmp_path / 'in', tmp_path / 'out', '--format=parquet').accounts['totals']['written'] == len(values)
    found = [json.loads(value) for value in pq.read_table(tmp_path / 'out' / 'data')['v'].to_pylist()]
    assert [value['n'] if nested else value for value in found] == values
    (tmp_path / 'in' / 'train.jsonl').write_text(lines({'v': {'n': value} if nested else value} for value in [2**53, 3] * count + [0.5]))
    run(tmp_path / 'in', tmp_path / 'floats', '--format=parquet')
    assert 'double' in str(pq.read_table(tmp_path / 'floats' / 'data').schema.field('v').type)


@pytest.mark.parametrize('kind', ['jsonl', 'parquet'])
def test_a_split_without_records_does_not_spoil_the_others(tmp_path, monkeypatch, kind):  # huggingface/datasets#7779
    import datasets

    monkeypatch.setenv('HF_DATASETS_DISABLE_PROGRESS_BARS', '1')
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'train.jsonl').write_text('\n\n')
    (tmp_path / 'in' / 'test.jsonl').write_text('{"a": 1}\n')
    assert run(tmp_path / 'in', tmp_path / 'out', f'--format={kind}').state == 'done'
    loaded = datasets.load_dataset(str(tmp_path / 'out'), cache_dir=str(tmp_path / 'cache'))
    assert {name: split.to_list() for name, split in loaded.items()} == {'test': [{'a': 1}]}


def test_files_of_another_format_are_named(tmp_path, capsys):
    (tmp_path / 'in').mkdir()
    for name in ('a.jsonl', 'b.jsonl', 'c.csv'):
        (tmp_path / 'in' / name).write_text('{"a": 1}\n')
    run(tmp_path / 'in', tmp_path / 'out', '--plan')
    assert '1 csv files' in capsys.readouterr().out
