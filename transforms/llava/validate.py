"""What LLaVA's and VILA's loaders would not bear of a written sample or its image.

The rules come from LLaVA's LazySupervisedDataset (c121f04, llava/train/train.py) and VILA's LLaVADataset
(b760c34, llava/data): a JSON list; relative image paths inside the folder; human first, then gpt, as text;
exactly one `<image>`, in the human turn; an answer that is not empty and holds no special token.
"""

import posixpath

from transforms.files import storage
from transforms.llava.special_tokens import find_special_token

_FIELDS = {'id', 'image', 'conversations'}


def check_sample(sample: object, allow_special: bool = False) -> str:
    """What is wrong with one sample of a chat file; '' when a loader can read it."""
    if not isinstance(sample, dict) or set(sample) != _FIELDS:
        return f'must have exactly the fields {", ".join(sorted(_FIELDS))}'
    if not isinstance(sample['id'], str) or not sample['id']:
        return 'id must be a text that is not empty'
    return check_image_path(sample['image']) or check_turns(sample['conversations'], allow_special)


def check_image_path(image: object) -> str:
    """What is wrong with an image path; '' when it stays inside the dataset's folder."""
    if not isinstance(image, str) or not image:
        return 'image must be a text that is not empty'
    if image.startswith('/') or '\\' in image or '..' in image.split('/') or posixpath.normpath(image) != image:
        return f'image {image!r} must be a plain relative path'
    return ''


def check_turns(turns: object, allow_special: bool = False) -> str:
    """What is wrong with the conversation; '' when it is human, then gpt, as both loaders want it."""
    if not isinstance(turns, list) or len(turns) != 2 or not all(
            isinstance(t, dict) and set(t) == {'from', 'value'} and isinstance(t['value'], str) for t in turns):
        return 'conversations must be two turns of from and value, as text'
    human, answer = turns
    if (human['from'], answer['from']) != ('human', 'gpt'):
        return f"turns must be human, gpt; they are {human['from']!r}, {answer['from']!r}"
    if not human['value'].startswith('<image>\n') or human['value'].count('<image>') != 1:
        return 'the human turn must begin with <image> and a new line, and hold it once'
    if not answer['value'].strip():
        return 'the answer is empty: its sample would be masked or trained on the end token only'
    if not allow_special and (token := find_special_token(answer['value'])):
        return f'the answer holds the special token {token}'
    return ''


def check_image_exists(path: str) -> str:
    """What is wrong with an image file that was decoded before: whether it is there."""
    return '' if storage.is_file(path) else f'{path} is not there'


def check_image_file(path: str) -> str:
    """What is wrong with an image file by its header; '' when Pillow opens it as gray or RGB."""
    from PIL import Image, UnidentifiedImageError

    try:
        with storage.open_read(path) as file, Image.open(file, formats=('PNG', 'JPEG', 'WEBP')) as image:
            return '' if image.mode in ('L', 'RGB') else f'{path}: mode {image.mode}, must be L or RGB'
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        return f'{path}: {error}'
