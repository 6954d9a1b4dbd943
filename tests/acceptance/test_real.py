"""Real pages and the published converter's own results, where the data is at hand."""

import collections

import pytest
from PIL import Image

from beam_pipelines import olmocr
from tests.conftest import shared
from tests.helpers import assert_balanced, assert_same_output, load, records, validate_chat

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]


@pytest.fixture(scope='module')
def mini(tmp_path_factory):
    source = shared('olmocr_mix_mini')
    output = tmp_path_factory.mktemp('mini') / 'out'
    assert olmocr.run([f'--input={source}', f'--output={output}', '--max_size=1288']).exit_code == 0
    return source, output


def test_every_planted_defect_is_found(mini):
    _, output = mini
    run = load(output / 'run.json')
    assert_balanced(run)
    train = next(s for s in run['sources'] if (s['subset'], s['split']) == ('00_documents', 'train'))
    assert train['failed'] == {'NotAPdf': 1, 'PdfMissing': 1, 'RepairedPdf': 1}
    assert train['dropped']['special_token'] == 1
    assert run['warnings'] == {'orphan_member': 1}
    assert run['totals']['read'] == 220
    assert set(run['totals']['dropped']) == {'blank_text', 'special_token'}
    for name in ('chat.json', 'chat_eval.json'):
        count, problems = validate_chat(output, name)
        assert (count > 0, problems) == (True, [])


def test_askew_pages_stand_upright(mini):
    _, output = mini
    turned = [r for r in records(output).values() if r['outcome'] == 'written' and r['rotation']]
    assert len(turned) == 7
    for record in turned:
        with Image.open(output / record['output']) as image:
            assert max(image.size) == 1288


@pytest.mark.parametrize('flags', [('--num_workers=1',), ('--direct_running_mode=multi_processing',
                                                          '--direct_num_workers=2'),
                                   ('--direct_runner_bundle_repeat=1',)])
def test_same_bytes_however_it_runs(mini, tmp_path, flags):
    source, output = mini
    assert olmocr.run([f'--input={source}', f'--output={tmp_path}/out', '--max_size=1288', *flags]).exit_code == 0
    assert_same_output(output, tmp_path / 'out')


def test_two_steps_as_one(mini, tmp_path):
    source, output = mini
    assert olmocr.run([f'--input={source}', f'--output={tmp_path}/a', '--stage=extract']).exit_code == 0
    assert olmocr.run([f'--input={tmp_path}/a', f'--output={tmp_path}/b', '--stage=convert',
                       '--max_size=1288']).exit_code == 0
    for path in [*output.glob('chat*.json'), *output.rglob('images/**/*.png')]:
        assert (tmp_path / 'b' / path.relative_to(output)).read_bytes() == path.read_bytes()


def test_the_published_converters_results(tmp_path):
    golden = shared('golden') / 'olmocr'
    assert olmocr.run([f'--input={golden}', f'--output={tmp_path}/out', '--preset=original']).exit_code == 0
    wanted = load(golden / 'golden_convert_to_llava.json')
    for place, kind in enumerate(('pdf', 'png')):
        assert load(tmp_path / 'out' / f'transformed_data_{kind}.json') == [
            r['result'][place] for r in wanted['records'] if r['ok']]
    combined = (tmp_path / 'out' / 'combined_train_data.json').read_bytes()
    assert combined == (golden / 'golden_combined_train_data.json').read_bytes()
    for path, facts in wanted['png'].items():
        with Image.open(tmp_path / 'out' / path) as image:
            assert ([*image.size], image.mode) == (facts['size'], facts['mode'])
    outcomes = collections.Counter(r['outcome'] for r in records(tmp_path / 'out').values())
    assert outcomes == {'written': 5, 'dropped': 2, 'failed': 1}
