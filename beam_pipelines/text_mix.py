"""The two-stage weighted text mixture: stage 1 samples each source by its weight, stage 2 cleans, filters and deduplicates the sample.

    python -m beam_pipelines.text_mix --stage=1 --config smollm3_weighted_config.yaml --raw-folder ./raw_data --target-samples 100000
    python -m beam_pipelines.text_mix --stage=2 --config smollm3_weighted_config.yaml --raw-folder ./raw_data --cleaned-folder ./cleaned_data

Stage 1 ranks the rows of each source by a seeded hash, reads those of the smallest ranks, and takes that of the next rank for a row
without text. Stage 2 is `text_clean` with the documented folders: each */raw_data.jsonl.gz becomes */cleaned_data.jsonl.gz, and of equal
documents that of the entry which the YAML names first stays.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import apache_beam as beam

from beam_pipelines import text_clean
from beam_pipelines.launcher import PipelineSpec, RunResult, launch
from beam_pipelines.launcher.arguments import stage_of
from beam_pipelines.launcher.human import counted, human_bytes, human_time
from beam_pipelines.launcher.spec import Plan
from options.cluster import ClusterOptions
from options.context import Context
from options.hub import HubOptions
from options.published import PresetOptions, StageOptions
from options.run import RunOptions
from options.shards import ShardOptions
from options.text import TextOptions
from options.text_clean import with_text_types
from options.text_mix import TextMixOptions, flags_of, settle_clean, settle_sample, text_mix_settings
from options.text_sample import BOTH, SampleOptions, SampleSettings, sample_settings, with_limits
from transforms.accounting.finish import FinishRun
from transforms.text_mix.outputs import documents_card
from transforms.text_mix.sampling.choose import ChooseRows
from transforms.text_mix.sampling.design import meaning
from transforms.text_mix.sampling.planning import SourcePlan
from transforms.text_mix.sampling.read_candidates import FirstTasks, ReadCandidates
from transforms.text_mix.sampling.report import sample_report
from transforms.text_mix.sampling.tokens import CHARACTERS
from transforms.text_mix.sampling.write_sample import WriteSample

ABOUT = """\
Stage 1 takes from each dataset of the YAML exactly its share of --target_samples, at random and the same for the
same --seed, and writes NAME_CONFIG/raw_data.jsonl.gz; --plan prints quotas and bytes to fetch. Stage 2 cleans,
filters and deduplicates these documents together into */cleaned_data.jsonl.gz. Beside them records/, errors.jsonl
and report.html say what became of each. Without --config a small embedded mixture is taken; shipped are
smollm3_weighted_config.yaml, smollm3_stage2_config.yaml and smollm3_stage3_config.yaml too.

  python -m beam_pipelines.text_mix --stage=all --config smollm3_weighted_config.yaml --target-samples 100000"""

_CARD = ('Sampled documents: `datasets.load_dataset(FOLDER, NAME)` reads one of the folders; stage 2 of text_mix cleans them. report.html and\n'
         'records/ account for every document.')
_OPTIONS = (RunOptions, StageOptions, PresetOptions, TextMixOptions, SampleOptions, TextOptions, ShardOptions, HubOptions, ClusterOptions)
_HUB_SPEED, _DISK_SPEED = 50e6, 200e6  # bytes/s that the plan's time goes by


def build_sample(pipeline: beam.Pipeline, settings: SampleSettings) -> None:
    """Stage 1: candidates read, rows chosen by rank over all of a source, and written; the last step finishes the output."""
    skipped = len(settings.plan.skipped)
    run = replace(settings.run, max_failed_units=settings.run.max_failed_units + skipped * (settings.run.max_failed_units >= 0))
    read = pipeline | 'FirstTasks' >> FirstTasks(run, settings.saved) | 'ReadCandidates' >> ReadCandidates(run)
    chosen = read | 'ChooseRows' >> ChooseRows(run, settings.saved, settings.by_rank)
    written = chosen.main | 'WriteSample' >> WriteSample(settings.saved, settings.outputs, run, settings.by_rank, settings.plan.in_tokens, settings.published)
    (chosen, written) | 'FinishRun' >> FinishRun(
        run, settings.table, (documents_card(settings.outputs, _CARD),), sample_report(settings.plan))


def plan_sample(settings: SampleSettings, context: Context) -> Plan:
    """What stage 1 reads and writes: an entry a line."""
    entries = settings.plan.entries
    header = ('entry', 'weight', 'quota', 'rows', 'design', 'reads', 'time')
    lines = [header, *map(_line, entries)]
    size = sum(entry.expected_bytes for entry in entries)
    seconds = sum(entry.expected_bytes / (_HUB_SPEED if entry.frame.is_remote else _DISK_SPEED) for entry in entries if entry.frame)
    lines.append(('all', f'{sum(entry.entry.weight for entry in entries):.6g}', f'{sum(entry.quota for entry in entries):,}', '', '', human_bytes(size), human_time(seconds)))
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    table = ['  '.join(cell.ljust(width) if column in (0, 4) else cell.rjust(width) for column, (cell, width) in enumerate(zip(line, widths, strict=True)))
             for line in lines]
    designs = dict.fromkeys(meaning(entry.source) for entry in entries if entry.tasks)
    what = f"tokens, {f'counted by {context.flags.tokenizer}' if context.flags.tokenizer else f'an estimate: characters / {CHARACTERS}'}" if settings.plan.in_tokens else 'documents'
    rows = [*settings.notes, ('take', f'{sum(entry.quota for entry in entries):,} {what}, with seed {context.flags.seed}'),
            *(('' if number else 'from', line) for number, line in enumerate(table)),
            *(('design', what_it_means) for what_it_means in designs),
            ('time', f'of reading alone, at {human_bytes(_HUB_SPEED)}/s from the Hub and {human_bytes(_DISK_SPEED)}/s from disk'),
            *(('skipped', f'{entry.folder}: {entry.why}') for entry in settings.plan.skipped),
            *(('left out', f"{entry.folder}: {', '.join(counted(count, f'{kind} file') for kind, count in entry.frame.left_out)} of its dataset in no split")
              for entry in entries if entry.frame and entry.frame.left_out),
            *(('short', f'{entry.folder} has {counted(entry.frame.rows, "row")}, {entry.quota:,} are wanted') for entry in entries
              if entry.frame and entry.frame.is_known and not settings.plan.in_tokens and entry.frame.rows < entry.quota),
            ('write', f'{context.output}/*/raw_data.jsonl.gz'),
            *((('then', 'stage 2 cleans, filters and deduplicates that'),) if settings.both_stages else ())]
    share = sum(entry.frame.bytes * min(1.0, entry.wanted_rows / max(1, entry.frame.rows)) for entry in entries if entry.frame)
    return Plan(tuple(rows), (*settings.inputs, *settings.plan.inputs), round(3 * share), total=sum(task.bytes for entry in entries for task in entry.first_tasks),
                counted='B', sources=settings.plan.sources, parts=settings.plan.parts)


def _line(plan: SourcePlan) -> tuple[str, ...]:
    if plan.frame is None:
        return plan.folder, f'{plan.entry.weight:g}', f'{plan.quota:,}', '?', 'skipped', '', ''
    rows = f'{plan.frame.rows:,}' if plan.frame.is_known else f'about {plan.frame.rows:,}'
    speed = _HUB_SPEED if plan.frame.is_remote else _DISK_SPEED
    return (plan.folder, f'{plan.entry.weight:g}', f'{plan.quota:,}', rows, plan.source.design, human_bytes(plan.expected_bytes), human_time(plan.expected_bytes / speed))


CLEAN = PipelineSpec(
    name='text_mix', summary='weighted text mixture: stage 1 samples each source by weight, stage 2 cleans and deduplicates the sample', about=ABOUT,
    options=_OPTIONS, stages=('2', '1', 'all'), settings=text_mix_settings, plan=text_clean.plan, build=text_clean.build, complete=with_text_types,
    settle=settle_clean, byte_packages=text_clean.BYTE_PACKAGES, workers_from=text_clean.WORKERS_FROM,
    not_bytes=frozenset(flag.dest for flag in flags_of((SampleOptions,))))
SAMPLE = replace(
    CLEAN, settings=sample_settings, plan=plan_sample, build=build_sample, complete=with_limits, settle=settle_sample,
    byte_packages=('fastavro', 'isal', 'msgspec', 'numpy', 'orjson', 'pandas', 'pyarrow', 'tokenizers'),
    not_bytes=frozenset({BOTH, *(flag.dest for flag in flags_of((TextMixOptions, TextOptions, ShardOptions)))}))
SPEC = CLEAN
STAGES = {'1': (SAMPLE,), '2': (CLEAN,), 'all': (SAMPLE, CLEAN)}


def run(argv: Sequence[str] | None = None) -> RunResult:
    """Runs a stage, or one after the other, with the flags in `argv`; see `python -m beam_pipelines.text_mix --help`."""
    result = None
    for spec in STAGES.get(stage_of(argv), (CLEAN,)):
        result = launch(spec, argv)
        if result.state != 'done':
            break
    return result


if __name__ == '__main__':
    sys.exit(run().exit_code)
