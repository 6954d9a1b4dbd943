"""Progress bars for what is looked at before a run, or by a tool: they appear when that takes longer than two seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterable


def looking_at(items: Iterable, what: str, unit: str) -> Iterable:
    """The items, counted on a bar on stderr."""
    from tqdm import tqdm

    return tqdm(items, desc=what, unit=f' {unit}', leave=False, delay=2.0, file=sys.stderr)


def progress_bar(what: str, total: int, unit: str):  # noqa: ANN201 - tqdm is imported when it is needed
    """A bar on stderr for `total` units, a context manager with `update(units)`."""
    from tqdm import tqdm

    return tqdm(total=total, desc=what, unit=f' {unit}', unit_scale=True, leave=False, delay=2.0, file=sys.stderr)
