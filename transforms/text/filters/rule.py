"""Rule: which measures drop a document, and for what reason; `Filter` applies a table of them."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transforms.text.document import Document
from transforms.text.filters.measure import Measure

_COMPARE = {'<': operator.lt, '<=': operator.le, '>': operator.gt, '>=': operator.ge, '==': operator.eq, '!=': operator.ne,
            'in': lambda value, bound: value in bound, 'not in': lambda value, bound: value not in bound}


@dataclass(frozen=True)
class Condition:
    """A measure compared with a threshold: `compare` is one of < <= > >= == != in, not in."""

    measure: str
    compare: str
    threshold: Any

    def __post_init__(self) -> None:
        if self.compare not in _COMPARE:
            raise ValueError(f"compare is {self.compare!r}, it must be one of {' '.join(_COMPARE)}")

    def holds(self, value: Any) -> bool:
        """Whether it holds for a value; never for None, which is what could not be measured."""
        return value is not None and _COMPARE[self.compare](value, self.threshold)


@dataclass(frozen=True)
class Rule:
    """A document of one of `languages` (of any where there are none) goes, for `reason`, when all conditions hold.

    Attributes:
        reason: one of the closed list of the run.
        drops_when: conditions.
        languages: ISO 639-1 codes.
        shows: the measure that tells people why, '' for the first condition's.
    """

    reason: str
    drops_when: tuple[Condition, ...]
    languages: tuple[str, ...] = ()
    shows: str = ''

    @property
    def message_measure(self) -> str:
        """The measure whose value stands in the message."""
        return self.shows or self.drops_when[0].measure


@dataclass(frozen=True)
class Verdict:
    """What a filter says of a document: '' or the reason that drops it, words for people, and what was measured."""

    reason: str
    message: str
    values: dict[str, Any]


class Filter:
    """Rules in order; the first that drops a document names the reason.

    Args:
        rules: in order.
        measures: by name, all that rules look at; those of no rule are measured of every document.
        measure_all: measure everything of every document, also of those that a rule before has dropped.

    Raises:
        ValueError: a rule looks at a measure that is not there.
    """

    def __init__(self, rules: Iterable[Rule], measures: Sequence[Measure], measure_all: bool = False) -> None:
        self.rules = tuple(rules)
        self.measures: Mapping[str, Measure] = {measure.name: measure for measure in measures}
        used = {condition.measure for rule in self.rules for condition in rule.drops_when} | {rule.message_measure for rule in self.rules}
        if unknown := sorted(used - set(self.measures)):
            raise ValueError(f'a rule looks at {unknown[0]}, which is no measure here; there are {", ".join(self.measures)}')
        self._needs_language = any(rule.languages for rule in self.rules)
        self._always = tuple(measure for measure in measures if measure_all or measure.name not in used)

    def lacks_rules_for(self, language: str) -> bool:
        """Whether it has rules for some languages, and none of them for this one."""
        return self._needs_language and not any(language in rule.languages for rule in self.rules)

    @property
    def reasons(self) -> tuple[str, ...]:
        """All reasons that it can give."""
        return tuple(dict.fromkeys(rule.reason for rule in self.rules))

    def decide(self, document: Document) -> Verdict:
        """The verdict on a document."""
        values = {measure.name: measure.of(document) for measure in self._always}
        if self._needs_language and 'language' not in values:
            values['language'] = self.measures['language'].of(document)
        for rule in self.rules:
            if rule.languages and document.language not in rule.languages:
                continue
            for condition in rule.drops_when:
                name = condition.measure
                if name not in values:
                    values[name] = self.measures[name].of(document)
                if not condition.holds(values[name]):
                    break
            else:
                name = rule.message_measure
                if name not in values:
                    values[name] = self.measures[name].of(document)
                return Verdict(rule.reason, f'{name} {_shown(values[name])}', values)
        return Verdict('', '', values)


def _shown(value: Any) -> str:
    return f'{value:.4g}' if isinstance(value, float) else f'{value:,}' if isinstance(value, int) else str(value)
