"""Paths as text, whatever the file system."""

from __future__ import annotations

import re
import unicodedata

_SCHEME = re.compile(r'^[a-zA-Z][-a-zA-Z0-9+.]*://')


def is_local(path: str) -> bool:
    """True when `path` has no scheme such as gs:// or hf://."""
    return not _SCHEME.match(path)


def join(base: str, *parts: str) -> str:
    """Joins with '/', whatever the file system."""
    return '/'.join([base.rstrip('/'), *(part.strip('/') for part in parts)])


def is_unsafe(path: str) -> bool:
    """True when joining `path` to a folder could leave that folder."""
    return path.startswith(('/', '\\')) or '..' in re.split(r'[/\\]', path) or '\0' in path or not path


def spellings(path: str) -> tuple[str, ...]:
    """The path and its other spellings in Unicode: a letter with a mark is one character, or two as macOS names files."""
    return tuple(dict.fromkeys((path, unicodedata.normalize('NFC', path), unicodedata.normalize('NFD', path))))
