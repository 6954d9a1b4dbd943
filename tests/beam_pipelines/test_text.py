"""text_clean and stage 2 of text_mix: documents cleaned, judged and deduplicated, each accounted for; the same bytes however it runs."""

import gzip
import json
import os
import random

import pyarrow.parquet as pq
import pytest

from beam_pipelines import text_clean, text_mix
from tests.conftest import shared
from tests.helpers import assert_same_output
from transforms.text.cleaning.original import clean_as_published
from transforms.text_mix.clean_parts import OneIn

WORDS = 'một hai ba bốn năm sáu bảy tám chín mười one two three four five six seven eight nine ten'.split()
QUIET = ('--progress=off',)


def prose(number, length=40):
    return ' '.join(WORDS[(number * 7 + i * (1 + number % 5)) % len(WORDS)] for i in range(length)) + f' {number}'


def run(pipeline, *flags, code=0):
    result = pipeline.run([*map(str, flags), *QUIET])
    assert result.exit_code == code, result
    return result.accounts


def lines_of(path):
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def records_of(output):
    rows = [row for path in sorted((output / 'records').glob('*.parquet')) for row in pq.read_table(path).to_pylist()]
    return {(row['source_number'], row['file'], row['row']): row for row in rows}


def write_lines(path, records, members=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [(json.dumps(record, ensure_ascii=False) if isinstance(record, dict) else record).encode() + b'\n' if not isinstance(record, bytes) else record
             for record in records]
    size = -(-len(lines) // members)
    data = [b''.join(lines[i:i + size]) for i in range(0, len(lines), size)]
    path.write_bytes(b''.join(map(gzip.compress, data)) if path.suffix == '.gz' else b''.join(data))


@pytest.fixture
def raw(tmp_path):
    """Three entries; `b` comes before `a` in the YAML, `c` in none."""
    def line(text, index, **more):
        return {'text': text, 'metadata': {'source': 'x', 'weight': 0.1, 'original_index': index, 'nested': {'k': [1, None]}, **more}}

    folder = tmp_path / 'raw'
    write_lines(folder / 'a_one' / 'raw_data.jsonl.gz', [line(prose(n), n) for n in range(30)] + [line('short', 30), line(None, 31), line('   ', 32)])
    write_lines(folder / 'b' / 'raw_data.jsonl.gz', [line(f'<p>{prose(n)}</p>', n) for n in range(20, 50)])
    write_lines(folder / 'c' / 'raw_data.jsonl', [line(prose(n), n) for n in (5, 45, 99)])
    (folder / 'a_one' / 'notes.jsonl').write_text('{"text": "not raw"}\n')
    (tmp_path / 'mix.yaml').write_text('datasets:\n  - {name: b, weight: 1}\n  - {name: a, config: one, weight: 2}\n')
    return folder


def test_stage_two_reads_and_writes_the_documented_folders(raw, tmp_path):
    out = tmp_path / 'cleaned'
    accounts = run(text_mix, '--stage=2', '--config', tmp_path / 'mix.yaml', '--raw-folder', raw, '--cleaned-folder', out)
    assert accounts['totals']['read'] == 66 and accounts['totals']['dropped'] == {'duplicate': 12, 'empty': 1, 'no_text': 1, 'too_short': 1}
    written = {name: lines_of(out / name / 'cleaned_data.jsonl.gz') for name in ('a_one', 'b', 'c')}
    assert [line['text'] for line in written['b']] == [prose(n) for n in range(20, 50)]  # first in the YAML
    assert written['b'][0]['metadata'] == {'source': 'x', 'weight': 0.1, 'original_index': 20, 'nested': {'k': [1, None]}}
    assert [line['text'] for line in written['a_one']] == [prose(n) for n in range(20)]
    assert [line['text'] for line in written['c']] == [prose(99)]
    records = records_of(out)
    [five] = [row for row in records.values() if row['source'].endswith('/c') and row['row'] == 0]
    assert five['reason'] == 'duplicate' and five['duplicate_of'].endswith('raw_data.jsonl.gz:5') and 'a_one' in five['duplicate_of'] and five['group_size'] == 2
    [kept] = [row for row in records.values() if row['source'].endswith('/b') and row['row'] == 25]
    assert kept['group_size'] == 2 and kept['duplicate_of'] is None and kept['dedup_key'] and kept['output'] == 'b/cleaned_data.jsonl.gz'
    page = (out / 'report.html').read_text()
    assert 'What cleaning changed' in page and 'duplicates' in page.lower() and prose(30)[:40] in page


@pytest.mark.parametrize('flags', [('--merge',), ('--format=parquet',), ('--format=parquet', '--merge'), ('--shard_size=1MB',), ('--keep_dropped',)])
def test_forms_of_the_output(raw, tmp_path, flags):
    out, name = tmp_path / 'out', 'cleaned_data'
    run(text_mix, '--config', tmp_path / 'mix.yaml', '--input', raw, '--output', out, *flags)
    paths = sorted(str(path.relative_to(out)) for path in out.rglob('*') if path.is_file() and ('clean' in path.name or 'dropped' in path.name))
    extension = '.parquet' if '--format=parquet' in flags else '.jsonl.gz'
    if '--merge' in flags:
        assert paths == [f'all_cleaned{extension}']
    else:
        number = '-00000-of-00001' if '--shard_size=1MB' in flags else ''
        expected = [f'{folder}/{name}{number}{extension}' for folder in ('a_one', 'b', 'c')]
        dropped = [f'{folder}/dropped_data.jsonl.gz' for folder in ('a_one', 'b', 'c')] if '--keep_dropped' in flags else []
        assert paths == sorted(expected + dropped)
    rows = [row for path in paths if 'dropped' not in path for row in
            (pq.read_table(out / path).to_pylist() if extension == '.parquet' else lines_of(out / path))]
    assert sorted(row['text'] for row in rows) == sorted([prose(n) for n in range(50)] + [prose(99)])
    if '--keep_dropped' in flags:
        gone = lines_of(out / 'a_one' / 'dropped_data.jsonl.gz')
        assert [line['dropped']['reason'] for line in gone if line['dropped']['reason'] != 'duplicate'] == ['too_short', 'no_text', 'empty']


def test_the_same_bytes_however_it_runs(tmp_path):
    """Workers, bundles that run again, shards of a shared gzip; documents that span parts are each other's duplicates."""
    source = tmp_path / 'in'
    for file in range(3):
        write_lines(source / f'train-{file}.jsonl.gz', [{'id': f'{file}-{n}', 'text': f'<p>{prose(n % 700, 300)}</p>'} for n in range(1500)], members=8)
    first = tmp_path / 'first'
    accounts = run(text_clean, '--input', source, '--output', first, '--shard_size=1MB')
    assert accounts['totals']['written'] == 700 and accounts['totals']['dropped'] == {'duplicate': 3800}
    for number, flags in enumerate((('--direct_runner_bundle_repeat=2',), ('--direct_running_mode=multi_processing', '--direct_num_workers=2'))):
        run(text_clean, '--input', source, '--output', tmp_path / f'{number}', '--shard_size=1MB', *flags)
        assert_same_output(first, tmp_path / f'{number}')
    rows = records_of(first).values()
    assert {row['group_size'] for row in rows} == {6, 9} and len({row['duplicate_of'] for row in rows}) == 701
    assert len({row['id'] for row in rows}) == 4500


@pytest.mark.parametrize('pipeline', [text_clean, text_mix])
def test_the_same_bytes_whatever_the_listing_order(raw, tmp_path, monkeypatch, pipeline):
    flags = ('--config', tmp_path / 'mix.yaml', '--input', raw)
    run(pipeline, *flags, '--output', tmp_path / 'one')
    monkeypatch.setattr(os, 'walk', lambda folder, walk=os.walk, **how: [
        (base, folders[::-1], names[::-1]) for base, folders, names in list(walk(folder, **how))[::-1]])
    run(pipeline, *flags, '--output', tmp_path / 'two')
    assert_same_output(tmp_path / 'one', tmp_path / 'two')


def test_the_report_tells_the_languages_of_a_sample(tmp_path):
    """Where no rule asks for them; the same ones whatever the parts."""
    texts = {'en': 'The old mill by the river was sold to a family from the city last year, number {0}. ' * 3,
             'vi': 'Con đường làng chạy qua cánh đồng lúa xanh mướt đến tận chân núi xa, số {0}. ' * 3}
    write_lines(tmp_path / 'in' / 'train.jsonl', [{'id': f'{language}-{n}', 'text': text.format(n % 250)} for n in range(300) for language, text in texts.items()])
    run(text_clean, '--input', tmp_path / 'in', '--output', tmp_path / 'out')
    rows = records_of(tmp_path / 'out').values()
    assert {row['id'][:2] == row['language'] for row in rows} == {True}
    report = (tmp_path / 'out' / 'report.html').read_text()
    assert 'languages of what was read' in report and 'languages of what was written' in report
    run(text_clean, '--input', tmp_path / 'in', '--output', tmp_path / 'asked', '--languages=vi')
    assert {row['language'] for row in records_of(tmp_path / 'asked').values()} == {'en', 'vi'}


@pytest.mark.parametrize('many', [0, 1, 7])
def test_a_sample_of_one_in_so_many(many):
    picks = OneIn(many)
    count = sum(picks(file, row) for file in ('a', 'b') for row in range(7_000))
    assert count == {0: 0, 1: 14_000}.get(many, count) and abs(count - 14_000 // (many or 14_001)) < 150


def test_all_else_of_a_record_stays_as_it_is(tmp_path):
    """Texts that look like times, integers among floats, keys that others lack; JSON lines with types of columns would change them."""
    lines = [{'text': prose(1), 'date': '2024-01-01 10:00:00', 'day': '2024-01-01', 'n': 1, 'z': None, 's': {'b': [1, None]}},
             {'date': '2024-02-01T10:00:00Z', 'n': 1.5, 'text': prose(2), 'only': '007', 'big': 10 ** 20}, {'id': 3, 'text': prose(3), 's': 'x'}]
    write_lines(tmp_path / 'in' / 'train.jsonl', lines)
    for pipeline, path in ((text_clean, 'data/train-00000-of-00001.jsonl.gz'), (text_mix, 'cleaned_data.jsonl.gz')):
        out = tmp_path / pipeline.SPEC.name
        run(pipeline, '--input', tmp_path / 'in', '--output', out)
        assert list(map(json.dumps, lines_of(out / path))) == list(map(json.dumps, lines))
    run(text_clean, '--input', tmp_path / 'in', '--output', tmp_path / 'columns', '--columns=text,day')
    assert lines_of(tmp_path / 'columns' / 'data' / 'train-00000-of-00001.jsonl.gz')[1] == {'text': prose(2), 'day': None}
    assert 'no column days' in text_clean.run(['--input', str(tmp_path / 'in'), '--output', str(tmp_path / 'x'), '--columns=text,days', *QUIET]).message


def test_a_text_that_is_a_list_makes_no_column_of_json(tmp_path):
    write_lines(tmp_path / 'in' / 'train.jsonl', [{'text': prose(1), 'dropped': 'mine'}, {'text': [prose(2), 3], 'dropped': 'x'}, {'text': 'short', 'dropped': 'own'}])
    run(text_clean, '--input', tmp_path / 'in', '--output', tmp_path / 'out', '--format=parquet', '--keep_dropped')
    rows = pq.read_table(tmp_path / 'out' / 'data' / 'train-00000-of-00001.parquet').to_pylist()
    assert [row['text'] for row in rows] == [prose(1), f'{prose(2)} 3']
    gone = lines_of(tmp_path / 'out' / 'dropped' / 'train-00000-of-00001.jsonl.gz')
    assert [(row['dropped'], row['_dropped']['reason']) for row in gone] == [('own', 'too_short')]


def test_a_gzip_of_one_member_is_shared(tmp_path):
    """Its parts are cut where they are cut in no other form of the file; the documents are the same."""
    lines = [{'id': str(n), 'text': prose(n % 900, 300), 'r': random.Random(n).randbytes(1500).hex()} for n in range(2000)]
    write_lines(tmp_path / 'plain' / 'train.jsonl', lines)
    write_lines(tmp_path / 'one' / 'train.jsonl.gz', lines)
    write_lines(tmp_path / 'cut' / 'train.jsonl.gz', lines)
    packed = (tmp_path / 'cut' / 'train.jsonl.gz').read_bytes()
    (tmp_path / 'cut' / 'train.jsonl.gz').write_bytes(packed[:len(packed) // 2])
    for format in ('jsonl', 'parquet'):
        run(text_clean, '--input', tmp_path / 'plain', '--output', tmp_path / f'plain-{format}', f'--format={format}')
        for number, mode in enumerate(((), ('--direct_running_mode=multi_processing', '--direct_num_workers=2'))):
            accounts = run(text_clean, '--input', tmp_path / 'one', '--output', tmp_path / f'{format}-{number}', '--shard_size=1MB', f'--format={format}', *mode)
            assert accounts['totals']['written'] == 900
        assert_same_output(tmp_path / f'{format}-0', tmp_path / f'{format}-1')
        assert not (tmp_path / f'{format}-0' / '.work').exists()
    one, plain = ([line for path in sorted((tmp_path / name / 'data').iterdir()) for line in lines_of(path)] for name in ('jsonl-0', 'plain-jsonl'))
    assert one == plain and len(list((tmp_path / 'jsonl-0' / 'data').iterdir())) == -(-len(packed) // (1 << 20))
    accounts = run(text_clean, '--input', tmp_path / 'cut', '--output', tmp_path / 'out', '--shard_size=1MB', code=1)
    assert 700 < accounts['totals']['read'] < 1300 and accounts['failed_units'] == {'DamagedFile': 1}


def test_lines_that_are_no_documents_are_in_the_accounts(tmp_path):
    write_lines(tmp_path / 'in' / 'train.jsonl', [
        {'id': 'good', 'text': prose(1)}, b'{"text": "cut\n', b'[1, 2]\n', b'{"text": "\xff\xfe"}\n', b'{"text": "\\ud800 lone"}\n', b'\n',
        b'{"text": ' + b'[' * 5000 + b']' * 5000 + b'}\n', {'id': 'nul', 'text': prose(2) + '\x00'}, {'id': 'list', 'text': [prose(3), 'more']},
        {'id': 'number', 'text': 12345}, {'id': 'deep', 'text': '<div>' * 3000 + '<textarea>x</textarea>' + '</div>' * 3000 + prose(4)}])
    accounts = run(text_clean, '--input', tmp_path / 'in', '--output', tmp_path / 'out', '--max_failure_rate=1')
    assert accounts['totals']['written'] == 3 and accounts['totals']['dropped'] == {'too_short': 1}
    assert accounts['totals']['failed'].get('HtmlTooDeep') == 1 and sum(accounts['totals']['failed'].values()) == accounts['totals']['read'] - 4
    texts = {line['id']: line['text'] for line in lines_of(tmp_path / 'out' / 'data' / 'train-00000-of-00001.jsonl.gz')}
    assert texts == {'good': prose(1), 'nul': prose(2), 'list': f'{prose(3)} more'}


def test_the_published_program(tmp_path):
    """Its own outcomes of 150 documents, line for line."""
    folder = shared('golden') / 'text_mix'
    cases = [json.loads(line) for line in (folder / 'documents.jsonl').open()]
    cases = [case for case in cases if 'kept' in case]
    (tmp_path / 'mix.yaml').write_text(json.dumps({'filtering': json.loads((folder / 'filtering_lists.json').read_text())}, ensure_ascii=False))
    write_lines(tmp_path / 'raw' / 'golden' / 'raw_data.jsonl.gz', [{'text': case['text'], 'metadata': {'i': case['i']}} for case in cases])
    run(text_mix, '--config', tmp_path / 'mix.yaml', '--preset=original', '--input', tmp_path / 'raw', '--output', tmp_path / 'out')
    lines = gzip.decompress((tmp_path / 'out' / 'golden' / 'cleaned_data.jsonl.gz').read_bytes()).decode().splitlines()
    assert lines == [json.dumps({'text': case['cleaned'], 'metadata': {'i': case['i']}}, ensure_ascii=False) for case in cases if case['kept']]
    reasons = {'too_short': 'filtered_length', 'too_long': 'filtered_length', 'junk_pattern': 'filtered_junk', 'excluded_keyword': 'filtered_keywords',
               'duplicate': 'duplicate', 'empty': 'empty', 'empty_after_cleaning': 'empty_after_cleaning'}
    found = {row['row']: reasons.get(row['reason'], '') for row in records_of(tmp_path / 'out').values()}
    assert [found[n] for n, case in enumerate(cases) if not case['kept']] == [case['stats'][0] for case in cases if not case['kept']]
    assert clean_as_published('a <b> c\u200b\n\n\td ﬁ') == 'a c d fi'


def test_a_filter_that_is_edited_is_another_run(raw, tmp_path):
    out = tmp_path / 'out'
    run(text_mix, '--config', tmp_path / 'mix.yaml', '--input', raw, '--output', out)
    (tmp_path / 'copy.yaml').write_text((tmp_path / 'mix.yaml').read_text())
    run(text_mix, '--config', tmp_path / 'copy.yaml', '--input', raw, '--output', out)  # the same words under another name
    (tmp_path / 'mix.yaml').write_text((tmp_path / 'mix.yaml').read_text() + 'filtering: {min_length: 300}\n')
    result = text_mix.run(['--config', str(tmp_path / 'mix.yaml'), '--input', str(raw), '--output', str(out), *QUIET])
    assert result.exit_code == 2 and 'other options' in result.message
    (tmp_path / 'mix.yaml').write_text('filtering: {min_lenght: 300}\n')
    result = text_mix.run(['--config', str(tmp_path / 'mix.yaml'), '--input', str(raw), '--output', str(out), *QUIET])
    assert result.exit_code == 2 and 'line 1: unknown key min_lenght; did you mean min_length?' in result.message


@pytest.mark.parametrize(('flags', 'words'), [
    (('--preset=original', '--quality=gopher'), 'goes without --quality'), (('--merge', '--shard_size=2MB'), 'one file'), (('--steps=htlm',), 'did you mean html'),
    (('--config=none.yaml',), 'none of the shipped ones'), (('--raw-folder=/a', '--input=/b'), 'the same here'), (('--stage=3',), 'invalid choice')])
def test_wrong_use(flags, words, tmp_path):
    result = text_mix.run([*flags, '--output', str(tmp_path / 'out'), *QUIET])
    assert result.exit_code == 2 and words in result.message


def test_warnings_of_the_report(tmp_path):
    write_lines(tmp_path / 'in' / 'train.jsonl', [{'id': n, 'text': prose(1) if n % 2 else prose(2) if n < 60 else 'short'} for n in range(200)])
    run(text_clean, '--input', tmp_path / 'in', '--output', tmp_path / 'out')
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert 'Look at this first' in page and 'lost 198 of 200 documents, most as duplicate (128)' in page and 'one text comes 100 times, 50.0 %' in page


def test_fields_and_quality_by_entry(tmp_path):
    write_lines(tmp_path / 'raw' / 'code' / 'raw_data.jsonl', [{'doc': {'body': 'x = 1\n' * 60, 'key': 7}}])
    write_lines(tmp_path / 'raw' / 'web' / 'raw_data.jsonl', [{'doc': {'body': 'y = 1\n' * 60, 'key': 'w'}}])
    (tmp_path / 'mix.yaml').write_text('datasets: [{name: code, quality: none}, {name: web}]\nfiltering: {quality: gopher}\n')
    accounts = run(text_mix, '--config', tmp_path / 'mix.yaml', '--input', tmp_path / 'raw', '--output', tmp_path / 'out', '--text_field=doc.body',
                   '--id_field=doc.key')
    assert accounts['totals']['written'] >= 1 and lines_of(tmp_path / 'out' / 'code' / 'cleaned_data.jsonl.gz')[0]['doc']['key'] == 7
    assert {row['id'] for row in records_of(tmp_path / 'out').values()} == {'7', 'w'}


def test_what_is_not_done_is_said(tmp_path):
    """Near duplicates that were to go, and documents in languages that the rules have no thresholds for."""
    vietnamese = 'Buổi sáng ở làng chài bắt đầu trước khi mặt trời mọc, những chiếc thuyền nhỏ trở về với mẻ cá đêm và chợ họp trên bãi cát.'
    write_lines(tmp_path / 'in' / 'train.jsonl', [{'text': vietnamese}, {'text': 'The words of this text are the same as before. ' * 9}])
    (tmp_path / 'own.yaml').write_text('filtering: {quality: gopher, deduplication: {similarity_threshold: 0.85}}')
    accounts = run(text_clean, '--config', tmp_path / 'own.yaml', '--input', tmp_path / 'in', '--output', tmp_path / 'out')
    assert accounts['warnings'] == {'language_without_quality_rules': 1, 'near_duplicates_kept': 1}
    assert accounts['totals']['written'] == 1
