"""Globs over relative paths."""

from __future__ import annotations

import re


def glob_to_regex(pattern: str) -> re.Pattern[str]:
    """A glob over relative paths: `*` and `?` stay within a name, `**/` is any folders or none."""
    out, i = [], 0
    while i < len(pattern):
        if pattern.startswith('**/', i):
            out.append('(?:.*/)?')
            i += 3
        elif pattern.startswith('**', i):
            out.append('.*')
            i += 2
        elif pattern[i] == '*':
            out.append('[^/]*')
            i += 1
        elif pattern[i] == '?':
            out.append('[^/]')
            i += 1
        elif pattern[i] == '[' and ']' in pattern[i + 2:]:
            end = pattern.index(']', i + 2)
            body = pattern[i + 1:end].replace('\\', '\\\\')
            out.append('[' + ('^' + body[1:] if body[0] == '!' else body) + ']')
            i = end + 1
        else:
            out.append(re.escape(pattern[i]))
            i += 1
    try:
        return re.compile(''.join(out) + r'\Z', re.DOTALL)
    except re.error as error:
        raise ValueError(f'the pattern {pattern!r} is no glob ({error})') from None
