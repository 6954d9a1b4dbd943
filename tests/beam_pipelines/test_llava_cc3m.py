"""llava_cc3m: every planted defect for its own reason, bytes as they were, the same from zip, folder and Hub."""

import json
import os
import shutil
import struct
import zipfile

import pytest

from beam_pipelines import llava_cc3m
from beam_pipelines.samples import sample_folder
from beam_pipelines.samples.make_llava_cc3m import make, picture, record
from tests.helpers import assert_balanced, assert_same_output, load, records, tree
from transforms.llava_cc3m.rules import DROP_REASONS

SAMPLE = sample_folder('llava_cc3m')


def run(source, output, *flags):
    return llava_cc3m.run([f'--input={source}', f'--output={output}', '--progress=off', *flags])


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    output = tmp_path_factory.mktemp('cc3m') / 'out'
    assert run(SAMPLE, output).exit_code == 0
    return output


def write_set(root, images, chat, compression=zipfile.ZIP_DEFLATED):
    root.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(root / 'images.zip', 'w', compression) as archive:
        for name, data in images.items():
            archive.writestr(name, data)
    (root / 'chat.json').write_text(json.dumps(chat))
    return root


def test_the_embedded_sample_is_what_its_maker_makes(tmp_path):
    make(tmp_path)
    assert tree(tmp_path) == tree(SAMPLE)


@pytest.fixture(scope='module')
def strict(tmp_path_factory):
    output = tmp_path_factory.mktemp('strict') / 'out'
    assert run(SAMPLE, output, '--strict').exit_code == 0
    return output


def test_every_defect_has_its_own_reason(strict):
    finished = strict
    account = load(finished / 'run.json')
    assert_balanced(account)
    reasons = {r['id']: r['reason'] for r in records(finished).values() if r['outcome'] == 'dropped'}
    assert reasons.pop('GCC_train_000000003') == 'duplicate_id'
    assert reasons == {
        'GCC_train_000000100': 'image_missing', 'GCC_train_000000101': 'image_truncated',
        'GCC_train_000000102': 'image_undecodable', 'GCC_train_000000103': 'image_token_count',
        'GCC_train_000000104': 'image_token_count', 'GCC_train_000000105': 'empty_answer',
        'GCC_train_000000106': 'special_token', 'GCC_train_000000107': 'unsafe_image_path',
        'GCC_train_000000109': 'turn_order', 'GCC_train_000000110': 'bad_record'}
    assert set(reasons.values()) <= set(DROP_REASONS)
    assert account['totals']['written'] == 12 and account['warnings'] == {'orphan_member': 1}


def test_what_the_loader_bears_is_kept(finished):
    account = load(finished / 'run.json')
    assert_balanced(account)
    assert account['totals']['dropped'] == dict.fromkeys((
        'bad_record', 'empty_answer', 'image_missing', 'image_truncated', 'image_undecodable', 'special_token', 'turn_order',
        'unsafe_image_path'), 1) | {'image_token_count': 2}
    assert account['totals']['written'] == 13, 'the second record of an id is kept'


def test_what_is_kept_is_not_changed(strict):
    finished = strict
    original = load(SAMPLE / 'chat.json')
    kept = {r['id'] for r in records(finished).values() if r['outcome'] == 'written'}
    seen: set = set()
    expected = [r for r in original if r['id'] in kept and not (r['id'] in seen or seen.add(r['id']))]
    assert load(finished / 'chat.json') == expected
    with zipfile.ZipFile(SAMPLE / 'images.zip') as archive:
        for sample in expected:
            assert (finished / 'images' / sample['image']).read_bytes() == archive.read(sample['image'])
    assert len(list((finished / 'images').iterdir())) == 12
    assert load(finished / 'manifest.json')[-1]['path'].startswith('images/')


def test_a_trailing_token_is_moved_on_request_alone(finished, tmp_path):
    assert any(s['conversations'][0]['value'].endswith('<image>') for s in load(finished / 'chat.json'))
    assert run(SAMPLE, tmp_path / 'out', '--fix=first_image_token').exit_code == 0
    fixed = load(tmp_path / 'out' / 'chat.json')
    assert all(s['conversations'][0]['value'].startswith('<image>\n') for s in fixed)
    assert [s['conversations'][1] for s in fixed] == [s['conversations'][1] for s in load(finished / 'chat.json')]


@pytest.mark.parametrize('flags', [('--num_workers=2',), ('--direct_runner_bundle_repeat=2',),
                                   ('--direct_running_mode=multi_processing', '--direct_num_workers=2')])
def test_the_same_bytes_however_it_runs(finished, tmp_path, flags):
    assert run(SAMPLE, tmp_path / 'out', *flags).exit_code == 0
    assert_same_output(finished, tmp_path / 'out')


def test_the_same_from_a_folder_of_images(finished, tmp_path):
    source = tmp_path / 'in'
    with zipfile.ZipFile(SAMPLE / 'images.zip') as archive:
        archive.extractall(source / 'images')
    shutil.copy(SAMPLE / 'chat.json', source)
    assert run(source, tmp_path / 'out').exit_code == 0
    aside = {'errors.jsonl', 'manifest.json', 'records/part-00000-of-00001.parquet'}  # they hold the source
    one, two = tree(finished), tree(tmp_path / 'out')
    assert {k: v for k, v in one.items() if k not in aside} == {k: v for k, v in two.items() if k not in aside}


def test_images_that_are_links_as_in_the_cache_of_the_hub(tmp_path):
    blobs, snapshot = tmp_path / 'blobs', tmp_path / 'snapshots' / 'r'
    with zipfile.ZipFile(SAMPLE / 'images.zip') as archive:
        archive.extractall(blobs)
    (snapshot / 'images').mkdir(parents=True)
    for path in blobs.rglob('*'):
        if path.is_file():
            link = snapshot / 'images' / path.relative_to(blobs)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    shutil.copy(SAMPLE / 'chat.json', snapshot)
    assert run(snapshot, tmp_path / 'out').accounts['totals'] == run(SAMPLE, tmp_path / 'plain').accounts['totals']


def test_the_same_from_the_hub(finished, hub, tmp_path):
    hub.add('liu/cc3m', SAMPLE)
    assert run('hf://datasets/liu/cc3m', tmp_path / 'out').exit_code == 0
    assert (tmp_path / 'out' / 'chat.json').read_bytes() == (finished / 'chat.json').read_bytes()
    assert sorted(os.listdir(tmp_path / 'out' / 'images')) == sorted(os.listdir(finished / 'images'))


def test_the_first_records_alone(tmp_path):
    assert run(SAMPLE, tmp_path / 'out', '--limit=4').exit_code == 0
    assert [s['id'] for s in load(tmp_path / 'out' / 'chat.json')] == [f'GCC_train_{i:09d}' for i in range(4)]


def test_one_image_for_two_records_and_a_folder_in_the_zip(tmp_path):
    chat = [record(i, '<image>\nWhat?', f'answer {i} .', 'a/same.jpg') for i in range(2)]
    chat.append(record(2, '<image>\nWhat?', 'more .', 'other.jpg'))
    source = write_set(tmp_path / 'in', {'top/a/same.jpg': picture('red', 'circle'),
                                         'top/other.jpg': picture('blue', 'circle')}, chat)
    assert run(source, tmp_path / 'out').exit_code == 0
    assert load(tmp_path / 'out' / 'chat.json') == chat
    assert (tmp_path / 'out' / 'images' / 'a' / 'same.jpg').read_bytes() == picture('red', 'circle')


HUMAN, GPT = {'from': 'human', 'value': '<image>\nWhat?'}, {'from': 'gpt', 'value': 'a circle .'}
ASK = {'from': 'human', 'value': 'And?'}
SYSTEM = {'from': 'system', 'value': 'You are.'}


@pytest.mark.parametrize(('changes', 'warning', 'dropped'), [
    ({'id': 7}, '', ''), ({'id': None}, '', ''), ({'id': ['x', 1.5]}, '', ''), ({'id': 2 ** 70}, '', ''), ({'id': ...}, '', ''),
    ({'id': 'twice'}, '', ''), ({'image': './a.jpg'}, '', ''), ({'image': './/a.jpg'}, '', ''), ({'model': '', 'more': [1]}, '', ''),
    ({'image': ..., 'conversations': [ASK, GPT]}, 'text_only', ''), ({'image': ..., 'id': ..., 'conversations': [ASK, GPT]}, 'text_only', ''),
    ({'conversations': [SYSTEM, HUMAN, GPT]}, 'system_turn_first', ''), ({'conversations': [GPT, HUMAN, GPT]}, 'gpt_turn_first', ''),
    ({'conversations': [ASK, GPT, HUMAN, GPT]}, '', ''), ({'conversations': [ASK, GPT]}, '', 'image_token_count'),
    ({'conversations': [{'from': 'human', 'value': '<image><image>'}, GPT]}, '', 'image_token_count'),
    ({'image': ['a.jpg']}, '', 'bad_record'), ({'image': ''}, '', 'bad_record'), ({'image': None}, '', 'bad_record'),
    ({'conversations': [HUMAN, GPT, HUMAN, GPT]}, '', 'image_token_count'), ({'image': ...}, '', 'image_token_count'),
    ({'conversations': [SYSTEM, SYSTEM, HUMAN, GPT]}, '', 'turn_order'), ({'conversations': [HUMAN, GPT, ASK]}, '', 'turn_order'),
    ({'conversations': [HUMAN, SYSTEM, GPT]}, '', 'turn_order'), ({'conversations': [SYSTEM]}, '', 'turn_order'),
    ({'conversations': [{'from': 'system', 'value': '</s>'}, HUMAN, GPT]}, '', 'special_token'),
    ({'image': '../a.jpg'}, '', 'unsafe_image_path'), ({'image': 'a.jpg/'}, '', 'unsafe_image_path')], ids=str)
@pytest.mark.parametrize('is_zip', [True, False])
def test_what_later_sets_hold(tmp_path, changes, warning, dropped, is_zip):
    first = record(1, '<image>\nWhat?', 'a circle .', 'a.jpg', id='twice')
    one = {name: value for name, value in {**first, 'id': 'one', **changes}.items() if value is not ...}
    source = write_set(tmp_path / 'in', {'a.jpg': picture('red', 'circle')}, [first, one])
    if not is_zip:
        shutil.unpack_archive(source / 'images.zip', source / 'images')
        (source / 'images.zip').unlink()
    assert run(source, tmp_path / 'out').exit_code == 0
    account = load(tmp_path / 'out' / 'run.json')
    assert_balanced(account)
    assert account['totals']['dropped'] == ({dropped: 1} if dropped else {}) and list(account['warnings']) == [warning] * bool(warning)
    assert load(tmp_path / 'out' / 'chat.json') == ([first] if dropped else [first, one])
    assert os.listdir(tmp_path / 'out' / 'images') == ['a.jpg']
    if list(changes) != ['model', 'more']:
        assert run(source, tmp_path / 'strict', '--strict').exit_code == 0
        assert load(tmp_path / 'strict' / 'chat.json') == [first], 'the published set has none such'


def test_multi_turn_conversations(tmp_path):
    good = record(1, '<image>\nWhat?', 'a circle .')
    good['conversations'] += [{'from': 'human', 'value': 'And its colour?'}, {'from': 'gpt', 'value': 'red .'}]
    late = record(2, 'What?', 'a circle .')
    late['conversations'] += [{'from': 'human', 'value': '<image>\nNow?'}, {'from': 'gpt', 'value': 'red .'}]
    odd = record(3, '<image>\nWhat?', 'a circle .')
    odd['conversations'].append({'from': 'human', 'value': 'And?'})
    images = {f'GCC_train_{i:09d}.jpg': picture('red', 'circle') for i in range(4)}
    assert run(write_set(tmp_path / 'in', images, [good, late, odd]), tmp_path / 'out', '--strict').exit_code == 0
    assert load(tmp_path / 'out' / 'chat.json') == [good]
    assert [r['reason'] for r in records(tmp_path / 'out').values()] == ['', 'image_token_count', 'turn_order']


def test_members_that_are_damaged_bombs_or_encrypted(tmp_path):
    chat = [record(i, '<image>\nWhat?', f'answer {i} .') for i in range(5)]
    images = {r['image']: picture('red', 'circle') for r in chat}
    images[chat[3]['image']] = bytes(3 << 20)
    source = write_set(tmp_path / 'in', images, chat)
    data = bytearray((source / 'images.zip').read_bytes())
    with zipfile.ZipFile(source / 'images.zip') as archive:
        infos = {i.filename: i for i in archive.infolist()}
    at = infos[chat[1]['image']].header_offset + 30 + len(chat[1]['image']) + 40
    data[at:at + 8] = b'\xff' * 8
    directory = data.rfind(chat[2]['image'].encode()) - 46
    struct.pack_into('<H', data, directory + 8, 1)  # the flag that says encrypted
    (source / 'images.zip').write_bytes(data)
    assert run(source, tmp_path / 'out', '--max_image_bytes=1MB').exit_code == 0
    assert [r['reason'] for r in records(tmp_path / 'out').values()] == [
        '', 'image_undecodable', 'image_undecodable', 'image_too_big', '']


def test_a_zip_without_its_end_fails_the_run(tmp_path):
    source = tmp_path / 'in'
    shutil.copytree(SAMPLE, source)
    source.chmod(0o755)
    (source / 'images.zip').write_bytes((SAMPLE / 'images.zip').read_bytes()[:-3000])
    result = run(source, tmp_path / 'out', '--strict')
    assert result.exit_code == 1
    account = load(tmp_path / 'out' / 'run.json')
    assert_balanced(account)
    assert account['failed_units'] == {'DamagedArchive': 1} and account['totals']['failed'] == {'ArchiveUnreadable': 15}


def test_a_chat_that_breaks_off_keeps_what_came_before(tmp_path):
    source = tmp_path / 'in'
    shutil.copytree(SAMPLE, source)
    data = (SAMPLE / 'chat.json').read_bytes()
    (source / 'chat.json').write_bytes(data[:len(data) // 3])
    assert run(source, tmp_path / 'out').exit_code == 1
    assert run(source, tmp_path / 'out', '--max_failed_units=1').exit_code == 0
    account = load(tmp_path / 'out' / 'run.json')
    assert account['failed_units'] == {'InvalidJson': 1} and account['totals']['written'] > 3


@pytest.mark.parametrize(('files', 'words'), [
    ({}, 'has no chat.json at its top'), ({'chat.jsonl': ''}, 'it has chat.jsonl'),
    ({'chat.json': '[]'}, 'neither images.zip nor a folder images/')])
def test_one_line_for_an_input_that_is_none(tmp_path, files, words):
    (tmp_path / 'in').mkdir()
    for name, text in files.items():
        (tmp_path / 'in' / name).write_text(text)
    result = run(tmp_path / 'in', tmp_path / 'out')
    assert result.exit_code == 2 and words in result.message


@pytest.mark.parametrize(('images', 'reasons'), [
    (['d', 'd/2.jpg', 'e/f.jpg', 'e'], ['', 'unsafe_image_path', '', 'unsafe_image_path']),
    (['2.jpg', './2.jpg', '1.jpg/', 'a//b.jpg'], [''] + ['unsafe_image_path'] * 3),  # the second and the last with --strict alone
    (['x' * 300 + '.jpg', 'y' * 200 + '.jpg'], ['unsafe_image_path', '']),
])
def test_names_that_no_file_can_have(tmp_path, images, reasons):
    chat = [record(i, '<image>\nWhat?', f'answer {i} .', name) for i, name in enumerate(images)]
    source = write_set(tmp_path / 'in', dict.fromkeys(images, picture('red', 'circle')), chat)
    assert run(source, tmp_path / 'out', '--strict').exit_code == 0
    assert [r['reason'] for r in records(tmp_path / 'out').values()] == reasons
    assert run(source, tmp_path / 'lenient').exit_code == 0
    assert [r['reason'] for r in records(tmp_path / 'lenient').values()] == [
        '' if image in ('./2.jpg', 'a//b.jpg') else reason for image, reason in zip(images, reasons, strict=True)]


def test_a_chat_that_is_no_list_and_one_with_a_byte_order_mark(tmp_path):
    images = {f'GCC_train_{i:09d}.jpg': picture('red', 'circle') for i in range(2)}
    source = write_set(tmp_path / 'in', images, {'a': 1})
    assert run(source, tmp_path / 'out').exit_code == 1
    assert load(tmp_path / 'out' / 'run.json')['failed_units'] == {'NotAList': 1}
    chat = [record(i, '<image>\nWhat?', f'answer {i} .') for i in range(2)]
    (source / 'chat.json').write_bytes(b'\xef\xbb\xbf' + json.dumps(chat).encode())
    assert run(source, tmp_path / 'two').exit_code == 0 and load(tmp_path / 'two' / 'chat.json') == chat


def test_a_zip_with_something_in_front(tmp_path):
    source = tmp_path / 'in'
    shutil.copytree(SAMPLE, source)
    (source / 'images.zip').write_bytes(b'#!/bin/sh\nexit\n' + (SAMPLE / 'images.zip').read_bytes())
    assert run(source, tmp_path / 'out').exit_code == 0
    assert load(tmp_path / 'out' / 'run.json')['totals']['written'] == 13
