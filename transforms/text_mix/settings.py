"""TextSettings: all that decides what becomes of a document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from transforms.text.build import FilterSettings

# Reasons that come from no rule.
NO_TEXT, EMPTY, EMPTY_AFTER, DUPLICATE = 'no_text', 'empty', 'empty_after_cleaning', 'duplicate'


@dataclass(frozen=True)
class TextSettings:
    """How documents are cleaned, filtered and deduplicated.

    Attributes:
        steps: names of the cleaning steps, in order.
        filters: which documents go.
        text_field: of a record, dotted for one within another.
        id_field: its own id, dotted; '' for none.
        qualities: name of the quality rules by the number of a source, where it is not the YAML's.
        names: of the entries of a mixture, by the number of a source.
        dedup_key: 'exact', 'casefold', or '' for no deduplication.
        priorities: by the number of a source: of equal documents that with the smallest stays.
        near_asked: whether near duplicates were to go, which is not built: the warnings say that they are kept.
        published: lines as the published program writes them.
        language_every: for the report, the language of one document in so many is detected where no rule asks for it; 0: of none.
    """

    steps: tuple[str, ...]
    filters: FilterSettings
    text_field: str = 'text'
    id_field: str = 'id'
    qualities: Mapping[int, str] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)
    dedup_key: str = 'exact'
    priorities: Mapping[int, int] = field(default_factory=dict)
    near_asked: bool = False
    published: bool = False
    language_every: int = 0

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """What the records table holds of each document, (name, Arrow type)."""
        measured = self.filters.column_types(tuple(self.qualities.values()))
        sampled = (('language', 'string'),) if self.language_every else ()
        return (('raw_characters', 'int32'), *measured, *sampled, ('excerpt', 'string'), ('dedup_key', 'binary'),
                ('duplicate_of', 'string'), ('group_size', 'int64'))
