"""Strings in an answer that a trainer's tokenizer or loader would take for something else.

Facts from the loaders (LLaVA c121f04, VILA b760c34): a literal `<image>` in an answer takes the next sample's
features or is removed silently; `</s>` breaks the split into rounds and masks the whole sample; `<|...|>` are
special tokens of most vocabularies; `<vila/...>` are VILA's sentinels.
"""

from __future__ import annotations

import re

# What may happen to an answer that holds one.
CHOICES = ('drop', 'escape', 'keep')
SPECIAL_TOKEN = re.compile(r'<image>|<video>|<vila/[^<>\s]*>|<\|[^<>\n]{0,80}?\|>|</s>')


def find_special_token(text: str) -> str:
    """The first special token in `text`, '' when there is none."""
    match = SPECIAL_TOKEN.search(text) if '<' in text else None
    return match.group() if match else ''


def escape_special_tokens(text: str) -> str:
    """Writes `&lt;` for the `<` of every special token, so that it is plain text to a tokenizer."""
    return SPECIAL_TOKEN.sub(lambda token: '&lt;' + token.group()[1:], text)
