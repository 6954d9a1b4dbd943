"""Pages with their own text to labelled images."""

from collections.abc import Iterator

from transforms.llava.conversation import LabelledImage
from transforms.llava.special_tokens import escape_special_tokens, find_special_token
from transforms.pdf.list_pages import page_id
from transforms.pdf.pages import PageImage


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
