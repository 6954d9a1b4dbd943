"""From what a YAML asks for to rules and measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from transforms.text.config.model import CustomRule, Filtering
from transforms.text.filters import gopher, language, length
from transforms.text.filters.keywords import Keywords, keyword_measures
from transforms.text.filters.measure import Measure
from transforms.text.filters.patterns import JunkPattern
from transforms.text.filters.rule import Condition, Filter, Rule
from transforms.text.filters.urls import UrlList
from transforms.text.names import check_name

# Named tables of rules about quality; the rules say for which languages their thresholds were set.
QUALITY = {'none': (), 'gopher': gopher.RULES}
_FAMILIES = (length.MEASURES, language.MEASURES, gopher.MEASURES)
MEASURES = {measure.name: measure for family in _FAMILIES for measure in family}
_NEEDS_LANGUAGE = ('language', 'language_score')


@dataclass(frozen=True)
class FilterSettings:
    """What decides which documents go.

    Attributes:
        filtering: of the YAML.
        preset: 'default', or 'original' for the rules of the published program.
        url_lists: those that the YAML names, read.
        measure_all: measure everything of every document, whatever rules need.
    """

    filtering: Filtering = Filtering()
    preset: Literal['default', 'original'] = 'default'
    url_lists: tuple[UrlList, ...] = ()
    measure_all: bool = False

    def make(self, quality: str = '') -> Filter:
        """The filter, with the quality rules of that name, or of the YAML's.

        Raises:
            ValueError: there are no such rules, or no such measure; the message says which there are.
        """
        if self.preset == 'original':
            return self._original()
        rules = [*_lengths(self.filtering), *self._junk(), *self._url_rules(), *self._languages(), *quality_rules(quality or self.filtering.quality),
                 *(rule for custom in self.filtering.rules for rule in _custom(custom))]
        return Filter(rules, self._measures(rules), self.measure_all)

    def reasons(self, qualities: tuple[str, ...] = ()) -> tuple[str, ...]:
        """All reasons that its filters can give, where entries have these qualities."""
        return tuple(dict.fromkeys(reason for quality in ('', *qualities) for reason in self.make(quality).reasons))

    def column_types(self, qualities: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        """(name, Arrow type) of all that is measured, where entries have these qualities."""
        measures = {name: measure for quality in dict.fromkeys((*qualities, '')) for name, measure in self.make(quality).measures.items()}
        return tuple((name, measure.type) for name, measure in measures.items())

    def _measures(self, rules: list[Rule]) -> list[Measure]:
        used = {condition.measure for rule in rules for condition in rule.drops_when} | {'characters'}
        if any(rule.languages for rule in rules):
            used |= set(_NEEDS_LANGUAGE)
        own = {measure.name: measure for measure in self._own_measures()}
        measures = {**MEASURES, **own} if self.measure_all else {
            name: measure for name, measure in {**MEASURES, **own}.items() if name in used or name in own}
        return list(measures.values())

    def _own_measures(self) -> list[Measure]:
        filtering, found = self.filtering, []
        if filtering.junk_patterns:
            found.append(Measure('junk_pattern', JunkPattern(filtering.junk_patterns), 'string', 'the first junk pattern that is found'))
        if filtering.exclude_keywords:
            found += keyword_measures(Keywords(filtering.exclude_keywords, filtering.whole_words and self.preset == 'default'))
        for number, urls in enumerate(self.url_lists):
            found.append(Measure(f'url_list_{number + 1}', urls, 'string', f'the line of {filtering.url_lists[number]} that it is on'))
        return found

    def _junk(self) -> list[Rule]:
        filtering = self.filtering
        rules = [Rule('junk_pattern', (Condition('junk_pattern', '!=', ''),))] if filtering.junk_patterns else []
        if filtering.exclude_keywords:
            rules += [Rule('excluded_keyword', (Condition('keyword_kinds', '>=', filtering.keyword_min_hits),), shows='keywords'),
                      Rule('excluded_keyword', (Condition('keyword_hits', '>=', 2), Condition('keyword_density', '>=', filtering.keyword_density)),
                           shows='keywords')]
        return rules

    def _url_rules(self) -> list[Rule]:
        return [Rule('url_list', (Condition(f'url_list_{number + 1}', '!=', ''),)) for number in range(len(self.url_lists))]

    def _languages(self) -> list[Rule]:
        wanted = self.filtering.languages
        if not wanted:
            return []
        return [Rule('language', (Condition('language', 'not in', wanted),)),
                Rule('language_uncertain', (Condition('language_score', '<', self.filtering.language_confidence_threshold),))]

    def _original(self) -> Filter:
        rules = _lengths(self.filtering)
        if self.filtering.junk_patterns:
            rules.append(Rule('junk_pattern', (Condition('junk_pattern', '!=', ''),)))
        if self.filtering.exclude_keywords:
            rules.append(Rule('excluded_keyword', (Condition('keyword_kinds', '>=', 1),), shows='keywords'))
        return Filter(rules, self._measures(rules), self.measure_all)


def _lengths(filtering: Filtering) -> list[Rule]:
    return [Rule('too_short', (Condition('characters', '<', filtering.min_length),)),
            Rule('too_long', (Condition('characters', '>', filtering.max_length),))]


def quality_rules(name: str | None) -> tuple[Rule, ...]:
    """The quality rules of a name; none for none.

    Raises:
        ValueError: there are no rules of that name.
    """
    if not name:
        return ()
    check_name('quality', name, QUALITY)
    return QUALITY[name]


def _custom(custom: CustomRule) -> list[Rule]:
    check_name('measure', custom.measure, MEASURES)
    if MEASURES[custom.measure].type == 'string':
        raise ValueError(f'the measure {custom.measure} is a text, which has no bounds')
    bounds = (('<', custom.at_least), ('>', custom.at_most))
    return [Rule(custom.reason or custom.measure, (Condition(custom.measure, compare, bound),), custom.languages)
            for compare, bound in bounds if bound is not None]
