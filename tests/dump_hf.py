"""A pipeline around ReadHF for tests: `python -m tests.dump_hf INPUT OUTPUT [Beam flags]` writes its records, sorted."""

import sys

import apache_beam as beam
import orjson
from apache_beam.options.pipeline_options import PipelineOptions

from transforms import ReadHF
from transforms.files import storage


def line(record) -> tuple[str, bytes]:
    origin = record.origin
    return '', orjson.dumps([origin.split, origin.file, record.row, record.values])


def write(group, output) -> None:
    _, lines = group
    storage.write_bytes(output, b'\n'.join(sorted(lines)))


def main(source: str, output: str, *flags: str) -> None:
    with beam.Pipeline(options=PipelineOptions(list(flags))) as pipeline:
        read = pipeline | ReadHF(source)
        (read.records | 'Line' >> beam.Map(line) | beam.GroupByKey() | beam.Map(write, output))


if __name__ == '__main__':
    main(*sys.argv[1:])
