"""Decisions on generated keys, for tests and benchmarks: `python -m tests.decide DECISION KIND KEYS OUTPUT [--work=FOLDER] [Beam flags]`.

DECISION is duplicates, ranks, kth, threshold, groups (the same in a million groups) or sample; KIND says how keys are spread: random
(a tenth of them duplicates), few (101 values) or equal.
OUTPUT gets the answer: for kth a line, else a line for each unit, with the count and a hash of its rows; for sample one for each element drawn.
"""

import argparse
import hashlib
import sys

import apache_beam as beam
import numpy as np
from apache_beam.options.pipeline_options import PipelineOptions

from transforms import FindDuplicates, KthValue, ReservoirSample, ScoreThreshold, SmallestRanks
from transforms.files import storage
from transforms.keys.find_duplicates import Repeats, UnitHashes
from transforms.keys.kth_value import Kth, Scores, TopFraction
from transforms.keys.score_rules import Fraction
from transforms.keys.score_threshold import Labels, UnitScores
from transforms.keys.smallest_ranks import UnitRanks
from transforms.run.run import Run
from transforms.run.start_up_check import StartUpCheck

UNIT, CHUNK = 250_000, 50_000


def values_of(unit: int, kind: str, count: int, total: int) -> np.ndarray:
    """uint64 numbers of a unit, the same for each call; of random ones about a tenth come twice in all units together."""
    chance = np.random.default_rng(unit)
    if kind == 'equal':
        return np.full(count, 42, np.uint64)
    if kind == 'few':
        return chance.integers(0, 101, count).astype(np.uint64) << np.uint64(57)
    return chance.integers(0, total * 5, count).astype(np.uint64)


def spread(values: np.ndarray) -> np.ndarray:
    """As a hash would, by the finaliser of splitmix64."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        values = (values ^ (values >> np.uint64(shift))) * np.uint64(factor)
    return values ^ (values >> np.uint64(31))


def generate(unit: int, decision: str, kind: str, total: int):
    count = min(UNIT, total - unit * UNIT)
    values = values_of(unit, kind, count, total)
    for start in range(0, count, CHUNK):
        some = values[start:start + CHUNK]
        rows = np.arange(start, start + len(some))
        if decision == 'duplicates':
            hashed = spread(some)
            yield UnitHashes(unit, rows, np.stack([hashed, spread(hashed)], 1), priority=unit % 3)
        elif decision == 'ranks':
            yield UnitRanks(unit, rows, spread(some) if kind == 'random' else some, group=unit % 2)
        elif decision == 'sample':
            yield from ((unit, row) for row in rows.tolist())
        elif decision in ('threshold', 'groups'):
            groups = spread((unit * UNIT + rows).astype(np.uint64)) % np.uint64(1_000_000) if decision == 'groups' else 0
            yield UnitScores(unit, rows, some.astype(np.float64) / 7, groups)
        else:
            yield Scores(some.astype(np.float64) / 7)


def describe(element, run: Run) -> tuple[str, str]:
    number, answer = element
    if isinstance(answer, int):
        return '', f'{number:06d} {answer:06d}'
    if isinstance(answer, Kth):
        return '', f'{number:06d} {answer}'
    rows = (answer.lost(number, run)['row'] if isinstance(answer, Repeats) else answer.kept(run) if isinstance(answer, Labels)
            else answer.rows(run))
    return '', f'{number:06d} {len(rows)} {hashlib.sha256(rows.tobytes()).hexdigest()}'


def id_of(element: tuple[int, int]) -> str:
    return f'{element[0]}-{element[1]}'


def write(group, output: str) -> None:
    storage.write_bytes(output, '\n'.join(sorted(group[1])).encode() + b'\n')


def build(pipeline: beam.Pipeline, decision: str, kind: str, total: int, output: str, run: Run) -> None:
    units = tuple(range(-(-total // UNIT)))
    keys = (pipeline | beam.Create(units) | 'Check' >> StartUpCheck(run)
            | 'Generate' >> beam.FlatMap(generate, decision, kind, total))
    decide = {'duplicates': FindDuplicates(run, units, total), 'kth': KthValue(run, TopFraction(0.3)),
              'threshold': ScoreThreshold(Fraction(0.3), run=run, units=units),
              'groups': ScoreThreshold(Fraction(0.3), run=run, units=units, keys=total),
              'ranks': SmallestRanks(run, units, {0: total // 5, 1: 1000}),
              'sample': ReservoirSample(total // 100, run=run, id_fn=id_of, seed=5)}[decision]
    decided = keys | 'Decide' >> decide
    ((decided.main if decision in ('threshold', 'groups') else decided) | 'Describe' >> beam.Map(describe, run).with_output_types(tuple[str, str])
     | 'ToOne' >> beam.GroupByKey() | 'Write' >> beam.Map(write, output))


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument('decision', choices=('duplicates', 'ranks', 'kth', 'threshold', 'groups', 'sample'))
    parser.add_argument('kind', choices=('random', 'few', 'equal'))
    parser.add_argument('keys', type=int)
    parser.add_argument('output')
    parser.add_argument('--work', required=True)
    parser.add_argument('--inline', action='store_true')
    flags, rest = parser.parse_known_args(argv)
    run = Run('decide', 'run-1', flags.work, flags.work, inline_blocks=flags.inline)
    run.claim()
    with beam.Pipeline(options=PipelineOptions(rest)) as pipeline:
        build(pipeline, flags.decision, flags.kind, flags.keys, flags.output, run)


if __name__ == '__main__':
    main(sys.argv[1:])
