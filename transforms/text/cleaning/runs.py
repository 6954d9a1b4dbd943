"""runs: rules of stars, hashes and equals signs, as under headings, made short."""

from __future__ import annotations

import re

_RUN = re.compile(r'([*#=])\1{4,}')


def squeeze_runs(text: str) -> str:
    """The text with three instead of five and more `*`, `#` or `=` in a row."""
    if '*****' not in text and '#####' not in text and '=====' not in text:
        return text
    return _RUN.sub(r'\1\1\1', text)
