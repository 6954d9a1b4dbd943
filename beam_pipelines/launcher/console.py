"""What the launcher tells people, a line at a time."""

from __future__ import annotations

import os
import re
import sys

from transforms.files import storage

_CONTROL = re.compile(r'[\x00-\x08\x0b-\x1f\x7f-\x9f]')  # of strangers' names and logs: a terminal would obey them
ABORTED = re.compile(r'RunAborted: (.*?)(?: \[while running|\\n|\n|$)')


def print_line(text: str) -> None:
    """Writes a line to stdout and flushes it; nothing where nobody reads any more, as behind `| head`."""
    try:
        sys.stdout.write(_shown(text) + '\n')
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, 'w')


def warn(text: str) -> None:
    """Writes a line to stderr that begins with 'warning: '."""
    print_error(f'warning: {text}')


def print_error(text: str) -> None:
    """Writes a line to stderr and flushes it."""
    sys.stderr.write(_shown(text) + '\n')
    sys.stderr.flush()


def _shown(text: str) -> str:
    return _CONTROL.sub(lambda match: f'\\x{ord(match[0]):02x}', text)


def last_error(text: str) -> str:
    """The last line of a text that names an error, as of a traceback, else its last line; '' where it has none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ['']
    return next((line for line in reversed(lines) if re.match(r'[\w.]*(Error|Exception)\b', line)), lines[-1])


def failure_line(error: Exception) -> str:
    """One line on a failed run: what a step wrote for people, else the last error in the text."""
    text = str(error)
    if isinstance(error, storage.RunAborted):
        return text
    if match := ABORTED.search(text):
        return match[1]
    return f'the pipeline failed: {(last_error(text) or type(error).__name__)[:300]}. --verbose shows more'
