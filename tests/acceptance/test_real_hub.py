"""Real data through a Hub over loopback, and a LLaVA set made of real images: killed, resumed, from zip and Hub."""

import json
import random
import subprocess
import zipfile

import pytest

from beam_pipelines import llava_cc3m, olmocr
from beam_pipelines.samples.make_llava_cc3m import record
from tests.conftest import shared
from tests.helpers import (
    ROOT,
    assert_balanced,
    assert_same_output,
    command,
    kill_at_random_moments,
    load,
    records,
    tree,
    written_images,
)
from tests.hub_server import now_and_then
from tests.read_hf import read_all

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]
COPIES = 12


def pictures_and_chat(output):
    return {k: v for k, v in tree(output).items() if k.endswith('.png') or k.startswith('chat')}


@pytest.mark.parametrize('share', [0.0, 0.05])
def test_olmocr_mix_mini_from_folder_and_hub(hub, tmp_path, share):
    source = shared('olmocr_mix_mini')
    hub.add('allenai/mini', source)
    flags = ['--max_size=512', '--progress=off']
    assert olmocr.run([f'--input={source}', f'--output={tmp_path}/folder', *flags]).exit_code == 0
    hub.fault = now_and_then(share, seed=11)
    result = olmocr.run(['--input=hf://datasets/allenai/mini', f'--output={tmp_path}/hub', *flags])
    assert result.exit_code == 0, result.message
    assert pictures_and_chat(tmp_path / 'folder') == pictures_and_chat(tmp_path / 'hub')
    size = sum(p.stat().st_size for p in source.rglob('*') if p.suffix in ('.parquet', '.gz'))
    if not share:
        assert hub.bytes_sent <= 1.05 * size
        hub.sent.clear()
        assert olmocr.run(['--input=hf://datasets/allenai/mini', f'--output={tmp_path}/few', '--limit=2',
                           *flags]).exit_code == 0
        assert hub.bytes_sent <= 0.5 * size


def test_the_corpus_from_folder_and_hub(hub):
    source = shared('corpus')
    hub.add('me/corpus', source)
    ours, theirs = read_all('hf://datasets/me/corpus'), read_all(source)
    assert ours == theirs and len(ours['default/train']) == 20_000


@pytest.fixture(scope='module')
def cc3m(tmp_path_factory):
    """(folder, expected reason by id): real images, twelve times over, with every defect planted."""
    images = sorted((shared('images') / 'coco_mini').rglob('*.jpg'))
    extra = sorted((shared('images') / 'imagededup' / 'mixed_images').glob('*.jpg'))
    root, expected = tmp_path_factory.mktemp('cc3m') / 'in', {}
    root.mkdir()
    chat, number = [], 0
    with zipfile.ZipFile(root / 'images.zip', 'w') as archive:
        def add(data, reason='', ask='<image>\nWhat is shown?', answer='a scene .', **changes):
            nonlocal number
            one = record(number, ask, answer, **changes)
            number += 1
            if data is not None:
                archive.writestr(one['image'], data)
            expected[one['id']] = reason
            chat.append(one)

        for i in range(COPIES):
            for j, path in enumerate(images):
                add(path.read_bytes(), ask='What is shown?\n<image>' if j % 2 else '<image>\nWhat is shown?')
            whole = images[i].read_bytes()
            add(whole[:len(whole) * 2 // 3], 'image_truncated')
            add(whole[:-2], 'image_truncated')
            add(b'\x89PNG' + whole, 'image_undecodable')
            add(None, 'image_missing')
            add(whole, 'image_token_count', ask='What is shown?')
            add(whole, 'image_token_count', ask='<image><image>')
            add(whole, 'empty_answer', answer='\n')
            add(whole, 'special_token', answer='so </s>')
            add(whole, 'bad_record', conversations=None)
            add(whole, 'turn_order', conversations=[{'from': 'gpt', 'value': 'a'}, {'from': 'human', 'value': '<image>'}])
        for path in extra:
            add(path.read_bytes(), 'image_undecodable' if 'corrupt' in path.name else '')
    random.Random(5).shuffle(chat)
    (root / 'chat.json').write_text(json.dumps(chat))
    return root, expected


@pytest.fixture(scope='module')
def undisturbed(cc3m, tmp_path_factory):
    output = tmp_path_factory.mktemp('whole') / 'out'
    assert llava_cc3m.run([f'--input={cc3m[0]}', f'--output={output}', '--progress=off']).exit_code == 0
    return output


def test_every_planted_defect_has_its_reason_and_the_rest_is_there(cc3m, undisturbed):
    source, expected = cc3m
    assert_balanced(load(undisturbed / 'run.json'))
    found = {r['id']: r['reason'] for r in records(undisturbed).values()}
    wrong = {k: (v, found[k]) for k, v in expected.items() if found[k] != v}
    assert all('corrupt' in str(v) or v[0] == 'image_undecodable' for v in wrong.values()) and len(wrong) <= 1, wrong
    with zipfile.ZipFile(source / 'images.zip') as archive:
        for sample in load(undisturbed / 'chat.json'):
            assert (undisturbed / 'images' / sample['image']).read_bytes() == archive.read(sample['image'])


def test_kill_9_at_random_moments(cc3m, undisturbed, tmp_path):
    flags = (f'--input={cc3m[0]}', f'--output={tmp_path}/out', '--progress=off')

    def start():
        return subprocess.Popen(command('llava_cc3m', *flags), cwd=ROOT, start_new_session=True,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    total = len(load(undisturbed / 'chat.json'))
    assert kill_at_random_moments(start, lambda: written_images(tmp_path / 'out'), total, 6, seed=3) >= 2
    done = subprocess.run(command('llava_cc3m', *flags), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert_same_output(undisturbed, tmp_path / 'out')


def test_the_same_from_the_hub_with_each_byte_once(cc3m, undisturbed, hub, tmp_path):
    source, _ = cc3m
    hub.add('liu/cc3m', source)
    hub.fault = now_and_then(0.05, seed=2)
    result = llava_cc3m.run(['--input=hf://datasets/liu/cc3m', f'--output={tmp_path}/out', '--progress=off'])
    assert result.exit_code == 0, result.message
    one, two = tree(undisturbed), tree(tmp_path / 'out')
    assert {k: v for k, v in one.items() if k.startswith(('images/', 'chat'))} \
        == {k: v for k, v in two.items() if k.startswith(('images/', 'chat'))}
    fetched = load(tmp_path / 'out' / 'run.json')['hub']['fetched_bytes']
    assert fetched <= 1.05 * sum(p.stat().st_size for p in source.iterdir())
