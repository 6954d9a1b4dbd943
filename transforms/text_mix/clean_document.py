"""Cleaner: from one record to its cleaned document and the verdict on it; plain functions that know no pipeline."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from transforms.files.json_values import dumps
from transforms.shards.json_lines import to_json_value
from transforms.text.cleaning.chain import chain
from transforms.text.cleaning.html import HtmlTooDeep
from transforms.text.document import Document
from transforms.text_mix.settings import EMPTY, EMPTY_AFTER, NO_TEXT, TextSettings

EXCERPT = 160


@dataclass(slots=True)
class Cleaned:
    """What became of one record.

    Attributes:
        id: its own.
        values: the record, its text cleaned.
        text: cleaned.
        reason: why it is dropped, '' where it is not.
        message: of the reason, for people.
        error: class of the failure, '' where it is none; `message` says what.
        details: what was measured.
        raw: the text as it was.
    """

    id: str
    values: dict[str, Any]
    text: str = ''
    reason: str = ''
    message: str = ''
    error: str = ''
    details: dict[str, Any] = field(default_factory=dict)
    raw: str = ''


def field_at(values: object, path: tuple[str, ...]) -> object:
    """The value at a path of keys; None where there is none."""
    for key in path:
        if not isinstance(values, dict):
            return None
        values = values.get(key)
    return values


def with_field(values: dict, path: tuple[str, ...], value: object) -> dict:
    """A copy of a record with another value at a path that it has."""
    return {**values, path[0]: value if len(path) == 1 else with_field(values[path[0]], path[1:], value)}


def text_of(value: object) -> str | None:
    """The text of a field, as the published two-stage mixture takes it: items of a list joined by a space, other values as Python shows them.

    Bytes are UTF-8: old programs write texts to Parquet as binary columns.

    Raises:
        UnicodeDecodeError: they are not.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode()
    return ' '.join(map(str, value)) if isinstance(value, list) else str(value)


class Cleaner:
    """Cleans and judges records of one source.

    Args:
        settings: how.
        source: number of the source.

    Attributes:
        changes: by step, how many documents it changed ('step documents') and how many characters it removed ('step characters').
        without_rules: documents in a language that quality rules have no thresholds for.
    """

    def __init__(self, settings: TextSettings, source: int) -> None:
        self._steps = chain(settings.steps)
        self._filter = settings.filters.make(settings.qualities.get(source, ''))
        self._name = settings.names.get(source, '')
        self._text, self._id = tuple(settings.text_field.split('.')), tuple(settings.id_field.split('.')) if settings.id_field else ()
        self.changes: Counter = Counter()
        self.without_rules = 0

    def clean(self, values: dict[str, Any]) -> Cleaned:
        """What becomes of a record."""
        given = field_at(values, self._id) if self._id else None
        name = str(given) if type(given) in (str, int) else ''
        value = field_at(values, self._text)
        try:
            raw = text_of(value)
        except UnicodeDecodeError as error:
            return Cleaned(name, values, error='InvalidUtf8', message=f'byte {error.start} of its text is no UTF-8')
        if raw is None:
            return Cleaned(name, values, reason=NO_TEXT, message=f"it has no {'.'.join(self._text)}")
        if not raw.strip():
            return Cleaned(name, values, reason=EMPTY, raw=raw, details={'raw_characters': len(raw)})
        text = raw
        for step in self._steps:
            try:
                after = step.apply(text)
            except HtmlTooDeep as error:
                return Cleaned(name, values, error=type(error).__name__, message=str(error), raw=raw)
            if after is not text and after != text:
                self.changes[f'{step.name} documents'] += 1
                self.changes[f'{step.name} characters'] += len(text) - len(after)
            text = after
        if not text:
            return Cleaned(name, values, reason=EMPTY_AFTER, message=f'of {len(raw):,} characters none was text', raw=raw,
                           details={'raw_characters': len(raw)})
        verdict = self._filter.decide(Document(text, name, values, self._name))
        if self._filter.lacks_rules_for(verdict.values.get('language', '')):
            self.without_rules += 1
        details = {'raw_characters': len(raw), **verdict.values, 'excerpt': text[:EXCERPT]}
        return Cleaned(name, values if text is value else with_field(values, self._text, text), text, verdict.reason, verdict.message, '', details, raw)


def with_reason(values: dict[str, Any], reason: str, message: str) -> dict[str, Any]:
    """A record with why it was dropped, under `dropped`, or `_dropped` where it has such a field."""
    name = 'dropped'
    while name in values:
        name = f'_{name}'
    return {**values, name: {'reason': reason, 'message': message}}


def json_line(values: dict[str, Any], published: bool) -> bytes:
    """A record as a line of JSON without its newline; `published` spaces it as Python's json does.

    Raises:
        TypeError, ValueError: JSON has no form for it.
    """
    if published:
        return json.dumps(values, ensure_ascii=False, default=to_json_value).encode()
    return dumps(values, to_json_value)
