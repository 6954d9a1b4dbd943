"""CleanText: documents with cleaned text, in any pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, replace
from typing import Literal, NamedTuple

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput

from transforms.text.cleaning.chain import DEFAULT, ORIGINAL, chain, check_step, clean, in_order
from transforms.text.cleaning.html import HtmlTooDeep
from transforms.text.document import Document


class CleanedText(NamedTuple):
    """What CleanText gives.

    Attributes:
        main: PCollection[Document], cleaned.
        failed: PCollection[tuple[Document, str]]: those that cannot be cleaned as they were, and why.
    """

    main: beam.PCollection
    failed: beam.PCollection


class _CleanFn(beam.DoFn):
    def __init__(self, steps: tuple[str, ...]) -> None:
        self._steps = chain(steps)

    def process(self, document: Document) -> Iterator[Document | TaggedOutput[Literal['failed'], tuple[Document, str]]]:
        try:
            yield replace(document, text=clean(document.text, self._steps), memo={})
        except HtmlTooDeep as error:
            yield TaggedOutput('failed', (document, f'{type(error).__name__}: {error}'))


@dataclass(eq=False)
class CleanText(beam.PTransform):
    """PCollection[Document] to CleanedText: each document with its text cleaned; id and metadata as they were, in any order.

    Args:
        steps: names of steps, as `python -m beam_pipelines.text_clean --steps` lists them; they are applied in that list's order.
        preset: 'original' for what the published two-stage program does, to the byte; then no steps are named.

    Raises:
        ValueError: there is no such step or preset.
    """

    _: KW_ONLY
    steps: tuple[str, ...] = ()
    preset: str = 'default'

    def __post_init__(self) -> None:
        if self.preset not in ('default', 'original'):
            raise ValueError(f"preset is {self.preset!r}, it must be 'default' or 'original'")
        for name in self.steps:
            check_step(name)
        if self.preset == 'original' and self.steps:
            raise ValueError("preset 'original' has steps of its own: name none")
        self._chosen = ORIGINAL if self.preset == 'original' else in_order(self.steps) if self.steps else DEFAULT

    def expand(self, documents: beam.PCollection[Document]):  # noqa: ANN201 - Beam reads tuples wrongly
        cleaned = documents | 'Clean' >> beam.ParDo(_CleanFn(self._chosen)).with_outputs('failed', main='main')
        return CleanedText(cleaned.main, cleaned.failed)
