"""ToLlavaConversation: labelled images to LLaVA conversations, one human turn and one answer."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam
import orjson

DEFAULT_PROMPTS = ('Free OCR.',)


@dataclass(frozen=True)
class LabelledImage:
    """An image file with its text: `image` is relative to the dataset folder, `split` is 'train' or 'eval'."""

    part: int
    file: str
    row: int
    id: str
    image: str
    text: str
    split: str = 'train'


@dataclass(frozen=True)
class Conversation:
    """One LLaVA sample and the identity of the record it came from."""

    part: int
    file: str
    row: int
    split: str
    id: str
    image: str
    prompt: str
    answer: str

    def to_json(self) -> bytes:
        """Exactly the documented fields: id, image, conversations; `<image>` first in the human turn."""
        return orjson.dumps({'id': self.id, 'image': self.image, 'conversations': [
            {'from': 'human', 'value': f'<image>\n{self.prompt}'},
            {'from': 'gpt', 'value': self.answer}]})


def choose_prompt(prompts: tuple[str, ...], seed: int, record_id: str) -> str:
    """The prompt of a record: by a seeded hash of its id, equal in every run and on every worker."""
    if len(prompts) == 1:
        return prompts[0]
    digest = hashlib.sha256(f'{seed}:{record_id}'.encode()).digest()
    return prompts[int.from_bytes(digest[:8], 'big') % len(prompts)]


@dataclass(eq=False)
class ToLlavaConversation(beam.PTransform):
    """PCollection[LabelledImage] to PCollection[Conversation], one for one.

    Args:
        prompts: the human turn's text after `<image>`; of several, a seeded hash of the id chooses.
        seed: of that choice.

    Raises:
        ValueError: no prompt, or a prompt that holds `<image>` itself (a second image token breaks loaders).
    """

    prompts: tuple[str, ...] = DEFAULT_PROMPTS
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.prompts:
            raise ValueError('prompts is empty, at least one is needed')
        for prompt in self.prompts:
            if '<image>' in prompt or not prompt.strip():
                raise ValueError(f'prompt {prompt!r} must have text and must not hold <image>, which is put first anyway')

    def expand(self, images: beam.PCollection[LabelledImage]) -> beam.PCollection[Conversation]:
        return images | 'Converse' >> beam.FlatMap(self.convert)

    def convert(self, image: LabelledImage) -> Iterator[Conversation]:
        """One conversation: a prompt that the hash of the id chooses, and the image's text as the answer."""
        prompt = choose_prompt(self.prompts, self.seed, image.id)
        yield Conversation(image.part, image.file, image.row, image.split, image.id, image.image, prompt, image.text)
