"""What a record of a LLaVA pretraining set must be, and why it is left out.

The rules are those of LLaVA's loader (haotian-liu/LLaVA c121f04, llava/train/train.py) for a set with one image a record:
turns of human and gpt that alternate, human first; one `<image>` in all, in the first human turn (where in it does not
matter: the loader moves it to the front); answers with text and without special tokens.
"""

from __future__ import annotations

import os
import posixpath

from transforms.files.storage import is_unsafe
from transforms.llava.special_tokens import find_special_token

_LONGEST_NAME, _LONGEST_PATH = 240, 1000
FIXES = ('none', 'first_image_token')
DROP_REASONS = (
    'bad_record',          # no object with the texts id and image and a list of turns
    'lone_surrogate',      # half of a surrogate pair in any text, which no file can hold
    'duplicate_id',        # an earlier record has this id
    'unsafe_image_path',   # the image lies outside the folder, or no file can have its name
    'turn_order',          # not human, gpt, human, gpt ...
    'image_token_count',   # not exactly one <image>, in the first human turn
    'empty_answer',        # a gpt turn without text
    'special_token',       # a turn with </s>, <|...|> and the like, or a gpt turn with <image>
    'image_missing',       # no such file or member
    'image_too_small',     # the shorter side under the limit
    'image_too_big',       # over the limits of bytes or pixels
    'image_truncated',     # the file ends before the picture does
    'image_undecodable',   # no picture of a known format
)


def check_record(record: object) -> tuple[str, str]:
    """(drop reason, what exactly) of a record by itself; ('', '') when its text is in order."""
    if not isinstance(record, dict) or not all(isinstance(record.get(n), str) and record[n] for n in ('id', 'image')) \
            or not isinstance(record.get('conversations'), list):
        return 'bad_record', 'it must be an object with the texts id and image and the list conversations'
    if not all(isinstance(t, dict) and isinstance(t.get('from'), str) and isinstance(t.get('value'), str)
               for t in record['conversations']):
        return 'bad_record', 'every turn must be an object with the texts from and value'
    image = record['image']
    if is_unsafe(image) or '\\' in image or posixpath.normpath(image) != image:
        return 'unsafe_image_path', f'image {image[:100]!r} must be a plain relative path'
    if any(len(os.fsencode(part)) > _LONGEST_NAME for part in image.split('/')) or len(image) > _LONGEST_PATH:
        return 'unsafe_image_path', f'image {image[:60]!r}... is longer than a file name may be'
    return check_turns(record['conversations'])


def check_turns(turns: list[dict[str, str]]) -> tuple[str, str]:
    """The same of a conversation whose turns have the right types."""
    speakers = [turn['from'] for turn in turns]
    if not turns or len(turns) % 2 or speakers != ['human', 'gpt'] * (len(turns) // 2):
        return 'turn_order', f"turns must be human, gpt in alternation; they are {', '.join(speakers)[:100] or 'none'}"
    human = [turn['value'].count('<image>') for turn in turns[::2]]
    if human != [1] + [0] * (len(human) - 1):
        return 'image_token_count', f'there must be one <image>, in the first human turn; human turns have {human[:8]}'
    for turn in turns[1::2]:
        if not turn['value'].strip():
            return 'empty_answer', 'an answer has no text'
        if token := find_special_token(turn['value']):
            return 'special_token', f'an answer holds {token}'
    for turn in turns[::2]:
        if token := find_special_token(turn['value'].replace('<image>', '')):
            return 'special_token', f'a question holds {token}'
    return '', ''


def check_sample(sample: object) -> str:
    """What is wrong with a sample of the written chat.json; '' when a loader can read it."""
    return ': '.join(filter(None, check_record(sample)))


def fixed(record: dict, fix: str) -> dict:
    """The record with what `fix` changes: a trailing `<image>` moved to the front, as the loader would."""
    if fix != 'first_image_token':
        return record
    first, *rest = record['conversations']
    text = first['value'].rstrip()
    if not text.endswith('<image>') or text == '<image>':
        return record
    moved = {**first, 'value': '<image>\n' + text.removesuffix('<image>').rstrip()}
    return {**record, 'conversations': [moved, *rest]}
