"""ValidateLlava: reads the finished chat files as LLaVA's and VILA's loaders would, and says what they would not bear.

The rules come from LLaVA's LazySupervisedDataset (c121f04, llava/train/train.py) and VILA's LLaVADataset
(b760c34, llava/data): a JSON list; relative image paths inside the folder; human first, then gpt, as text;
exactly one `<image>`, in the human turn; an answer that is not empty and holds no special token.
"""

import array
import hashlib
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import apache_beam as beam
import numpy as np

from transforms.accounting.guard import guarded
from transforms.accounting.run_summary import RunSummary
from transforms.files import storage
from transforms.files.json_values import iter_items
from transforms.llava.special_tokens import find_special_token
from transforms.llava.write_llava import CHAT_FILES

_FIELDS = {'id', 'image', 'conversations'}
_SHOWN = 5
_LONGEST_SAMPLE = 64 << 20


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


def read_samples(path: str) -> Iterator[object]:
    """The samples of a chat file, whatever its layout, without holding the list."""
    with storage.open_read(path) as file:
        for item in iter_items(file.read, _LONGEST_SAMPLE):
            yield item.value


def validate_chat(folder: str, name: str, check: Callable[[object], str] = check_sample, images: str = '',
                  check_image: Callable[[str], str] = check_image_file) -> tuple[int, list[str]]:
    """Checks one chat file and its images; returns the number of samples and the first few problems."""
    root = storage.join(folder, images) if images else folder
    problems, hashes, count = [], array.array('Q'), 0
    for count, sample in enumerate(read_samples(storage.join(folder, name)), 1):
        problem = check(sample) or check_image(storage.join(root, sample['image']))
        if problem:
            problems.append(f'{name}: sample {count - 1}: {problem}')
            if len(problems) >= _SHOWN:
                break
        else:
            hashes.append(int.from_bytes(hashlib.sha256(sample['id'].encode()).digest()[:8], 'big'))
    if not problems and len(np.unique(np.frombuffer(hashes, np.uint64))) != len(hashes):
        problems.append(f'{name}: ids are not unique')
    return count, problems


@dataclass(eq=False)
class ValidateLlava(beam.PTransform):
    """PCollection[RunSummary] to the same with a problem for every rule that the chat files break.

    Args:
        output: folder of the chat files and images.
        splits: the splits that were written.
        allow_special: special tokens in answers were asked for.
    """

    output: str
    splits: tuple[str, ...] = ('train', 'eval')
    allow_special: bool = False

    def expand(self, summaries: beam.PCollection[RunSummary]) -> beam.PCollection[RunSummary]:
        return summaries | 'ReadAsALoader' >> beam.Map(guarded, self.check)

    def check(self, summary: RunSummary) -> RunSummary:
        """Adds the first few problems of each chat file."""
        check = partial(check_sample, allow_special=self.allow_special)
        problems = [problem for split in self.splits
                    for problem in validate_chat(self.output, CHAT_FILES[split], check)[1]]
        return replace(summary, problems=(*summary.problems, *problems))
