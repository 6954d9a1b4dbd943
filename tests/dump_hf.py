"""A pipeline around ReadHF for tests: `python -m tests.dump_hf INPUT OUTPUT [Beam flags]` writes its records, sorted.

With `--run=FOLDER` it reads inside a run with that work folder, whose workers keep what they fetch in FOLDER/cache.
"""

import argparse

import apache_beam as beam
import orjson
from apache_beam.options.pipeline_options import PipelineOptions

from transforms import ReadHF
from transforms.files import storage
from transforms.hub.settings import HubSettings
from transforms.run.run import Run


def line(record) -> tuple[str, bytes]:
    origin = record.origin
    return '', orjson.dumps([origin.split, origin.file, record.row, record.values])


def write(group, output) -> None:
    _, lines = group
    storage.write_bytes(output, b'\n'.join(sorted(lines)))


def run_in(folder: str) -> Run:
    run = Run('dump', 'run-1', folder, folder, hub=HubSettings(cache=f'{folder}/cache'))
    run.claim()
    return run


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('source')
    parser.add_argument('output')
    parser.add_argument('--run', default='')
    flags, rest = parser.parse_known_args()
    with beam.Pipeline(options=PipelineOptions(rest)) as pipeline:
        read = pipeline | ReadHF(flags.source, run=run_in(flags.run) if flags.run else None)
        (read.main | 'Line' >> beam.Map(line) | beam.GroupByKey() | beam.Map(write, flags.output))


if __name__ == '__main__':
    main()
