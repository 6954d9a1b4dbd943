"""Stage 1 of text_mix: how much of which sources, and how it is chosen."""

from __future__ import annotations

import argparse
import hashlib
import os
from dataclasses import dataclass, field, replace
from functools import partial

import orjson
from apache_beam.options.pipeline_options import PipelineOptions

from options.context import Context
from options.hub import byte_size
from options.looking import looking_at
from options.run import positive
from options.shards import refuse_output_within
from options.text import config_path, load_config
from transforms.accounting.table import RecordTable
from transforms.files import storage
from transforms.run.run import Run
from transforms.text_mix.discover import folders_of
from transforms.text_mix.outputs import Outputs
from transforms.text_mix.sampling.design import DESIGNS
from transforms.text_mix.sampling.frames import FrameFinder
from transforms.text_mix.sampling.looked import LookedAt
from transforms.text_mix.sampling.planning import (
    SampleFlags,
    SamplePlan,
    SavedPlans,
    plan_sample,
    with_exact_limit,
)
from transforms.text_mix.sampling.read_candidates import looked_folder
from transforms.text_mix.sampling.tokens import token_counter, tokenizer_file
from transforms.text_mix.sampling.write_sample import sample_table

SAMPLE_CONFIG = 'sample_mixture.yaml'
PUBLISHED_CONFIG = 'smollm3_weighted_config.yaml'
RAW = 'raw_data.jsonl.gz'
BOTH = 'both_stages'  # set on the flags where stage 2 follows
_USUAL_SAMPLES = 1_000_000
_LARGEST = 10**15


def total(text: str) -> int:
    """A number of documents or tokens."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f'{text} is no whole number such as 100000')
    value = positive(text)
    if value > _LARGEST:
        raise argparse.ArgumentTypeError(f'{text} is more than {_LARGEST:,}, which no mixture has')
    return value


class SampleOptions(PipelineOptions):
    """How much of which sources, and how it is chosen."""

    TITLE = 'sample (stage 1)'
    NOT_BYTES = frozenset({'max_download', 'tokenizer', 'skip_unavailable', 'design'})  # what they decide is in the plan's inputs

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--target_samples', type=total, default=None, metavar='N',
                            help=f'documents of all entries together, by their weights (default {_USUAL_SAMPLES:,})')
        parser.add_argument('--target_tokens', type=total, default=None, metavar='N', help='tokens, instead of documents')
        parser.add_argument('--tokenizer', default='', metavar='PATH|NAME',
                            help='a tokenizer.json or a model of the Hub (default: an estimate, characters / 4.2)')
        parser.add_argument('--design', choices=('auto', *DESIGNS), default='auto', metavar='NAME',
                            help='exact: any rows are equally likely; cluster: neighbours come together; head: the '
                                 'first. auto: exact, cluster where it would fetch more than --max_download')
        parser.add_argument('--max_download', type=byte_size, default=20 * 10**9, metavar='SIZE', help='of one entry (default 20GB)')
        parser.add_argument('--fill', choices=('none', 'proportional'), default='none',
                            help='proportional: entries that have more give what others lack')
        parser.add_argument('--order', choices=('rank', 'input'), default='rank',
                            help='of the lines: rank is random, input as in the source (default rank)')
        parser.add_argument('--skip_unavailable', action='store_true', help='go on without entries that cannot be read')


@dataclass(frozen=True)
class SampleSettings:
    """What the build of stage 1 needs.

    Attributes:
        plan: which rows of which files.
        outputs: where they go.
        by_rank: lines are in the order of ranks; else of the input.
        published: lines as the published program writes them, with an index from 1.
        inputs: beside the files, what decides bytes.
        notes: for people, as rows of the plan.
        looked: what planning has read of files, for workers and another try.
        both_stages: whether stage 2 follows.
        saved: the plan, as workers find it.
        run: what run this is; the launcher fills it in.
    """

    plan: SamplePlan
    outputs: Outputs
    by_rank: bool = True
    published: bool = False
    inputs: tuple[tuple[str, int, float | str], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    looked: LookedAt = field(default_factory=LookedAt)
    both_stages: bool = False
    saved: SavedPlans = SavedPlans()
    run: Run | None = None

    @property
    def table(self) -> RecordTable:
        """The columns of records/."""
        return sample_table(self.plan.in_tokens)


def sample_settings(context: Context) -> SampleSettings:
    """The settings that the flags, the YAML and its datasets make.

    Raises:
        ValueError: mistakes in the YAML; entries that cannot be read; flags that contradict each other.
        HubFault: the Hub does not answer.
    """
    flags = context.flags
    if flags.target_samples and flags.target_tokens:
        raise ValueError('--target_samples and --target_tokens are two ways to say how much: give one of them')
    if flags.tokenizer and not flags.target_tokens:
        raise ValueError('--tokenizer counts tokens for --target_tokens, which is not given')
    if flags.target_tokens and flags.fill != 'none':
        raise ValueError('--fill goes by the rows that footers tell: with --target_tokens nobody knows what a source lacks')
    tokenizer = None
    if flags.target_tokens:
        tokenizer = tokenizer_file(flags.tokenizer) if flags.tokenizer else ''
    config = load_config(flags.config, SAMPLE_CONFIG)
    base = storage.join(*os.path.split(config_path(flags.config, SAMPLE_CONFIG))[:1]) or '.'
    base = os.path.abspath(base) if storage.is_local(base) else base
    wanted_total = flags.target_tokens or flags.target_samples or _USUAL_SAMPLES
    published = flags.preset == 'original'
    looked = LookedAt(looked_folder(context.work))
    finder = FrameFinder(base, None if tokenizer is None else token_counter(tokenizer), tokenizer or 'estimate', looked)
    wanted = SampleFlags(wanted_total, flags.seed, flags.design, flags.max_download, flags.fill == 'proportional', flags.skip_unavailable, tokenizer)
    plan = plan_sample(config.datasets, folders_of(config.datasets, published), finder, wanted, partial(looking_at, what='sources', unit='source'))
    for entry in plan.entries:
        if entry.frame and not storage.is_file(entry.frame.address):
            refuse_output_within(context, entry.frame.address, f'the dataset {entry.entry.name}')
    owners = [plan.entries[part.source] for part in plan.parts]
    outputs = Outputs('jsonl', {part.number: storage.join(owner.folder, RAW) for part, owner in zip(plan.parts, owners, strict=True) if owner.source})
    notes = ()
    if not flags.config:
        notes = (('note', f'no --config: this is the embedded sample ({SAMPLE_CONFIG}); --config {PUBLISHED_CONFIG} is the mixture of SmolLM3'),)
    return SampleSettings(plan, outputs, flags.order == 'rank', published, _fingerprints(plan, tokenizer), notes, looked, getattr(flags, BOTH, False))


def _fingerprints(plan: SamplePlan, tokenizer: str | None) -> tuple[tuple[str, int, str], ...]:
    """What of YAML and flags decides the sample, as inputs of the run: of an entry what names it, its weight and its design."""
    chosen = {f'entry {entry.folder}': (entry.entry.name, entry.entry.config, entry.entry.subset, entry.entry.split, entry.entry.text_field, entry.entry.weight, entry.folder, entry.quota,
               *((entry.source.design, entry.source.stretches, entry.used if entry.source.design == 'cluster' else 0) if entry.source else ('unavailable',)))
              for entry in plan.entries}
    found = [(name, 0, hashlib.sha256(orjson.dumps(what)).hexdigest()[:32]) for name, what in chosen.items()]
    if tokenizer:
        data = storage.read_bytes(tokenizer)
        found.append(('tokenizer', len(data), hashlib.sha256(data).hexdigest()[:32]))
    return tuple(found)


def with_limits(settings: SampleSettings) -> SampleSettings:
    """The settings with the ranks up to which footers say that rows are needed, and all that workers must know in the work folder."""
    settings.looked.save()
    entries = looking_at(settings.plan.entries, 'ranks', 'source')
    plan = replace(settings.plan, entries=tuple(map(with_exact_limit, entries)))
    return replace(settings, plan=plan, saved=SavedPlans.save(settings.looked.folder, plan.entries))
