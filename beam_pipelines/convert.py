"""Any dataset, in any layout that ReadHF knows, to shards of gz JSON lines or Parquet.

    python -m beam_pipelines.convert --input hf://datasets/ibm/duorc --output data/duorc --format=parquet

The smallest complete pipeline here; docs/adding_a_dataset.md explains it line by line.
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
from options.convert import ConvertSettings, convert_settings, with_column_types
from options.dataset import DatasetOptions, SubsetOptions
from options.hub import HubOptions
from options.run import RunOptions
from options.shards import ShardOptions
from transforms.accounting.finish import FinishRun
from transforms.read_hf.read_parts import ReadHFParts
from transforms.shards.report import SHARD_REPORT
from transforms.shards.write_shards import WriteShards

ABOUT = """\
Converts a dataset to shards: data/SPLIT-00000-of-00012.jsonl.gz (or .parquet), a README.md by which
datasets.load_dataset reads them, and records/, errors.jsonl and report.html that account for every record.

--input is a folder, a file or hf://datasets/NAMESPACE/NAME[@REVISION], in any layout: Parquet, JSON, JSON
lines, CSV, TSV, text, Arrow, Avro (each also packed), WebDataset, zip, folders of images or sounds (as
references to the files). Without it an embedded sample is taken.

  python -m beam_pipelines.convert --input hf://datasets/ibm/duorc --output data/duorc --format=parquet"""


def build(pipeline: beam.Pipeline, settings: ConvertSettings) -> None:
    """Records to shards, part by part; the last step finishes the output."""
    parts = pipeline | 'ReadHF' >> ReadHFParts(settings.read_plan, settings.run)
    shards = parts | 'WriteShards' >> WriteShards(settings.shards, settings.run)
    (shards,) | 'FinishRun' >> FinishRun(settings.run, products=(settings.card,), report=SHARD_REPORT)


def plan(settings: ConvertSettings, context: Context) -> Plan:
    """What a run with these settings reads and writes."""
    read = settings.read_plan
    splits = ', '.join(filter(None, (f'{split.subset} {split.name}'.strip() for split in read.splits[:8])))
    more = f' and {len(read.splits) - 8} more' if read.splits[8:] else ''
    rows = f'{counted(read.rows, "record")}, ' if read.rows else ''
    left_out = ', '.join(f'{count:,} {layout}' for layout, count in read.dataset.left_out)
    work = sum(chain.bytes for chain in read.chains)
    references = '' if work else 'references to '
    return Plan(rows=(('input', f'{context.address} ({splits}{more})'),
                      ('read', f'{rows}{references}{human_bytes(read.bytes)} in {counted(read.files, "file")}'),
                      ('write', f'{context.output}, {counted(len(read.parts), f"{settings.shards.format} shard")}'),
                      *((('not', f'{left_out} files, which belong to no split of the main format'),) if left_out else ())),
                inputs=read.inputs, output_bytes=read.certain_bytes + read.inflated_bytes, total=work, counted='B', sources=read.sources, parts=read.parts)


SPEC = PipelineSpec(
    name='convert', summary='any dataset, in any layout, to shards of gz JSON lines or Parquet', about=ABOUT,
    options=(RunOptions, SubsetOptions, DatasetOptions, ShardOptions, HubOptions, ClusterOptions),
    settings=convert_settings, plan=plan, build=build, complete=with_column_types,
    byte_packages=('isal', 'msgspec', 'orjson', 'pandas', 'pyarrow'),
    workers_from=256 << 20)  # two break even at 216 MB to JSON lines, at 324 MB to Parquet (docs/performance.md)


def run(argv: Sequence[str] | None = None) -> RunResult:
    """Runs the pipeline with the flags in `argv`; see `python -m beam_pipelines.convert --help`."""
    return launch(SPEC, argv)


if __name__ == '__main__':
    sys.exit(run().exit_code)
