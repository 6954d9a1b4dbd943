"""WriteLlava: conversations on their way to chat.json and chat_eval.json, which finishing joins in input order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import apache_beam as beam

from transforms.accounting.outcome import Payload
from transforms.accounting.product import JoinedFile, json_list
from transforms.accounting.step import CollectAccounts, StepOutput
from transforms.files import storage
from transforms.files.json_values import loads
from transforms.image.image_folder import METADATA, metadata_line
from transforms.llava.conversation import Conversation
from transforms.llava.validate import check_image_file, check_sample
from transforms.run.run import Run

CHAT_FILES = {'train': 'chat.json', 'eval': 'chat_eval.json'}
_SHOWN_CHARS = 600


def _is_of(conversation: Conversation, splits: tuple[str, ...]) -> bool:
    return conversation.split in splits


def _to_payloads(conversation: Conversation, metadata: bool) -> Iterator[Payload]:
    """The sample for a trainer, and the line by which `datasets` finds the image with its text."""
    identity = conversation.part, conversation.file, conversation.row
    yield Payload(*identity, CHAT_FILES[conversation.split], conversation.to_json())
    if metadata:
        yield Payload(*identity, METADATA[conversation.split],
                      metadata_line(conversation.image, {'id': conversation.id, 'text': conversation.answer}))


@dataclass(eq=False)
class WriteLlava(beam.PTransform):
    """PCollection[Conversation] to StepOutput: the samples of `chat_files`, and of `image_folder` the lines.

    Both are in the work folder until finishing joins them.

    Args:
        run: the run.
        splits: 'train' goes to chat.json, 'eval' to chat_eval.json.
        metadata: whether the lines of `image_folder` are made here, for images that all have a conversation.
    """

    run: Run
    splits: tuple[str, ...] = ('train', 'eval')
    metadata: bool = True

    def expand(self, conversations: beam.PCollection[Conversation]):  # noqa: ANN201 - Beam reads tuples wrongly
        kept = conversations | 'KeepSplits' >> beam.Filter(_is_of, self.splits)
        return StepOutput(kept, (kept | 'ToJson' >> beam.FlatMap(_to_payloads, self.metadata) | 'Collect' >> CollectAccounts(self.run),))


def chat_files(splits: tuple[str, ...] = ('train', 'eval'), allow_special: bool = False) -> tuple[JoinedFile, ...]:
    """The products of `WriteLlava`: a JSON list for each split, written even when it is empty, checked as loaders read it."""
    return tuple(chat_file(CHAT_FILES[split], partial(check_sample, allow_special=allow_special), '', check_image_file)
                 for split in splits)


def chat_file(path: str, check: Callable[[object], str], images: str, check_image: Callable[[str], str],
              unique_ids: bool = True) -> JoinedFile:
    """A list of samples.

    Args:
        path: relative to the output folder.
        check: what is wrong with a sample, '' for nothing.
        images: folder of the images below the output folder.
        check_image: what is wrong with an image file.
        unique_ids: whether two samples of one id fail the run.
    """
    return json_list(path, path, parse=loads, check=partial(_problem, check, images, check_image),
                     identify=_id if unique_ids else None, excerpt=_answer)


def _problem(check: Callable[[object], str], images: str, check_image: Callable[[str], str], output: str, sample: dict) -> str:
    folder = storage.join(output, images) if images else output
    return check(sample) or (check_image(storage.join(folder, sample['image'])) if 'image' in sample else '')


def _id(sample: dict) -> str:
    return sample['id']


def _answer(sample: dict) -> str:
    return sample['conversations'][-1]['value'][:_SHOWN_CHARS]
