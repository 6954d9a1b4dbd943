import json
from dataclasses import replace

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.helpers import load, run_in, validate_chat
from transforms import FinishRun, ToLlavaConversation
from transforms.llava.conversation import Conversation, LabelledImage, choose_prompt
from transforms.llava.special_tokens import escape_special_tokens, find_special_token
from transforms.llava.validate import check_sample
from transforms.llava.write_llava import WriteLlava, chat_files

SAMPLE = {'id': 'a', 'image': 'images/a.png', 'conversations': [
    {'from': 'human', 'value': '<image>\nFree OCR.'}, {'from': 'gpt', 'value': 'text'}]}


def with_turns(human: str = '<image>\nGo.', answer: str = 'text', **changes) -> dict:
    return {**SAMPLE, 'conversations': [{'from': 'human', 'value': human}, {'from': 'gpt', 'value': answer}], **changes}


def test_exactly_the_documented_fields(pipeline):
    images = [LabelledImage(0, 'f', 1, 'a', 'images/a.png', 'text'), LabelledImage(0, 'f', 2, 'b', 'b.png', 'x', 'eval')]
    made = pipeline | beam.Create(images) | ToLlavaConversation()
    assert_that(made | 'Json' >> beam.Map(lambda c: (c.split, json.loads(c.to_json())))
                | beam.Filter(lambda pair: pair[0] == 'train'), equal_to([('train', SAMPLE)]))
    assert_that(made | beam.Map(lambda c: c.row), equal_to([1, 2]), label='rows')


@given(st.text(min_size=1), st.integers())
def test_the_choice_of_prompt_depends_on_seed_and_id_alone(record_id, seed):
    prompts = ('one', 'two', 'three')
    assert choose_prompt(prompts, seed, record_id) == choose_prompt(prompts, seed, record_id)


def test_prompts_are_all_used_and_the_seed_matters():
    prompts = ('one', 'two', 'three')
    chosen = [[choose_prompt(prompts, seed, f'r{i}') for i in range(300)] for seed in (0, 1)]
    assert set(chosen[0]) == set(prompts)
    assert min(chosen[0].count(p) for p in prompts) > 60
    assert chosen[0] != chosen[1]


@pytest.mark.parametrize('prompts', [(), ('see <image>',), (' ',)])
def test_prompts_are_checked(prompts):
    with pytest.raises(ValueError, match='prompt'):
        ToLlavaConversation(prompts)


@given(st.text())
def test_conversations_survive_json(text):
    made = json.loads(Conversation(0, 'f', 0, 'train', 'id', 'i.png', 'Read.', text).to_json())
    assert made['conversations'][1]['value'] == text


@pytest.mark.parametrize('token', ['<image>', '<video>', '<vila/sentinel>', '<|im_end|>', '<|begin|>', '</s>'])
def test_special_tokens_are_found_and_escaped(token):
    text = f'before {token} after'
    assert find_special_token(text) == token
    escaped = escape_special_tokens(text)
    assert find_special_token(escaped) == ''
    assert escaped == text.replace('<', '&lt;')


@pytest.mark.parametrize('text', ['a < b', '<table><td>1</td></table>', '<s>', '<images>', '<| a < b |>', '< |x| >'])
def test_ordinary_text_is_no_special_token(text):
    assert find_special_token(text) == ''
    assert escape_special_tokens(text) == text


@pytest.mark.parametrize(('sample', 'word'), [
    (SAMPLE, ''), ([], 'fields'), ({**SAMPLE, 'x': 1}, 'fields'), ({**SAMPLE, 'id': 3}, 'id'),
    ({**SAMPLE, 'image': '/etc/x.png'}, 'relative'), ({**SAMPLE, 'image': 'a/../../b.png'}, 'relative'),
    ({**SAMPLE, 'image': './a.png'}, 'relative'), ({**SAMPLE, 'conversations': SAMPLE['conversations'][::-1]}, 'human'),
    ({**SAMPLE, 'conversations': SAMPLE['conversations'][:1]}, 'two turns'), (with_turns('Go.\n<image>'), 'begin'),
    (with_turns('<image>\n<image>\n'), 'once'), (with_turns(answer=' \n'), 'empty'), (with_turns(answer=None), 'text'),
    (with_turns(answer='x <|end|>'), 'special')])
def test_loader_rules(sample, word):
    assert word in check_sample(sample) if word else check_sample(sample) == ''


def test_kept_special_tokens_are_allowed():
    assert check_sample(with_turns(answer='x </s>'), allow_special=True) == ''


def finish(tmp_path, pipeline, conversations) -> dict:
    """The run.json of a run that writes these conversations; its records are not what is tested."""
    run = run_in(tmp_path / 'out')
    chat = pipeline | beam.Create(conversations) | WriteLlava(run)
    (chat,) | FinishRun(run, products=chat_files())
    pipeline.run().wait_until_finish()
    return load(tmp_path / 'out' / 'run.json')


def conversation(row: int, **changes) -> Conversation:
    made = Conversation(0, 'f', row, 'train', f'id{row}', 'images/a.png', 'Go.', 'text')
    return replace(made, **changes)


def write_image(tmp_path, mode='RGB') -> None:
    (tmp_path / 'out' / 'images').mkdir(parents=True)
    Image.new(mode, (4, 4)).save(tmp_path / 'out' / 'images' / 'a.png')


def test_a_good_chat_file(tmp_path, pipeline):
    write_image(tmp_path)
    assert finish(tmp_path, pipeline, [conversation(2), conversation(0), conversation(1, split='eval')])['state'] == 'done'
    assert [s['id'] for s in load(tmp_path / 'out' / 'chat.json')] == ['id0', 'id2']
    assert validate_chat(tmp_path / 'out', 'chat_eval.json') == (1, [])


def test_without_samples_there_is_an_empty_list(tmp_path, pipeline):
    assert finish(tmp_path, pipeline, [])['state'] == 'done'
    assert (tmp_path / 'out' / 'chat.json').read_bytes() == b'[]\n'


@pytest.mark.parametrize(('made', 'mode', 'word'), [
    ([conversation(0), conversation(1, id='id0')], 'RGB', 'unique'),
    ([conversation(0, image='images/b.png')], 'RGB', 'No such file'),
    ([conversation(0)], 'RGBA', 'mode'), ([conversation(0, answer=' ')], 'RGB', 'empty')])
def test_faults_that_a_loader_would_meet_fail_the_run(tmp_path, pipeline, made, mode, word):
    write_image(tmp_path, mode)
    run = finish(tmp_path, pipeline, made)
    assert run['exit_code'] == 1
    assert word in run['problems'][0]
    assert not (tmp_path / 'out' / '_SUCCESS').exists()
