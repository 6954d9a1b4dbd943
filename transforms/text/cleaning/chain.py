"""The chain of cleaning steps: which there are, and one function of those that are chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from transforms.text.cleaning.characters import drop_control
from transforms.text.cleaning.fix_unicode import fix_unicode
from transforms.text.cleaning.html import decode_entities, html_to_text
from transforms.text.cleaning.original import clean_as_published
from transforms.text.cleaning.runs import squeeze_runs
from transforms.text.cleaning.urls import shorten_urls
from transforms.text.cleaning.whitespace import squeeze_spaces
from transforms.text.names import check_name

Step = Callable[[str], str]


@dataclass(frozen=True)
class CleaningStep:
    """A step: its name, what it does in one line, and the function."""

    name: str
    about: str
    apply: Step


# In the order in which they are applied, whatever the order they are named in.
STEPS = {step.name: step for step in (
    CleaningStep('fix_unicode', 'mends mojibake with ftfy (quotes, ligatures and widths left alone), then Unicode NFC', fix_unicode),
    CleaningStep('entities', 'decodes entities such as &amp; in documents that are not written in HTML', decode_entities),
    CleaningStep('html', 'documents written in HTML become text; code and mathematics with < stay as they are', html_to_text),
    CleaningStep('control', 'line breaks become newlines; drops characters of categories C* but newline and tab', drop_control),
    CleaningStep('urls', 'addresses of 100 characters and more become [URL]', shorten_urls),
    CleaningStep('runs', 'five and more of * # = in a row become three', squeeze_runs),
    CleaningStep('whitespace', 'one space between words, at most two newlines in a row; indentation stays', squeeze_spaces),
    CleaningStep('original', 'what the published two-stage mixture does, to the byte; alone', clean_as_published),
)}
DEFAULT = ('fix_unicode', 'entities', 'html', 'control', 'urls', 'runs', 'whitespace')
ORIGINAL = ('original',)


def choose_steps(text: str, default: Sequence[str] = DEFAULT) -> tuple[str, ...]:
    """The steps that a list of names asks for: 'a,b' takes these, '-a,+b' changes the default.

    Raises:
        ValueError: there is no such step, or names with and without sign are mixed.
    """
    names = [name.strip() for name in text.split(',') if name.strip()]
    signed = [name[0] in '+-' for name in names]
    if any(signed) and not all(signed):
        raise ValueError(f'{text}: give names alone, or each with + or - to change the default')
    for name in names:
        check_step(name.lstrip('+-'))
    chosen = set(default) if any(signed) else set(names)
    for name in names:
        if name[0] in '+-':
            (chosen.discard if name[0] == '-' else chosen.add)(name[1:])
    return in_order(chosen)


def check_step(name: str) -> None:
    """Refuses a name that no step has.

    Raises:
        ValueError: there is no such step; the message says which there are, or the one that is meant.
    """
    check_name('cleaning step', name, STEPS)


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """The names in the order in which the steps are applied.

    Raises:
        ValueError: 'original' is not alone.
    """
    chosen = tuple(name for name in STEPS if name in set(names))
    if 'original' in chosen and len(chosen) > 1:
        raise ValueError('the step original does all that the published program does: it goes alone')
    return chosen


def chain(names: Sequence[str]) -> tuple[CleaningStep, ...]:
    """The steps of these names, ready to be applied one after the other."""
    return tuple(STEPS[name] for name in names)


def clean(text: str, steps: Sequence[CleaningStep]) -> str:
    """The text as the steps leave it.

    Raises:
        HtmlTooDeep: as of `html_to_text`.
    """
    for step in steps:
        text = step.apply(text)
    return text
