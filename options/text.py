"""Text: which cleaning steps, filters and duplicates, and where a record's text is."""

from __future__ import annotations

import argparse
import difflib
import hashlib
import os
from dataclasses import replace

from apache_beam.options.pipeline_options import PipelineOptions

from options.dataset import name_list
from transforms.files import storage
from transforms.text.build import QUALITY, FilterSettings
from transforms.text.cleaning.chain import DEFAULT, ORIGINAL, STEPS, choose_steps
from transforms.text.config.model import TextConfig, parse_config
from transforms.text.config.yaml_file import MAX_BYTES, ConfigError, read_yaml
from transforms.text.filters.language import can_detect
from transforms.text.filters.urls import UrlList, read_url_list
from transforms.text_mix.settings import TextSettings

CONFIGS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'beam_pipelines', 'configs')
_LANGUAGE_SAMPLE = 1_000  # documents of a run, a millisecond or two each
DEFAULT_CONFIG = 'text_clean.yaml'


class _Steps(argparse.Action):
    """Takes a list of steps; without one it prints which there are."""

    def __call__(self, parser: argparse.ArgumentParser, flags: argparse.Namespace, values: str | None, option: str | None = None) -> None:
        if values is None:
            width = max(map(len, STEPS))
            for step in STEPS.values():
                parser._print_message(f"{step.name.ljust(width)}  {'  ' if step.name in DEFAULT else '- '}{step.about}\n")
            parser.exit(0, 'those with - are off unless asked for\n')
        try:
            choose_steps(values)
        except ValueError as error:
            parser.error(f'{option}: {error}')
        setattr(flags, self.dest, values)


class TextOptions(PipelineOptions):
    """Cleaning, filters and duplicates of documents."""

    TITLE = 'text'
    NOT_BYTES = frozenset({'config'})  # what it says decides, not its name

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--config', default='', metavar='YAML', help=f'a path, or a shipped one (default {DEFAULT_CONFIG}); see docs/text.md')
        parser.add_argument('--text_field', default='text', metavar='A.B', help="where a record's text is (default text)")
        parser.add_argument('--id_field', default='', metavar='A.B', help="where its id is (default id)")
        parser.add_argument('--steps', action=_Steps, nargs='?', default='', metavar='A,B',
                            help='cleaning steps, or -a,+b to change the default (--steps=-html); alone it lists them')
        parser.add_argument('--quality', choices=tuple(QUALITY), default=None,
                            help='drop documents by named rules about quality, made for some languages')
        parser.add_argument('--languages', type=name_list, default=(), metavar='en,vi', help='drop documents in other languages')
        parser.add_argument('--dedup', choices=('exact', 'casefold', 'off'), default=None,
                            help='drop those whose cleaned text another has; casefold: in any case (exact)')
        parser.add_argument('--keep_dropped', action='store_true', help='write what is dropped too, each with its reason')
        parser.add_argument('--measure', choices=('needed', 'all'), default='needed',
                            help='all: of every document, for records/ (default: what rules need)')


def config_path(name: str, default: str = DEFAULT_CONFIG) -> str:
    """Where a YAML is: a path, else one of the shipped ones.

    Raises:
        ConfigError: there is none.
    """
    path = name or default
    if storage.is_file(path):
        return path
    shipped = os.path.join(CONFIGS, path)
    if os.sep in path or not os.path.isfile(shipped):
        there = ', '.join(sorted(os.listdir(CONFIGS), key=lambda one: (-difflib.SequenceMatcher(None, one, path).ratio(), one)))  # the one that is meant first
        raise ConfigError(f'--config {path}: no such file, and none of the shipped ones: {there}')
    return shipped


def load_config(name: str, default: str = DEFAULT_CONFIG) -> TextConfig:
    """The YAML of a path, or of a shipped name.

    Raises:
        ValueError: there is none, or it has mistakes; the message names their lines.
    """
    path = config_path(name, default)
    if (storage.size_of(path) or 0) > MAX_BYTES:
        raise ConfigError(f'--config {path} is too large for a YAML')
    return parse_config(read_yaml(name or default, storage.read_bytes(path)))


def text_settings(flags: argparse.Namespace, config: TextConfig) -> TextSettings:
    """What the flags and the YAML ask for; flags go before the YAML.

    Raises:
        ValueError: a quality, measure or list of addresses that there is not; flags that contradict each other.
    """
    original = flags.preset == 'original'
    if original:
        for name in ('steps', 'quality', 'languages'):
            if getattr(flags, name):
                raise ValueError(f'--preset=original does what the published program does: it goes without --{name}')
    filtering = config.filtering.model_copy(update={
        **({'languages': flags.languages} if flags.languages else {}), **({'quality': flags.quality} if flags.quality else {})})
    steps = ORIGINAL if original else choose_steps(flags.steps or config.cleaning.steps) if flags.steps or config.cleaning.steps else DEFAULT
    filters = FilterSettings(filtering, 'original' if original else 'default', () if original else tuple(map(_url_list, filtering.url_lists)), flags.measure == 'all')
    measured = dict(filters.column_types(tuple(entry.quality for entry in config.datasets if entry.quality)))  # finds names that there are not
    if 'language' in measured and not can_detect():
        raise ValueError("languages and quality rules need the language detectors: pip install 'beam-training-data[language]'")
    deduplication = filtering.deduplication
    dedup = flags.dedup or (deduplication.key if deduplication.enabled else 'off')
    return TextSettings(steps, filters, flags.text_field, flags.id_field or 'id', dedup_key='' if dedup == 'off' else dedup,
                        near_asked=not original and dedup != 'off' and deduplication.similarity_threshold is not None, published=original)


def with_language_sample(settings: TextSettings, documents: int) -> TextSettings:
    """The settings with the share of documents whose language is detected for the report, where no rule asks for it and it can be."""
    if 'language' in dict(settings.columns) or not can_detect():
        return settings
    return replace(settings, language_every=max(1, documents // _LANGUAGE_SAMPLE))


def _url_list(path: str) -> UrlList:
    if not storage.exists(path):
        raise ConfigError(f'filtering.url_lists: {path} is not there')
    return read_url_list(storage.read_bytes(path).decode(errors='replace'))


def settings_fingerprint(settings: TextSettings) -> tuple[str, int, str]:
    """What of the YAML decides bytes, as an input of the run: an edited filter is another run."""
    filters = settings.filters
    text = repr((settings.steps, filters.filtering.model_dump_json(), [sorted(urls.lines) for urls in filters.url_lists],
                 sorted(settings.qualities.items()), sorted(settings.names.items()), sorted(settings.priorities.items()), settings.dedup_key, settings.language_every))
    return 'filtering', 0, hashlib.sha256(text.encode()).hexdigest()[:32]
