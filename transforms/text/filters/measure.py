"""Measure: one number, or one word, about a document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from transforms.text.document import Document


@dataclass(frozen=True)
class Measure:
    """A small function of a document, whose value is a column of the records table.

    Attributes:
        name: of the column.
        of: the function.
        type: Arrow's name of its type: 'int32', 'float' or 'string'.
        about: in one line, with its unit.
    """

    name: str
    of: Callable[[Document], Any]
    type: str
    about: str
