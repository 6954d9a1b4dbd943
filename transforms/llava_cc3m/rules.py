"""What a record of a LLaVA set must be, and why it is left out.

The rules are those of LLaVA's loader (haotian-liu/LLaVA c121f04, llava/train/train.py: `preprocess_multimodal` and
`preprocess_v1`): what it bears is kept. It reads no id; a record may have no image; a turn of gpt at the start is skipped;
`<image>` may stand in any human turn and anywhere in it: the loader moves it to the front. With `strict` a record is what the
published LLaVA-CC3M-Pretrain-595K has, which pretraining (`preprocess_plain`) bears too.
"""

from __future__ import annotations

import os
import posixpath

from transforms.files.storage import is_unsafe
from transforms.llava.special_tokens import find_special_token

_LONGEST_NAME, _LONGEST_PATH = 240, 1000
FIXES = ('none', 'first_image_token')
# With what breaks on it: v1 and plain are LLaVA's templates for fine-tuning and pretraining, "strict" is what --strict alone drops.
DROP_REASONS = (
    'bad_record',          # v1: os.path.join, split() and [] raise TypeError or KeyError on such an image, turn or record; strict: ids
    'lone_surrogate',      # half of a surrogate pair in any text: a tokenizer's encode() raises UnicodeEncodeError
    'duplicate_id',        # strict: an earlier record has this id; no loader reads ids
    'unsafe_image_path',   # the image would be read outside of the folder, or no file can have its name; strict: ./a.jpg
    'turn_order',          # v1: AssertionError on two turns of one speaker, KeyError on other speakers, all masked after a last question
    'image_token_count',   # none: plain raises AssertionError; two: v1 takes the next record's picture, or IndexError; no image: v1 trains on it
    'empty_answer',        # v1: the rounds do not fit, and the whole record is masked ("tokenization mismatch")
    'special_token',       # v1: </s> ends a round too early, and the record is masked; <|...|> are tokens of Qwen's and Llama's vocabularies
    'image_missing',       # Image.open raises FileNotFoundError
    'image_too_small',     # the image processors of CLIP and SigLIP raise on one pixel: they take it for the channels
    'image_too_big',       # over the limits of bytes or pixels: Pillow raises DecompressionBombError
    'image_truncated',     # Image.convert raises OSError: the file ends before the picture does
    'image_undecodable',   # Image.open raises UnidentifiedImageError
)
# What is kept with a warning: pretraining (plain) raises AssertionError on each but the last, v1 KeyError on a system turn.
TEXT_ONLY, SYSTEM_FIRST, GPT_FIRST = 'text_only', 'system_turn_first', 'gpt_turn_first'


def check_record(record: object, strict: bool = False) -> tuple[str, str]:
    """(drop reason, what exactly) of a record by itself; ('', '') when its text is in order."""
    if not isinstance(record, dict) or not isinstance(record.get('conversations'), list):
        return 'bad_record', 'it must be an object with the list conversations'
    if strict and not all(isinstance(record.get(n), str) and record[n] for n in ('id', 'image')):
        return 'bad_record', 'it must be an object with the texts id and image and the list conversations'
    if 'image' in record and not (isinstance(record['image'], str) and record['image']):
        return 'bad_record', 'image must be a text that is not empty; a record without one has no such field'
    if not all(isinstance(t, dict) and isinstance(t.get('from'), str) and isinstance(t.get('value'), str)
               for t in record['conversations']):
        return 'bad_record', 'every turn must be an object with the texts from and value'
    if 'image' in record and (problem := _check_path(record['image'], strict)):
        return 'unsafe_image_path', problem
    return check_turns(record['conversations'], 'image' in record, strict)


def _check_path(image: str, strict: bool) -> str:
    if is_unsafe(image) or '\\' in image or (posixpath.normpath(image) != image if strict else image.endswith('/')):
        return f'image {image[:100]!r} must be a plain relative path'
    if any(len(os.fsencode(part)) > _LONGEST_NAME for part in image.split('/')) or len(image) > _LONGEST_PATH:
        return f'image {image[:60]!r}... is longer than a file name may be'
    return ''


def check_turns(turns: list[dict[str, str]], has_image: bool = True, strict: bool = False) -> tuple[str, str]:
    """The same of a conversation whose turns have the right types."""
    used = turns if strict else used_turns(turns)
    speakers = [turn['from'] for turn in used]
    if not used or len(used) % 2 or speakers != ['human', 'gpt'] * (len(used) // 2):
        return 'turn_order', f"turns must be human, gpt in alternation; they are {', '.join(t['from'] for t in turns)[:100] or 'none'}"
    counts = [turn['value'].count('<image>') for turn in used[::2]]
    if strict and counts != [1] + [0] * (len(counts) - 1):
        return 'image_token_count', f'there must be one <image>, in the first human turn; human turns have {counts[:8]}'
    if sum(counts) != has_image:
        return 'image_token_count', f'there must be {"one" if has_image else "no"} <image>; human turns have {counts[:8]}'
    for turn in used[1::2]:
        if not turn['value'].strip():
            return 'empty_answer', 'an answer has no text'
        if token := find_special_token(turn['value']):
            return 'special_token', f'an answer holds {token}'
    for turn in (turn for turn in turns if turn['from'] != 'gpt'):
        if token := find_special_token(turn['value'].replace('<image>', '')):
            return 'special_token', f'a question holds {token}'
    return '', ''


def used_turns(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """The turns behind a system turn or, as `preprocess_v1` skips it, a turn of gpt at the start."""
    return turns[1:] if turns and turns[0]['from'] in ('system', 'gpt') else turns


def warnings_of(record: dict) -> list[str]:
    """What is unusual about a record that is kept."""
    first = {'system': SYSTEM_FIRST, 'gpt': GPT_FIRST}.get(record['conversations'][0]['from'])
    return [name for name in ('' if 'image' in record else TEXT_ONLY, first) if name]


def check_sample(sample: object, strict: bool = False) -> str:
    """What is wrong with a sample of the written chat.json; '' when a loader can read it."""
    return ': '.join(filter(None, check_record(sample, strict)))


def fixed(record: dict, fix: str) -> dict:
    """The record with what `fix` changes: a trailing `<image>` moved to the front, as the loader would."""
    if fix != 'first_image_token':
        return record
    turns = list(record['conversations'])
    first = len(turns) - len(used_turns(turns))
    text = turns[first]['value'].rstrip()
    if not text.endswith('<image>') or text == '<image>':
        return record
    turns[first] = {**turns[first], 'value': '<image>\n' + text.removesuffix('<image>').rstrip()}
    return {**record, 'conversations': turns}
