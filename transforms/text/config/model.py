"""The YAML of a text mixture, as documented for the two-stage original, with what ours adds."""

from __future__ import annotations

import difflib
import hashlib
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from transforms.text.cleaning.chain import choose_steps
from transforms.text.config.yaml_file import ConfigError, YamlFile
from transforms.text.filters.patterns import compile_pattern

_LONGEST = 200  # bytes of a folder's name; file systems take 255


class _Model(BaseModel):
    model_config = ConfigDict(extra='forbid', frozen=True, str_max_length=10_000, coerce_numbers_to_str=True)


def _list(value: Any) -> Any:
    return [] if value is None else value


class Entry(_Model):
    """A dataset of the mixture.

    The keys from `description` on inform people; no program reads them.
    """

    name: str = Field(min_length=1)
    config: str | None = None
    subset: str | None = None
    text_field: str = Field('text', min_length=1)
    split: str = 'train'
    weight: float = Field(0.0, ge=0, allow_inf_nan=False)
    enabled: bool = True
    quality: str | None = None
    description: Any = None
    streaming: Any = None
    categories: Any = None
    verified: Any = None
    source: Any = None
    note: Any = None

    @field_validator('weight', mode='before')
    @classmethod
    def _is_number(cls, weight: Any) -> Any:
        if isinstance(weight, bool):
            raise ValueError(f'{str(weight).lower()} is no number')
        return weight

    @property
    def folder(self) -> str:
        """Its folder, as the original names it, but with the subset where it has no configuration."""
        return _folder(self.name, self.config or self.subset or '')

    @property
    def folder_without_subset(self) -> str:
        """The same by name and configuration alone."""
        return _folder(self.name, self.config or '')


def _folder(*parts: str) -> str:
    """A name without slashes, and without what would make it a hidden or a parent folder."""
    name = '_'.join(part.replace('/', '_') for part in parts if part).lstrip('._') or 'data'
    data = name.encode('utf-8', 'surrogatepass')
    return name if len(data) <= _LONGEST else f"{data[:_LONGEST - 20].decode(errors='ignore')}_{hashlib.sha256(data).hexdigest()[:12]}"


class Deduplication(_Model):
    """Exact duplicates, by the cleaned text."""

    enabled: bool = True
    similarity_threshold: float | None = Field(None, ge=0, le=1)
    key: Literal['exact', 'casefold'] = 'exact'


class CustomRule(_Model):
    """A filter by a measure's name: documents whose value is outside of the bounds go, for `reason`."""

    measure: str
    at_least: float | None = None
    at_most: float | None = None
    reason: str | None = Field(None, pattern=r'^[a-z][a-z0-9_]{0,60}$')
    languages: tuple[str, ...] = ()

    @model_validator(mode='after')
    def _has_bound(self) -> CustomRule:
        if self.at_least is None and self.at_most is None:
            raise ValueError('it needs at_least or at_most')
        return self


class Filtering(_Model):
    """Which documents go."""

    min_length: int = Field(100, ge=0)
    max_length: int = Field(1_000_000, ge=1)
    keep_keywords: tuple[str, ...] = ()
    exclude_keywords: tuple[str, ...] = ()
    junk_patterns: tuple[str, ...] = ()
    keyword_min_hits: int = Field(2, ge=1)
    keyword_density: float = Field(1.0, ge=0)
    whole_words: bool = True
    language_confidence_threshold: float = Field(0.65, ge=0, le=1)
    languages: tuple[str, ...] = ()
    quality: str | None = None
    url_lists: tuple[str, ...] = ()
    rules: tuple[CustomRule, ...] = ()
    deduplication: Deduplication = Deduplication()

    _lists = field_validator('keep_keywords', 'exclude_keywords', 'junk_patterns', 'languages', 'url_lists', 'rules', mode='before')(_list)
    _deduplication = field_validator('deduplication', mode='before')(lambda value: {} if value is None else value)

    @field_validator('junk_patterns')
    @classmethod
    def _are_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            compile_pattern(pattern)
        return patterns

    @model_validator(mode='after')
    def _bounds(self) -> Filtering:
        if self.min_length > self.max_length:
            raise ValueError(f'min_length {self.min_length:,} is more than max_length {self.max_length:,}')
        return self


class Cleaning(_Model):
    """The cleaning steps: a list of names, or names with + or - that change the default."""

    steps: str | tuple[str, ...] = ()

    @field_validator('steps')
    @classmethod
    def _are_steps(cls, steps: str | tuple[str, ...]) -> str:
        text = steps if isinstance(steps, str) else ','.join(steps)
        choose_steps(text)
        return text


class TextConfig(_Model):
    """The whole YAML."""

    datasets: tuple[Entry, ...] = ()
    filtering: Filtering = Filtering()
    cleaning: Cleaning = Cleaning()

    _datasets = field_validator('datasets', mode='before')(_list)
    _filtering = field_validator('filtering', 'cleaning', mode='before')(lambda value: {} if value is None else value)


def parse_config(file: YamlFile) -> TextConfig:
    """The YAML checked.

    Raises:
        ConfigError: all its mistakes, each with its line; unknown keys with the known one that is meant.
    """
    if not isinstance(file.value, dict):
        raise ConfigError(f'{file.name} holds no mapping: it begins with datasets: or filtering:')
    try:
        return TextConfig.model_validate(file.value)
    except ValidationError as error:
        lines = dict.fromkeys(f'{file.name}, line {file.line(_path(problem))}: {_words(problem)}'
                              for problem in sorted(error.errors(), key=lambda one: file.line(_path(one))))
        raise ConfigError('\n'.join(list(lines)[:20])) from None


def _path(problem: dict) -> tuple[str | int, ...]:
    return tuple(part for part in problem['loc'] if part not in ('str', 'tuple[str, ...]'))


def _words(problem: dict) -> str:
    path = _path(problem)
    where = '.'.join(map(str, path))
    if problem['type'] == 'extra_forbidden':
        close = difflib.get_close_matches(str(path[-1]), _keys(path[:-1]), 1, 0.6)
        return f'unknown key {path[-1]}' + (f'; did you mean {close[0]}?' if close else f"; there are {', '.join(_keys(path[:-1]))}")
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}"


def _keys(path: tuple[str | int, ...]) -> list[str]:
    models = {(): TextConfig, ('datasets',): Entry, ('filtering',): Filtering, ('filtering', 'deduplication'): Deduplication,
              ('filtering', 'rules'): CustomRule, ('cleaning',): Cleaning}
    names = tuple(part for part in path if isinstance(part, str))
    return sorted(models[names].model_fields) if names in models else []
