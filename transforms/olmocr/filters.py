"""Which rows are dropped before anything is rendered, each with a reason from a closed list."""

from __future__ import annotations

from dataclasses import dataclass, replace

from transforms.llava.special_tokens import escape_special_tokens, find_special_token
from transforms.olmocr.rows import OlmocrRow

ROTATIONS = ('correct', 'drop', 'keep')
KEEP_CHOICES = ('keep', 'drop', 'only')


@dataclass(frozen=True)
class RowRules:
    """What is kept of the rows, and how texts are treated.

    Attributes:
        languages: ISO 639-1 codes to keep ('none' for unknown); empty keeps all.
        rotation: 'correct' turns pages upright, 'drop' drops askew ones (the released recipe), 'keep' neither.
        tables: 'keep', 'drop', or 'only' tables.
        diagrams: likewise for diagrams.
        special_tokens: what happens to an answer with a special token: 'drop', 'escape' or 'keep'.
        blank_answer: the answer for pages without text; '' drops them.
        verbatim: the published converter's rules: text untouched, only a missing or empty one drops.
    """

    languages: tuple[str, ...] = ()
    rotation: str = 'correct'
    tables: str = 'keep'
    diagrams: str = 'keep'
    special_tokens: str = 'drop'
    blank_answer: str = ''
    verbatim: bool = False


def filter_reason(row: OlmocrRow, rules: RowRules) -> str:
    """The reason of the label filters, '' when the row passes."""
    if rules.languages and (row.language or 'none') not in rules.languages:
        return 'language'
    if rules.rotation == 'drop' and (row.rotation or not row.rotation_valid):
        return 'rotated'
    if _unwanted(row.is_table, rules.tables):
        return 'table'
    if _unwanted(row.is_diagram, rules.diagrams):
        return 'diagram'
    return ''


def _unwanted(flag: bool, choice: str) -> bool:
    return (choice == 'drop' and flag) or (choice == 'only' and not flag)


def apply_text_rules(row: OlmocrRow, rules: RowRules) -> tuple[OlmocrRow, str]:
    """The row with its text as it will be written, and the reason to drop it ('' for none)."""
    if rules.verbatim:
        return row, '' if row.text else 'blank_text'
    text = (row.text or '').strip()
    if not text:
        # The text stays None: nothing is expected on the page, and the answer is put in when writing.
        return replace(row, text=None), '' if rules.blank_answer else 'blank_text'
    if rules.special_tokens != 'keep' and find_special_token(text):
        if rules.special_tokens == 'drop':
            return replace(row, text=text), 'special_token'
        text = escape_special_tokens(text)
    return replace(row, text=text), ''
