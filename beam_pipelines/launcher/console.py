"""What the launcher tells people, a line at a time."""

from __future__ import annotations

import os
import re
import sys

from transforms.files import storage

ABORTED = re.compile(r'RunAborted: (.*?)(?: \[while running|\\n|\n|$)')


def print_line(text: str) -> None:
    """Writes a line to stdout and flushes it; nothing where nobody reads any more, as behind `| head`."""
    try:
        sys.stdout.write(text + '\n')
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, 'w')


def warn(text: str) -> None:
    """Writes a line to stderr that begins with 'warning: '."""
    print_error(f'warning: {text}')


def print_error(text: str) -> None:
    """Writes a line to stderr and flushes it."""
    sys.stderr.write(text + '\n')
    sys.stderr.flush()


def failure_line(error: Exception) -> str:
    """One line on a failed run: what a step wrote for people, else the last error in the text."""
    text = str(error)
    if isinstance(error, storage.RunAborted):
        return text
    if match := ABORTED.search(text):
        return match[1]
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    last = next((line for line in reversed(lines) if re.match(r'[\w.]*(Error|Exception)\b', line)), lines[-1])
    return f'the pipeline failed: {last[:300]}. --verbose shows more'
