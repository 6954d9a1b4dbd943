"""A progress bar for what is looked at before a run: it appears when that takes longer than two seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterable


def looking_at(items: Iterable, what: str, unit: str) -> Iterable:
    """The items, counted on a bar on stderr."""
    from tqdm import tqdm

    return tqdm(items, desc=what, unit=f' {unit}', leave=False, delay=2.0, file=sys.stderr)
