"""What accounting costs: `python -m benchmarks.accounting [--records N ...] [--folder FOLDER]`.

Outcomes are generated in 100 parts and accounted for as a pipeline does it: made, collected, merged, counted, saved. Shown
for each size: CPU seconds of all processes and per record, the making of the outcomes included; the seconds of the last,
serial step, and of those what joining and flushing files took; and the peak memory of the largest process. Each run is a process
of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time

PARTS = 100


def generate(part: int, rows: int):  # noqa: ANN201
    """A read count and the outcomes of a part: nine of ten written, the rest dropped or failed."""
    from transforms.accounting.outcome import DROPPED, FAILED, WRITTEN, Outcome
    from transforms.report.summary import Count

    yield Count(part, 'read', '', rows)
    for row in range(rows):
        if row % 10 < 9:
            yield Outcome(part, 'data/train.parquet', row, f'record-{row}', WRITTEN, '', '', f'images/{row % 256:02x}/{row}.png', 1000 + row,
                          'ab' * 32, details={'width': 800, 'height': row % 1000, 'language': 'en'})
        elif row % 20 < 10:
            yield Outcome(part, 'data/train.parquet', row, f'record-{row}', DROPPED, 'blank_text')
        else:
            yield Outcome(part, 'data/train.parquet', row, f'record-{row}', FAILED, 'DamagedPdf', 'no such object', stage='render')


def once(records: int, output: str, flags: list[str]) -> None:
    """One run in this process; prints its figures as JSON."""
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from transforms import CollectAccounts, FinishRun
    from transforms.accounting import finish
    from transforms.accounting.product import JoinedFile
    from transforms.accounting.step import StepOutput
    from transforms.accounting.table import RecordTable
    from transforms.report.page import Histogram, Report
    from transforms.run.run import Run
    from transforms.run.source import Part, Source

    class Timed(FinishRun):
        def finish(self, key, parts):  # noqa: ANN001, ANN202
            apart: list[float] = []

            def timed(step):  # noqa: ANN001, ANN202
                def run_it(*args):  # noqa: ANN002, ANN202
                    begun = time.monotonic()
                    result = step(*args)
                    apart.append(time.monotonic() - begun)
                    return result

                return run_it

            JoinedFile.join, finish.flush = timed(JoinedFile.join), timed(finish.flush)
            start = time.monotonic()
            run = super().finish(key, parts)
            with open(f'{self.run.output}/serial', 'w') as file:
                file.write(f'{time.monotonic() - start} {sum(apart)}')
            return run

    table = RecordTable((('width', 'int32'), ('height', 'int32'), ('language', 'string')))
    report = Report((Histogram('bytes', 'Bytes'), Histogram('height', 'Height'), Histogram('language', 'Language')))
    run = Run('bench', 'bench', output, f'{output}/.work', (Source(0, 'generated'),), tuple(Part(i, 0) for i in range(PARTS)))
    run.claim()
    with beam.Pipeline(options=PipelineOptions(flags)) as pipeline:
        parts = pipeline | beam.Create(range(PARTS)) | beam.Reshuffle()
        said = parts | 'Generate' >> beam.FlatMap(generate, records // PARTS) | 'Collect' >> CollectAccounts(run, table)
        (StepOutput(parts, (said,)),) | 'FinishRun' >> Timed(run, table, report=report)
    with open(f'{output}/run.json') as file:
        state = json.load(file)['state']
    assert state == 'done', state
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    with open(f'{output}/serial') as file:
        serial, apart = map(float, file.read().split())
    print(json.dumps({'cpu': sum(use.ru_utime + use.ru_stime for use in both), 'serial': serial, 'apart': apart,
                      'peak': max(use.ru_maxrss for use in both) / 1024}))


def main() -> None:
    """Measures each size with each runner."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--records', type=int, nargs='+', default=[1_000_000, 10_000_000])
    parser.add_argument('--once', nargs=2, metavar=('N', 'OUTPUT'), default=None)
    parser.add_argument('--folder', default=None, help='where outputs go; on the disk that is to be measured')
    parser.add_argument('--flink_jar', default='', help='measures embedded Flink too (CPU of its Java is not seen)')
    asked, flags = parser.parse_known_args()
    if asked.once:
        once(int(asked.once[0]), asked.once[1], flags)
        return
    runners = {'one worker': [], 'two workers': ['--direct_running_mode=multi_processing', '--direct_num_workers=2']}
    if asked.flink_jar:
        runners['Flink'] = ['--runner=FlinkRunner', '--parallelism=2', f'--flink_job_server_jar={asked.flink_jar}']
    print(f"{'runner':12} {'records':>12} {'wall s':>8} {'CPU s':>8} {'us/record':>10} {'serial s':>9} {'joining s':>9} {'peak MiB':>9}")
    for name, own in runners.items():
        for records in asked.records:
            with tempfile.TemporaryDirectory(dir=asked.folder) as output:
                start = time.monotonic()
                done = subprocess.run([sys.executable, '-m', 'benchmarks.accounting', '--once', str(records), output, *own, *flags],
                                      capture_output=True, text=True, check=False)
                if done.returncode:
                    raise SystemExit(done.stderr)
                found = json.loads(done.stdout.strip().splitlines()[-1])
            print(f"{name:12} {records:12,} {time.monotonic() - start:8.1f} {found['cpu']:8.1f} "
                  f"{1e6 * found['cpu'] / records:10.2f} {found['serial']:9.2f} {found['apart']:9.2f} {found['peak']:9.0f}", flush=True)


if __name__ == '__main__':
    main()
