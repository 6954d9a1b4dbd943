"""Stage 1 of text_mix: exactly what the ranks say, from the Hub and from folders, each row accounted for, the same however it runs."""

import csv
import gzip
import os
import subprocess
import sys
from dataclasses import replace

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from beam_pipelines import text_mix
from beam_pipelines.launcher.arguments import parse
from options.context import Context
from tests.beam_pipelines.test_text import lines_of, prose, records_of, write_lines
from tests.helpers import assert_balanced, assert_same_output, load, run_in
from tests.hub_server import now_and_then
from tests.transforms.text_mix.test_designs import splitmix64
from transforms.keys.ranks import row_key

QUIET = ('--progress=off',)
SAME = '''
  - {name: me/same, config: en, weight: 1}
  - {name: me/same, config: vi, weight: 1}'''
MIXTURE = f'''datasets:
  - {{name: me/one-group, weight: 2}}
  - {{name: me/many-groups, text_field: doc.body, weight: 2}}
  - {{name: me/lines, weight: 1}}
  - {{name: me/table, text_field: content, weight: 1}}
  - {{name: me/nothing, weight: 1}}
  - {{name: me/small, weight: 1}}{SAME}
  - {{name: me/ids, config: python, weight: 1}}
  - {{name: me/closed, weight: 1}}
  - {{name: me/off, weight: 9, enabled: false}}
  - {{name: me/zero}}
'''


def run(*flags, code=0):
    result = text_mix.run([*map(str, flags), *QUIET])
    assert result.exit_code == code, result
    return result.accounts if code == 0 else result.message


def write_parquet(path, rows, group):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=group)


@pytest.fixture
def sets(tmp_path):
    """A folder for each dataset; by name the rows of each file in order, as texts (None for none)."""
    rows = {}

    def keep(name, path, texts):
        rows.setdefault(name, {})[path] = texts
        return tmp_path / 'sets' / name.replace('/', '--') / path

    for shard in range(2):
        texts = [prose(1000 * shard + i) for i in range(150)]
        write_parquet(keep('me/one-group', f'data/train-{shard:05d}-of-00002.parquet', texts), [{'text': t, 'n': i} for i, t in enumerate(texts)], 1000)
        texts = [None if i % 7 == 0 else '' if i % 11 == 0 else prose(5000 + 1000 * shard + i) for i in range(210)]
        write_parquet(keep('me/many-groups', f'data/train-{shard:05d}-of-00002.parquet', texts),
                      [{'id': i, 'doc': {'body': t, 'x': [1]}} for i, t in enumerate(texts)], 10)
    for shard in range(3):
        texts = [prose(9000 + 100 * shard + i) if i % 5 else None for i in range(90)]
        write_lines(keep('me/lines', f'train-{shard}.jsonl.gz', texts), [{'text': t, 'n': i} if t else {'n': i} for i, t in enumerate(texts)], members=2)
    texts = [prose(20_000 + i) for i in range(120)]
    path = keep('me/table', 'train.csv', texts)
    path.parent.mkdir(parents=True)
    with open(path, 'w', newline='') as file:
        csv.writer(file).writerows([['id', 'content'], *([i, t] for i, t in enumerate(texts))])
    keep('me/nothing', 'train.jsonl', []).parent.mkdir()
    (tmp_path / 'sets' / 'me--nothing' / 'train.jsonl').write_bytes(b'')
    write_lines(keep('me/small', 'train.jsonl', [prose(30_000 + i) for i in range(7)]), [{'text': prose(30_000 + i)} for i in range(7)])
    for config in ('en', 'vi'):
        texts = [f'{config} {prose(40_000 + i)}' for i in range(50)]
        write_lines(keep(f'me/same {config}', f'{config}/train.jsonl', texts), [{'text': t} for t in texts])
    (tmp_path / 'sets' / 'me--same').mkdir()
    for config in ('en', 'vi'):
        os.rename(tmp_path / 'sets' / f'me--same {config}' / config, tmp_path / 'sets' / 'me--same' / config)
    (tmp_path / 'sets' / 'me--same' / 'README.md').write_text('---\nconfigs:\n- {config_name: en, data_files: en/*}\n- {config_name: vi, data_files: vi/*}\n---\n')
    write_parquet(tmp_path / 'sets' / 'me--ids' / 'python' / 'train.parquet', [{'blob_id': str(i), 'language': 'python'} for i in range(9)], 9)
    (tmp_path / 'sets' / 'me--ids' / 'README.md').write_text('---\nconfigs:\n- {config_name: python, data_files: python/*}\n---\n')
    write_lines(tmp_path / 'sets' / 'me--closed' / 'train.jsonl', [{'text': 'secret'}])
    (tmp_path / 'mix.yaml').write_text(MIXTURE)
    return rows


def expected(files, names, seed, quota):
    """(text, index) of the sample, and the places of the rows without text on the way, as anybody would write it down."""
    ranked, index = [], 0
    for path, texts in files.items():
        key = row_key(seed, *names[:4], path, names[4])
        for row, text in enumerate(texts):
            ranked.append((splitmix64(row ^ key), index, path, row, text))
            index += 1
    chosen, without = [], []
    for _, index, path, row, text in sorted(ranked):
        if len(chosen) == quota:
            break
        if text:
            chosen.append((text, index))
        else:
            without.append((path, row))
    return chosen, sorted(without)


def found(folder):
    return [(line['text'], line['metadata']['original_index']) for line in lines_of(folder / 'raw_data.jsonl.gz')]


@pytest.fixture
def hub_sets(hub, sets, tmp_path):
    for folder in (tmp_path / 'sets').iterdir():
        if ' ' not in folder.name:
            hub.add(folder.name.replace('--', '/'), folder, gated=folder.name == 'me--closed')
    return hub


def check_mixture(rows, out, seed, quotas):
    for name, quota in quotas.items():
        dataset, _, config = name.partition(' ')
        folder = out / '_'.join(filter(None, (dataset.replace('/', '_'), config)))
        chosen, without = expected(rows[name], (dataset, config, '', 'train', '1'), seed, quota)
        assert found(folder) == chosen, name
        dropped = sorted((row['file'], row['row']) for row in records_of(out).values() if row['reason'] in ('no_text', 'empty')
                         and row['source'].endswith(dataset) and row['subset'] in (config or 'default', config))
        assert dropped == without, name


QUOTAS = {'me/one-group': 40, 'me/many-groups': 40, 'me/lines': 20, 'me/table': 20, 'me/nothing': 20, 'me/small': 20, 'me/same en': 20, 'me/same vi': 20}


def test_a_mixture_of_ten_sources_from_the_hub(hub_sets, sets, tmp_path):
    flags = ('--stage=1', '--config', tmp_path / 'mix.yaml', '--raw-folder', tmp_path / 'raw', '--target-samples', 240, '--seed', 42)
    message = run(*flags, code=2)
    assert '2 of 10 entries cannot be read' in message and 'me/ids python' in message and 'blob_id' in message and 'me/closed: ' in message
    assert not (tmp_path / 'raw').exists()
    accounts = run(*flags, '--skip_unavailable')
    assert_balanced(accounts)
    check_mixture(sets, tmp_path / 'raw', 42, QUOTAS)
    assert accounts['failed_units'] == {'Unavailable': 2}
    assert accounts['warnings'] == {'source_unavailable': 2, 'source_without_rows': 1, 'source_short_of_quota': 1}
    assert accounts['totals']['written'] == 40 + 40 + 20 + 20 + 0 + 7 + 20 + 20
    assert [source.get('frame_rows') for source in accounts['sources']] == [300, 420, 270, 120, None, 7, 50, 50, None, None]
    assert all(source['frame_rows'] == source['read'] + source['not_drawn'] for source in accounts['sources'] if 'frame_rows' in source)
    assert not (tmp_path / 'raw' / 'me_ids_python').exists() and not (tmp_path / 'raw' / 'me_closed').exists()
    line = lines_of(tmp_path / 'raw' / 'me_same_vi' / 'raw_data.jsonl.gz')[0]
    assert line['metadata'] == {'source': 'me/same', 'config': 'vi', 'weight': 1.0, 'original_index': line['metadata']['original_index']}
    cleaned = run('--stage=2', '--config', tmp_path / 'mix.yaml', '--raw-folder', tmp_path / 'raw', '--cleaned-folder', tmp_path / 'clean')
    assert cleaned['totals']['read'] == 167
    assert (tmp_path / 'clean' / 'me_same_vi' / 'cleaned_data.jsonl.gz').exists()


@pytest.mark.parametrize('seed', range(20))
def test_pipelines_take_what_the_ranks_say(sets, tmp_path, seed):
    lines = [f'  - {{name: {tmp_path}/sets/{name.replace("/", "--")}, text_field: {field}, weight: 1}}' for name, field in
             (('me/one-group', 'text'), ('me/many-groups', 'doc.body'), ('me/lines', 'text'), ('me/table', 'content'))]
    (tmp_path / 'own.yaml').write_text('datasets:\n' + '\n'.join(lines))
    run('--stage=1', '--config', tmp_path / 'own.yaml', '--raw-folder', tmp_path / 'raw', '--target-samples', 4 * (seed * 12 + 1), '--seed', seed)
    for folder, name in zip(sorted((tmp_path / 'raw').glob('*me--*')), ('me/lines', 'me/many-groups', 'me/one-group', 'me/table'), strict=True):
        entry = f'{tmp_path}/sets/{name.replace("/", "--")}'
        chosen, _ = expected(sets[name], (entry, '', '', 'train', '1'), seed, seed * 12 + 1)
        assert found(folder) == chosen


def test_the_same_from_a_folder_the_hub_and_with_two_workers_and_faults(hub_sets, sets, tmp_path):
    mix = MIXTURE.replace('  - {name: me/ids, config: python, weight: 1}\n', '').replace('  - {name: me/closed, weight: 1}\n', '')
    (tmp_path / 'mix.yaml').write_text(mix)
    flags = ('--stage=1', '--config', tmp_path / 'mix.yaml', '--target-samples', 200, '--seed', 7)
    run(*flags, '--raw-folder', tmp_path / 'one')
    hub_sets.fault = now_and_then(0.15, seed=3)
    run(*flags, '--raw-folder', tmp_path / 'two', '--num_workers=2', '--hub_patience=60')
    assert_same_output(tmp_path / 'one', tmp_path / 'two')
    check_mixture(sets, tmp_path / 'one', 7, QUOTAS)


@pytest.mark.parametrize('kind', ['info', 'tree', 'resolve', 'storage'])
def test_waits_that_the_hub_asks_for_are_kept_and_reported(hub_sets, sets, tmp_path, capsys, kind):
    (tmp_path / 'mix.yaml').write_text('datasets:\n  - {name: me/many-groups, text_field: doc.body, weight: 1}\n  - {name: me/lines, weight: 1}\n')
    asked_of, times = {'info': '/revision/', 'tree': '/tree/', 'resolve': '/resolve/', 'storage': '/blobs/'}[kind], []

    def fault(asked):
        matches = asked_of in asked.path or (kind == 'info' and asked.path.count('/') == 4 and '/api/' in asked.path)
        if matches and len(times) < 2:
            times.append(asked.path)
            return 'status', 429, {'Retry-After': '1'}
        return None

    hub_sets.fault = fault
    accounts = run('--stage=1', '--config', tmp_path / 'mix.yaml', '--target-samples', 50, '--raw-folder', tmp_path / 'raw')
    assert len(times) == 2, [asked.path for asked in hub_sets.asked]
    assert accounts['totals']['written'] == 50
    each = 2.0 if kind == 'tree' else 1.0  # huggingface_hub waits a second longer than it is asked to
    assert accounts['hub']['waits'] == 2 and accounts['hub']['waited_seconds'] == 2 * each
    assert f'waited for the Hub 2 times, {2 * each:.0f} s in all' in capsys.readouterr().out


def test_a_file_that_changed_stops_the_run(hub_sets, sets, tmp_path, monkeypatch):
    (tmp_path / 'mix.yaml').write_text('datasets:\n  - {name: me/lines, weight: 1}\n')
    path = tmp_path / 'sets' / 'me--lines' / 'train-1.jsonl.gz'
    changed = []

    def fault(asked):
        if '/resolve/' in asked.path and 'train-1' in asked.path and len(changed) == 1:
            path.write_bytes(gzip.compress(b'{"text": "another"}' * 300))
        changed.extend([1] if 'train-1' in asked.path and '/resolve/' in asked.path else [])
        return None

    hub_sets.fault = fault
    message = run('--stage=1', '--config', tmp_path / 'mix.yaml', '--target-samples', 50, '--raw-folder', tmp_path / 'raw', code=1)
    assert 'changed' in message or 'another' in message, message
    assert not (tmp_path / 'raw' / 'me_lines' / 'raw_data.jsonl.gz').exists()


def test_the_token_is_nowhere(hub_sets, sets, tmp_path):
    (tmp_path / 'mix.yaml').write_text('datasets:\n  - {name: me/closed, weight: 1}\n')
    done = subprocess.run([sys.executable, '-m', 'beam_pipelines.text_mix', '--stage=1', '--config', str(tmp_path / 'mix.yaml'), '--raw-folder', str(tmp_path / 'raw'),
                           '--target-samples=1', '--verbose'], capture_output=True, text=True, check=False, env={**os.environ, 'HF_TOKEN': hub_sets.token})
    assert done.returncode == 0, done.stderr
    assert hub_sets.token not in done.stdout + done.stderr
    assert all(hub_sets.token.encode() not in path.read_bytes() for path in (tmp_path / 'raw').rglob('*') if path.is_file())
    assert found(tmp_path / 'raw' / 'me_closed') == [('secret', 0)]


def test_input_order_and_the_published_form(sets, tmp_path):
    (tmp_path / 'own.yaml').write_text('datasets:\n  - {name: ./sets/me--lines, subset: none-such, weight: 1, enabled: false}\n  - {name: ./sets/me--lines, weight: 1}\n'
                                       '  - {name: ./sets/me--lines, weight: 1}\n')
    flags = ('--stage=1', '--config', tmp_path / 'own.yaml', '--target-samples', 100)
    run(*flags, '--raw-folder', tmp_path / 'rank')
    run(*flags, '--raw-folder', tmp_path / 'input', '--order=input')
    run(*flags, '--raw-folder', tmp_path / 'old', '--preset=original')
    names = ['sets_me--lines', 'sets_me--lines_2']
    assert sorted(p.name for p in (tmp_path / 'rank').glob('sets*')) == names
    for name in names:
        by_rank = found(tmp_path / 'rank' / name)
        assert found(tmp_path / 'input' / name) == sorted(by_rank, key=lambda one: one[1]) != by_rank
    for name in ('sets_me--lines_2', 'sets_me--lines_3'):  # without the subset all three have one name
        old = gzip.decompress((tmp_path / 'old' / name / 'raw_data.jsonl.gz').read_bytes()).decode()
        assert old.startswith('{"text": "') and '"metadata": {"source": "./sets/me--lines", "config": "default", "weight": 1.0, "original_index": ' in old
    assert found(tmp_path / 'rank' / names[0]) != found(tmp_path / 'rank' / names[1]), 'equal entries have samples of their own'


def test_clusters_and_head(hub_sets, sets, tmp_path):
    (tmp_path / 'mix.yaml').write_text('datasets:\n  - {name: me/many-groups, text_field: doc.body, weight: 1}\n  - {name: me/lines, weight: 1}\n')
    flags = ('--stage=1', '--config', tmp_path / 'mix.yaml', '--target-samples', 120, '--seed', 3)
    accounts = run(*flags, '--raw-folder', tmp_path / 'cluster', '--design=cluster', '--max_download=1.2KB')
    assert accounts['totals']['written'] == 120
    rows = [row for row in records_of(tmp_path / 'cluster').values() if row['source'].endswith('many-groups')]
    places = sorted(row['original_index'] for row in rows)
    groups = {place // 10 for place in places}
    assert len(groups) <= 12, 'neighbours come together'
    flat = [text for texts in sets['me/many-groups'].values() for text in texts]
    assert {(text, index) for text, index in found(tmp_path / 'cluster' / 'me_many-groups')} == {(flat[place], place) for place in places if flat[place]}
    assert len({row['file'] for row in records_of(tmp_path / 'cluster').values() if row['source'].endswith('lines')}) == 1, 'one file is enough'
    run(*flags, '--raw-folder', tmp_path / 'head', '--design=head')
    for name in ('me/many-groups', 'me/lines'):
        texts = [(text, index) for index, text in enumerate(text for of in sets[name].values() for text in of) if text]
        assert found(tmp_path / 'head' / name.replace('/', '_')) == texts[:60]


def test_what_lacks_is_given_by_others_on_request(hub_sets, sets, tmp_path):
    (tmp_path / 'mix.yaml').write_text('datasets:\n  - {name: me/one-group, weight: 1}\n  - {name: me/many-groups, text_field: doc.body, weight: 3}\n  - {name: me/closed, weight: 1}\n')
    accounts = run('--stage=1', '--config', tmp_path / 'mix.yaml', '--target-samples', 400, '--raw-folder', tmp_path / 'raw', '--fill=proportional', '--skip_unavailable')
    assert [source['written'] for source in accounts['sources']] == [100, 300, 0], '80, 240 and 80 without what the last one lacks'


def test_tokens(sets, tmp_path):
    (tmp_path / 'own.yaml').write_text('datasets:\n  - {name: ./sets/me--one-group, weight: 1}\n  - {name: ./sets/me--lines, weight: 1}\n  - {name: ./sets/me--small, weight: 1}\n')
    accounts = run('--stage=1', '--config', tmp_path / 'own.yaml', '--target-tokens', 9_000, '--raw-folder', tmp_path / 'raw', '--seed', 5)
    for name in ('me/one-group', 'me/lines'):
        entry = f'./sets/{name.replace("/", "--")}'
        everything, _ = expected(sets[name], (entry, '', '', 'train', '1'), 5, 10**6)
        total, wanted = 0, []
        for text, index in everything:
            if total >= 3_000:
                break
            total += round(len(text) / 4.2)
            wanted.append((text, index))
        assert found(tmp_path / 'raw' / f'sets_{name.replace("/", "--")}') == wanted
    assert accounts['warnings'] == {'source_short_of_quota': 1}
    tokens = [row['tokens'] for row in records_of(tmp_path / 'raw').values() if row['outcome'] == 'written' and row['source'].endswith('one-group')]
    assert sum(tokens) >= 3_000 > sum(tokens) - max(tokens)


def test_a_tokenizer_counts(sets, tmp_path):
    tokenizers = pytest.importorskip('tokenizers')
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({'[UNK]': 0}, unk_token='[UNK]'))
    words.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    words.save(str(tmp_path / 'tokenizer.json'))
    (tmp_path / 'own.yaml').write_text('datasets:\n  - {name: ./sets/me--one-group, weight: 1}\n')
    flags = ('--stage=1', '--config', tmp_path / 'own.yaml', '--target-tokens', 1_000, '--raw-folder', tmp_path / 'raw')
    accounts = run(*flags, '--tokenizer', tmp_path / 'tokenizer.json')
    assert accounts['totals']['written'] == 25  # of 41 words each
    words.add_tokens(['one two'])
    words.save(str(tmp_path / 'tokenizer.json'))
    assert 'input changed: tokenizer' in run(*flags, '--tokenizer', tmp_path / 'tokenizer.json', code=2)


@pytest.mark.parametrize(('flags', 'words'), [
    (['--input=x'], '--input is for stage 2'),
    (['--target-samples=5', '--target-tokens=5'], 'give one of them'),
    (['--tokenizer=x'], 'which is not given'),
    (['--target-tokens=5', '--tokenizer=./none.json'], 'no such file'),
    (['--languages=en'], 'belongs to stage 2'),
    (['--format=parquet'], 'belongs to stage 2'),
    (['--limit=5'], '--target_samples says how many'),
    (['--config=none.yaml'], 'none of the shipped ones'),
    (['--desing=head'], 'did you mean --design'),
    (['--target-samples=0'], 'must be at least 1'),
])
def test_wrong_use(tmp_path, monkeypatch, flags, words):
    monkeypatch.chdir(tmp_path)
    assert words in run('--stage=1', *flags, code=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(('entry', 'words'), [
    ('{name: ./none, weight: 1}', 'does not exist'),
    ('{name: ./sets/me--same, weight: 1}', 'choose one with config: en, vi'),
    ('{name: ./sets/me--same, config: em, weight: 1}', 'no configuration em; did you mean en?'),
    ('{name: ./sets/me--lines, split: tain, weight: 1}', 'did you mean train?'),
    ('{name: ./sets/me--lines, text_field: body, weight: 1}', 'it has no body; it has n, text'),
    ('{name: ./sets/me--table, weight: 1}', 'name the one that holds the text with text_field:'),
    ('{name: ./sets/me--one-group, text_field: txt, weight: 1}', 'it has no txt; it has text, n'),
    ('{name: ./sets/me--lines, weight: 0}', 'no entry under datasets: that is enabled'),
    ('{name: ./sets/me--lines, wieght: 1}', 'unknown key wieght; did you mean weight?'),
])
def test_entries_that_cannot_be_read(sets, tmp_path, entry, words):
    (tmp_path / 'own.yaml').write_text(f'datasets:\n  - {entry}\n')
    assert words in run('--stage=1', '--config', tmp_path / 'own.yaml', '--raw-folder', tmp_path / 'raw', code=2)


def test_a_subset_is_a_configuration_or_a_folder(sets, tmp_path):
    (tmp_path / 'sets' / 'me--same' / 'README.md').unlink()
    (tmp_path / 'own.yaml').write_text('datasets:\n  - {name: ./sets/me--same, subset: vi, weight: 1}\n')
    run('--stage=1', '--config', tmp_path / 'own.yaml', '--raw-folder', tmp_path / 'raw', '--target-samples', 9)
    assert all(text.startswith('vi ') for text, _ in found(tmp_path / 'raw' / 'sets_me--same_vi'))


def test_editing_filters_never_refuses_stage_1_and_weights_do(sets, tmp_path):
    yaml = 'datasets:\n  - {name: ./sets/me--lines, weight: 1}\n  - {name: ./sets/me--table, text_field: content, weight: %s}\nfiltering: {min_length: %s}\n'
    flags = ('--stage=1', '--config', tmp_path / 'own.yaml', '--raw-folder', tmp_path / 'raw', '--target-samples', 50)
    (tmp_path / 'own.yaml').write_text(yaml % (1, 100))
    run(*flags)
    before = (tmp_path / 'raw' / '_SUCCESS').stat().st_mtime_ns
    (tmp_path / 'own.yaml').write_text(yaml % (1, 20))
    run(*flags)
    assert (tmp_path / 'raw' / '_SUCCESS').stat().st_mtime_ns == before
    (tmp_path / 'own.yaml').write_text(yaml % (2, 20))
    assert 'other options' in run(*flags, code=2)


def test_both_stages_in_a_row_with_the_documented_commands(tmp_path):
    def command(*flags):
        done = subprocess.run([sys.executable, '-m', 'beam_pipelines.text_mix', *flags], cwd=tmp_path, capture_output=True, text=True, check=False,
                              env={**os.environ, 'PYTHONPATH': os.getcwd()})
        assert done.returncode == 0, done.stderr
        return done.stdout

    text = command('--stage', '1', '--target-samples', '100', '--seed', '42')
    assert 'smollm3_weighted_config.yaml' in text
    command('--stage', '2', '--raw-folder', './raw_data', '--cleaned-folder', './cleaned_data')
    assert load(tmp_path / 'cleaned_data' / 'run.json')['totals']['read'] == 100
    command('--stage', '1', '--target-samples', '100', '--seed', '42', '--raw-folder', 'again')
    assert_same_output(tmp_path / 'raw_data', tmp_path / 'again')
    text = command('--stage=all', '--target-samples=100', '--seed=42', '--raw-folder=three', '--cleaned-folder=four')
    assert_same_output(tmp_path / 'raw_data', tmp_path / 'three')
    assert load(tmp_path / 'four' / 'run.json')['totals']['read'] == 100
    assert 'is complete already' in command('--stage=1', '--target-samples=100', '--seed=42', '--raw-folder=three'), 'either way it is the same run'
    text = command('--stage=1', '--plan', '--target-samples=100', '--raw-folder=never')
    assert 'samples_mixture_english' in text and 'simple random sampling' in text and not (tmp_path / 'never').exists()


def sample_of(tmp_path, *entries, n=10, code=0, flags=()):
    (tmp_path / 'own.yaml').write_text('datasets:\n' + ''.join(f'  - {entry}\n' for entry in entries))
    return run('--stage=1', '--config', tmp_path / 'own.yaml', '--raw-folder', tmp_path / 'raw', '--target-samples', n, *flags, code=code)


def test_all_splits_are_one_source(tmp_path):
    for name, first in (('train', 0), ('validation', 10), ('test', 20)):
        write_lines(tmp_path / 's' / f'{name}.jsonl', [{'text': f'text {first + i}'} for i in range(10)])
    accounts = sample_of(tmp_path, '{name: ./s, split: all, weight: 1}', n=30)
    assert accounts['totals']['written'] == 30 and accounts['sources'][0]['split'] == 'all'
    assert {index: text for text, index in found(tmp_path / 'raw' / 's')} == {
        i: f'text {order + i % 10}' for i, order in ((i, (0, 10, 20)[i // 10]) for i in range(30))}


@pytest.mark.parametrize('kind', ['string_view', 'binary_view', 'binary', 'large_string', 'large_binary'])
@pytest.mark.parametrize('nested', [False, True])
def test_texts_of_every_type_of_arrow(tmp_path, kind, nested):
    texts = [f'văn bản {i}' for i in range(500 if nested else 2000)]  # pyarrow writes views within structs in one go only
    column = pa.array([text.encode() if 'binary' in kind else text for text in texts], pa.type_for_alias(kind))
    table = pa.table({'doc': pa.StructArray.from_arrays([column], ['text'])} if nested else {'text': column})
    (tmp_path / 's').mkdir()
    pq.write_table(table, tmp_path / 's' / 'train.parquet', **({} if nested else {'row_group_size': 700}))
    accounts = sample_of(tmp_path, f"{{name: ./s, text_field: {'doc.text' if nested else 'text'}, weight: 1}}", n=50)
    assert accounts['totals']['written'] == 50 and not accounts['failed_units']
    assert all(text == texts[index] for text, index in found(tmp_path / 'raw' / 's'))


def test_bytes_that_are_no_utf8_fail_and_others_take_their_place(tmp_path):
    (tmp_path / 's').mkdir()
    pq.write_table(pa.table({'text': pa.array([b'\xff' if i % 4 == 0 else b'text %d' % i for i in range(40)], pa.binary())}), tmp_path / 's' / 'train.parquet')
    accounts = sample_of(tmp_path, '{name: ./s, weight: 1}', n=30, flags=['--max_failure_rate=0.5'])
    assert accounts['totals']['written'] == 30 and accounts['totals']['failed'] == {'InvalidUtf8': 10}


def test_folders_are_never_shared(tmp_path):
    write_lines(tmp_path / 's' / 'train.jsonl', [{'text': f's {i}'} for i in range(20)])
    write_lines(tmp_path / 's_2' / 'train.jsonl', [{'text': f't {i}'} for i in range(20)])
    sample_of(tmp_path, *['{name: ./s, weight: 1}'] * 2, '{name: ./s_2, weight: 1}', n=15)
    assert {name: {text[0] for text, _ in found(tmp_path / 'raw' / name)} for name in ('s', 's_2', 's_2_2')} == {'s': {'s'}, 's_2': {'s'}, 's_2_2': {'t'}}


@pytest.mark.parametrize('field', ['doc.txt', 'doc.text.x', 'messages.content', 'none'])
def test_a_field_that_a_parquet_has_not_is_refused_before_anything_is_read(tmp_path, field):
    (tmp_path / 's').mkdir()
    pq.write_table(pa.Table.from_pylist([{'doc': {'text': 'a'}, 'messages': [{'content': 'b'}]}] * 9), tmp_path / 's' / 'train.parquet')
    assert f'it has no {field}; it has doc, messages' in sample_of(tmp_path, f'{{name: ./s, text_field: {field}, weight: 1}}', code=2)


def test_rows_without_text_that_lie_together(tmp_path):
    write_lines(tmp_path / 'a' / 'train.jsonl', [{'text': None, 'n': i} for i in range(1_500)] + [{'text': f'text {i}'} for i in range(100)])
    for number in range(12):
        write_lines(tmp_path / 'b' / f'{number:02d}.jsonl', [{'text': f'text {i}'} if number == 7 else {'n': i} for i in range(20)])
    accounts = sample_of(tmp_path, '{name: ./a, weight: 1}', '{name: ./b, weight: 1}', n=40)
    assert [source['written'] for source in accounts['sources']] == [20, 20]


def test_a_name_with_dots_may_be_a_column(tmp_path):
    (tmp_path / 'p').mkdir()
    pq.write_table(pa.table({'doc.body': [f'text {i}' for i in range(20)], 'doc': [{'body': 'other'}] * 20}), tmp_path / 'p' / 'train.parquet')
    write_lines(tmp_path / 'j' / 'train.jsonl', [{'doc.body': f'text {i}', 'doc': {'body': 'other'}} for i in range(20)])
    sample_of(tmp_path, '{name: ./p, text_field: doc.body, weight: 1}', '{name: ./j, text_field: doc.body, weight: 1}')
    assert all(text == f'text {index}' for name in 'pj' for text, index in found(tmp_path / 'raw' / name))


def test_files_in_no_split_are_told(tmp_path, capsys):
    write_lines(tmp_path / 's' / 'a.jsonl', [{'text': f'text {i}'} for i in range(9)])
    write_lines(tmp_path / 's' / 'b.jsonl', [{'text': f'text {i}'} for i in range(9)])
    write_parquet(tmp_path / 's' / 'c.parquet', [{'text': 'x'}], 1)
    assert sample_of(tmp_path, '{name: ./s, weight: 1}', n=4)['warnings'] == {'files_in_no_split': 1}
    assert 's: 1 parquet file of its dataset in no split' in capsys.readouterr().out


def test_fill_knows_what_planning_has_read(tmp_path):
    write_lines(tmp_path / 'a' / 'train.jsonl', [{'text': f'text {i}'} for i in range(3)])
    write_lines(tmp_path / 'b' / 'train.jsonl', [{'text': f'text {i}'} for i in range(500)])
    accounts = sample_of(tmp_path, '{name: ./a, weight: 1}', '{name: ./b, weight: 1}', n=200, flags=['--fill=proportional'])
    assert [source['written'] for source in accounts['sources']] == [3, 197]


@pytest.mark.parametrize(('weight', 'words'), [('true', 'true is no number'), ('-1', 'greater than or equal to 0'), ('.nan', 'finite'), ('.inf', 'finite'), ('half', 'valid number')])
def test_weights_that_are_none(tmp_path, weight, words):
    assert words in sample_of(tmp_path, f'{{name: ./s, weight: {weight}}}', code=2)


@pytest.mark.parametrize('where', ['disk', 'hub'])
def test_an_index_that_nobody_can_know_is_null(tmp_path, hub, where):
    for number in range(30):
        write_lines(tmp_path / 'ds' / f'{number:02d}.jsonl.gz', [{'text': f'{number:02d} {i}' if i % 50 == 7 else None} for i in range(100)])
    hub.add('me/ds', tmp_path / 'ds')
    entry = '{name: me/ds, weight: 1}' if where == 'hub' else '{name: ./ds, weight: 1}'
    accounts = sample_of(tmp_path, entry, n=9, flags=['--design=cluster', '--max_download=1KB', '--seed=3'])
    lines = found(tmp_path / 'raw' / ('me_ds' if where == 'hub' else 'ds'))
    assert len(lines) == 9 and all(index in (None, int(text[:2]) * 100 + int(text[3:])) for text, index in lines)
    assert any(index is None for _, index in lines) and 'frame_rows' not in accounts['sources'][0]
    rows = [row for row in records_of(tmp_path / 'raw').values() if row['outcome'] == 'written']
    assert {(int(row['file'][:2]), row['row']) for row in rows} == {(int(text[:2]), int(text[3:])) for text, _ in lines}, 'records say which row it is'


def test_a_damaged_file_leaves_no_wrong_index_behind_it(tmp_path):
    for number in range(3):
        write_lines(tmp_path / 'ds' / f'{number}.jsonl.gz', [{'text': f'{number} {os.urandom(200).hex()}'} for _ in range(100)])
    damaged = tmp_path / 'ds' / '1.jsonl.gz'
    damaged.write_bytes(damaged.read_bytes()[:9_000])
    assert 'not read to the end: 1.jsonl.gz' in sample_of(tmp_path, '{name: ./ds, weight: 1}', n=200, code=1)
    accounts = sample_of(tmp_path, '{name: ./ds, weight: 1}', n=200, flags=['--max_failed_units=1'])
    lines = found(tmp_path / 'raw' / 'ds')
    assert accounts['failed_units'] == {'DamagedFile': 1}
    assert {text[0] for text, index in lines if index is None} == {'2'} and {text[0] for text, index in lines if index is not None} == {'0', '1'}


def test_a_damaged_row_group_is_one_failed_unit_and_others_take_its_place(tmp_path):
    write_parquet(tmp_path / 'ds' / 'a.parquet', [{'text': f'a {i} {os.urandom(50).hex()}'} for i in range(400)], 20)
    write_parquet(tmp_path / 'ds' / 'b.parquet', [{'text': f'b {i} {os.urandom(50).hex()}'} for i in range(400)], 20)
    data = bytearray((tmp_path / 'ds' / 'a.parquet').read_bytes())
    data[12_000:13_500] = os.urandom(1_500)
    (tmp_path / 'ds' / 'a.parquet').write_bytes(data)
    accounts = sample_of(tmp_path, '{name: ./ds, weight: 1}', n=700, flags=['--max_failed_units=2'])
    assert accounts['totals']['written'] == 700 and 1 <= accounts['failed_units']['DamagedRowGroup'] <= 2
    assert set(accounts['totals']['failed']) == {'DamagedRowGroup'}


def test_a_file_without_the_column_lies_on_the_circle_as_others_do(tmp_path):
    for name in 'abc':
        write_parquet(tmp_path / 'ds' / f'{name}.parquet', [{'other' if name == 'b' else 'text': f'{name} {i}'} for i in range(100)], 10)
    accounts = sample_of(tmp_path, '{name: ./ds, weight: 1}', n=90, flags=['--design=cluster', '--max_download=2KB'])
    rows = records_of(tmp_path / 'raw')
    assert accounts['totals']['written'] == 90 and len(rows) == accounts['totals']['read']
    assert accounts['totals']['dropped'].get('no_text', 0) == sum(key[1] == 'b.parquet' for key in rows)


@pytest.mark.parametrize('folder', ['.', './ds'])
def test_an_output_within_what_is_read_is_refused(tmp_path, folder):
    write_lines(tmp_path / 'ds' / 'a.jsonl', [{'text': 'x'}])
    (tmp_path / 'own.yaml').write_text(f'datasets:\n  - {{name: {folder}, weight: 1}}\n')
    message = run('--stage=1', '--config', tmp_path / 'own.yaml', '--raw-folder', tmp_path / 'ds' / 'raw', code=2)
    assert 'lies in the dataset' in message and 'outside of it' in message


@pytest.mark.parametrize(('raw', 'cleaned'), [('o', 'o'), ('o', 'o/clean'), ('o/raw', 'o')])
def test_stages_with_folders_in_one_another_are_refused_before_the_first(tmp_path, raw, cleaned):
    message = run('--stage=all', '--target-samples=5', f'--raw-folder={tmp_path}/{raw}', f'--cleaned-folder={tmp_path}/{cleaned}', code=2)
    assert 'lie in one another' in message and not (tmp_path / 'o').exists()


def test_names_that_the_output_has_itself_and_names_that_are_too_long(tmp_path):
    names = ['records', 'run.json', 'x' * 120]
    for name in names:
        write_lines(tmp_path / name / 'train.jsonl', [{'text': f'{name} {i}'} for i in range(5)])
    sample_of(tmp_path, *(f'{{name: ./{name}, weight: 1}}' for name in names), f"{{name: ./{'x' * 120}/../{'x' * 120}, weight: 1}}", n=8)
    folders = sorted(path.name for path in (tmp_path / 'raw').iterdir() if (path / 'raw_data.jsonl.gz').exists())
    assert folders[:2] == ['records_2', 'run.json_2'] and max(map(len, folders)) <= 200 and len(folders) == 4
    assert pq.read_table(tmp_path / 'raw' / 'records').num_rows == 8


@pytest.mark.parametrize(('name', 'data', 'words'), [
    ('a.parquet', b'PAR1 no Parquet PAR1', 'none of its files can be read'),
    ('a.jsonl', '{"text": "x"}\n'.encode('utf-16') * 20, 'rows that were looked at can be read: Inval'),
    ('a.jsonl', b'version https://git-lfs.github.com/spec/v1\noid sha256:' + b'0' * 64 + b'\nsize 12345\n', 'LfsPointer')])
def test_sources_of_which_nothing_can_be_read_are_refused_before_anything_starts(tmp_path, name, data, words):
    (tmp_path / 'ds').mkdir()
    (tmp_path / 'ds' / name).write_bytes(data)
    assert words in sample_of(tmp_path, '{name: ./ds, weight: 1}', code=2)


def test_a_total_beyond_all_bounds_and_a_config_that_is_a_folder(tmp_path):
    assert 'which no mixture has' in run('--stage=1', '--target-samples=' + '9' * 30, code=2)
    assert 'no such file' in run('--stage=1', f'--config={tmp_path}', code=2)


def test_lines_that_hold_nothing(tmp_path):
    (tmp_path / 'ds').mkdir()
    (tmp_path / 'ds' / 'a.jsonl').write_bytes(b'{"text": "one"}\r\n\r\n \t\n\xef\xbb\xbf\n{"text": "two"}\n\n{"text": "three"}{"text": "four"}\n{"text": "five"}')
    accounts = sample_of(tmp_path, '{name: ./ds, weight: 1}', n=9)
    assert sorted(found(tmp_path / 'raw' / 'ds'), key=lambda one: one[1]) == [('one', 0), ('two', 2), ('five', 4)]
    assert (accounts['totals']['dropped'], accounts['totals']['failed']) == ({'no_text': 1}, {'SeveralRecords': 1})


@pytest.mark.parametrize('order', ['rank', 'input'])
def test_a_sample_written_in_many_parts_is_the_same(sets, tmp_path, monkeypatch, order):
    (tmp_path / 'own.yaml').write_text('datasets:\n  - {name: ./sets/me--many-groups, text_field: doc.body, weight: 1}\n  - {name: ./sets/me--lines, weight: 1}\n')
    flags = ('--stage=1', '--config', tmp_path / 'own.yaml', '--target-samples', 300, '--seed=2', f'--order={order}')
    run(*flags, '--raw-folder', tmp_path / 'one')
    monkeypatch.setattr('transforms.text_mix.sampling.planning._SLICE_ROWS', 7)
    accounts = run(*flags, '--raw-folder', tmp_path / 'many')
    assert_balanced(accounts)
    assert len(list((tmp_path / 'many' / 'records').iterdir())) == 44
    for folder in ('sets_me--many-groups', 'sets_me--lines'):
        assert found(tmp_path / 'many' / folder) == found(tmp_path / 'one' / folder)
    one, many = records_of(tmp_path / 'one'), records_of(tmp_path / 'many')
    assert {key: (row['outcome'], row['original_index']) for key, row in one.items()} == {key: (row['outcome'], row['original_index']) for key, row in many.items()}


def test_bundles_that_are_done_again_change_nothing(sets, tmp_path):
    """Each bundle three times, as after a lost worker."""
    (tmp_path / 'own.yaml').write_text('datasets:\n  - {name: ./sets/me--many-groups, text_field: doc.body, weight: 1}\n  - {name: ./sets/me--lines, weight: 1}\n')
    argv = ['--stage=1', f'--config={tmp_path}/own.yaml', '--target-samples=200', '--seed=6']
    run(*argv, '--raw-folder', tmp_path / 'once')
    flags = parse(text_mix.SAMPLE, argv).flags
    context = Context(flags, '', '', str(tmp_path / 'thrice'), str(tmp_path / 'thrice' / '.work'), 1, 2)
    settings = text_mix.SAMPLE.complete(text_mix.SAMPLE.settings(context))
    plan = text_mix.SAMPLE.plan(settings, context)
    settings = replace(settings, run=run_in(tmp_path / 'thrice', sources=plan.sources, parts=plan.parts, inputs=plan.inputs, seed=6))
    with beam.Pipeline(runner=FnApiRunner(bundle_repeat=3)) as pipeline:
        text_mix.build_sample(pipeline, settings)
    assert load(tmp_path / 'thrice' / 'run.json')['state'] == 'done'
    assert_same_output(tmp_path / 'once', tmp_path / 'thrice')
