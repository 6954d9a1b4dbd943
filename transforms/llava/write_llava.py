"""WriteLlava: conversations to chat.json and chat_eval.json, streamed in input order."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import BinaryIO

import apache_beam as beam

from transforms.accounting.fragments import KeyedPayload, WriteFragments, merge_fragments
from transforms.accounting.guard import guarded
from transforms.accounting.run_summary import OutputFile, RunSummary
from transforms.files import storage
from transforms.files.json_values import loads
from transforms.llava.conversation import Conversation

CHAT_FILES = {'train': 'chat.json', 'eval': 'chat_eval.json'}
_SHOWN_CHARS = 600


def _is_of(conversation: Conversation, split: str) -> bool:
    return conversation.split == split


def _keyed(conversation: Conversation) -> KeyedPayload:
    return KeyedPayload(conversation.file, conversation.row, conversation.to_json())


@dataclass(eq=False)
class SpillConversations(beam.PTransform):
    """PCollection[Conversation] to a tuple of PCollection[FragmentRef], one for each split, for BuildRunSummary.

    Args:
        folder: work folder of the fragments.
        splits: the splits that are wanted.
    """

    folder: str
    splits: tuple[str, ...] = ('train', 'eval')

    def expand(self, conversations: beam.PCollection[Conversation]):  # noqa: ANN201 - Beam reads tuples wrongly
        return tuple(
            conversations | f'Only{split.title()}' >> beam.Filter(_is_of, split)
            | f'{split.title()}ToJson' >> beam.Map(_keyed)
            | f'Spill{split.title()}' >> WriteFragments(self.folder, split)
            for split in self.splits)


@dataclass(eq=False)
class WriteLlava(beam.PTransform):
    """PCollection[RunSummary] to the same after writing one JSON list for each split, a record a line.

    Args:
        output: output folder.
        splits: 'train' goes to chat.json, 'eval' to chat_eval.json; each is written even when it is empty.

    Raises:
        RunAborted: the disk is full or the folder cannot be written.
    """

    output: str
    splits: tuple[str, ...] = ('train', 'eval')

    def expand(self, summaries: beam.PCollection[RunSummary]) -> beam.PCollection[RunSummary]:
        return summaries | 'MergeConversations' >> beam.Map(guarded, self.write)

    def write(self, summary: RunSummary) -> RunSummary:
        """Merges the conversation fragments of `summary` into the chat files."""
        views = summary.views.get('records')
        wanted = {(r.file, r.row) for r in views.sheet} if views else set()
        texts: dict[tuple[str, int], str] = {}
        outputs = []
        for split in self.splits:
            name = CHAT_FILES[split]
            with storage.atomic_writer(storage.join(self.output, name)) as chat:
                items = merge_fragments(summary.of_kind(split))
                write_json_list(chat, (_keep_text(item, wanted, texts).payload for item in items))
            outputs.append(OutputFile(name, chat.size, chat.sha256))
        return replace(summary, outputs=(*summary.outputs, *outputs), views={**summary.views, 'texts': texts})


def _keep_text(item: KeyedPayload, wanted: set, texts: dict) -> KeyedPayload:
    if (item.file, item.row) in wanted:
        turns = loads(item.payload)['conversations']
        texts[(item.file, item.row)] = turns[-1]['value'][:_SHOWN_CHARS]
    return item


def write_json_list(target: BinaryIO, payloads: Iterable[bytes]) -> None:
    """Writes JSON values as one list, a value a line."""
    start = b'[\n'
    for payload in payloads:
        target.write(start)
        target.write(payload)
        start = b',\n'
    target.write(b'\n]\n' if start == b',\n' else b'[]\n')
