"""Several datasets in one run, for tests: `python -m tests.mixture OUTPUT INPUT... [Beam flags]` reads and accounts for them."""

import argparse
import sys
from itertools import chain

import apache_beam as beam
import orjson
from apache_beam.options.pipeline_options import PipelineOptions

from tests.helpers import run_in
from transforms import CollectAccounts, FinishRun, ReadHF
from transforms.accounting.outcome import WRITTEN, Outcome, Payload
from transforms.accounting.product import json_list
from transforms.accounting.step import StepOutput
from transforms.read_hf.plan import number_plans, plan_read


def said_of(record):
    """Each record is written to one list, under its values."""
    origin = record.origin
    yield Outcome(origin.part, origin.file, record.row, str(record.values['id']), WRITTEN, output='all.json')
    yield Payload(origin.part, origin.file, record.row, 'all', orjson.dumps([origin.number, record.values['id']]))


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('output')
    parser.add_argument('sources', nargs='+')
    flags, rest = parser.parse_known_args(argv)
    plans = number_plans([plan_read(source) for source in flags.sources])
    run = run_in(flags.output, sources=tuple(chain.from_iterable(plan.sources for plan in plans)),
                 parts=tuple(chain.from_iterable(plan.parts for plan in plans)), seed=3, max_failed_units=1)
    # The name of the engine that DirectRunner means here.
    runner = [] if any(flag.startswith('--runner') for flag in rest) else ['--runner=FnApiRunner']
    with beam.Pipeline(options=PipelineOptions([*runner, *rest])) as pipeline:
        steps = []
        for number, plan in enumerate(plans):
            read = pipeline | f'ReadHF{number}' >> ReadHF(plan, run=run)
            said = read.main | f'Say{number}' >> beam.FlatMap(said_of) | f'Collect{number}' >> CollectAccounts(run)
            steps += [read, StepOutput(read.main, (said,))]
        tuple(steps) | 'FinishRun' >> FinishRun(run, products=(json_list('all.json', 'all'),))


if __name__ == '__main__':
    main(sys.argv[1:])
