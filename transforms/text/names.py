"""Names that people write: those that there are not are refused with the one that is meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection


def check_name(kind: str, name: str, known: Collection[str]) -> None:
    """Refuses a name that is not known.

    Raises:
        ValueError: it is not; the message says which is meant, or which there are.
    """
    if name not in known:
        close = difflib.get_close_matches(name, known, 1, 0.5)
        raise ValueError(f'there is no {kind} {name}; ' + (f'did you mean {close[0]}?' if close else f"there are {', '.join(known)}"))
