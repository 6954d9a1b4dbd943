"""Pages with their own text to labelled images."""

from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam

from transforms.accounting.step import CollectAccounts, StepOutput
from transforms.llava.conversation import LabelledImage
from transforms.llava.special_tokens import escape_special_tokens, find_special_token
from transforms.pdf.list_pages import page_id
from transforms.pdf.pages import PageImage
from transforms.report.summary import Count
from transforms.run.run import Run


def to_labelled_page(image: PageImage, special_tokens: str, blank_answer: str) -> Iterator[LabelledImage]:
    """The image with the text of its page, where there is one that a trainer can read.

    Args:
        image: of a page, with its text layer.
        special_tokens: what happens to a text with one: 'drop' leaves the page out, 'escape' or 'keep'.
        blank_answer: the text of pages without any; '' leaves them out.
    """
    text = image.text.strip() or blank_answer
    if special_tokens != 'keep' and find_special_token(text):
        text = escape_special_tokens(text) if special_tokens == 'escape' else ''
    if text and not image.error:
        yield LabelledImage(image.part, image.file, image.row, page_id(image.file, image.row), image.output, text)


def left_out(image: PageImage, special_tokens: str) -> Iterator[Count]:
    """A warning for a page that is left out of the conversations because of a special token."""
    if special_tokens == 'drop' and not image.error and find_special_token(image.text):
        yield Count(image.part, 'warning', 'special_token', 1)


@dataclass(eq=False)
class AddPageText(beam.PTransform):
    """PCollection[PageImage] to StepOutput: `main` is a LabelledImage for each page that a conversation can be made of.

    Args:
        special_tokens: 'drop', 'escape' or 'keep'; see `to_labelled_page`.
        blank_answer: the text of pages without any; '' leaves them out.
        run: the run.
    """

    special_tokens: str
    blank_answer: str
    run: Run

    def expand(self, images: beam.PCollection[PageImage]):  # noqa: ANN201 - Beam reads tuples wrongly
        labelled = images | 'ToLabelled' >> beam.FlatMap(to_labelled_page, self.special_tokens, self.blank_answer)
        counts = images | 'CountLeftOut' >> beam.FlatMap(left_out, self.special_tokens) | 'Collect' >> CollectAccounts(self.run)
        return StepOutput(labelled, (counts,))
