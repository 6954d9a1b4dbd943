"""From Beam flags to the engine that runs pipelines."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import (
    DirectOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    PrismRunnerOptions,
)

from beam_pipelines.launcher.arguments import Arguments, BeamOptions
from beam_pipelines.launcher.engine import Engine, Progress
from beam_pipelines.launcher.spec import Plan, UsageError
from transforms.files import storage
from transforms.files.object_store import check_reachable

LOCAL_RUNNERS = ('DirectRunner', 'FnApiRunner')
_HOME = str(Path(__file__).resolve().parents[2])


def beam_options(arguments: Arguments) -> PipelineOptions:
    """Beam's options; UsageError when a value does not fit."""
    try:
        return BeamOptions(flags=arguments.beam)
    except SystemExit:
        raise UsageError("a value of one of Beam's flags does not fit, see above") from None


def worker_count(arguments: Arguments) -> int:
    """Beam worker processes on this machine, 0 when they are elsewhere.

    Raises:
        UsageError: the running mode is one that loses records.
    """
    if arguments.runner not in LOCAL_RUNNERS:
        return 0 if _is_elsewhere(arguments) else 1
    options = beam_options(arguments).view_as(DirectOptions)
    if options.direct_running_mode == 'multi_threading':
        raise UsageError('--direct_running_mode=multi_threading loses records in this Beam version: '
                         'use in_memory (the default) or multi_processing')
    if options.direct_running_mode == 'multi_processing':
        return max(1, options.direct_num_workers or os.cpu_count() or 1)
    return 1


def with_workers(arguments: Arguments, cores: int, plan: Plan, workers_from: int) -> Arguments:
    """The command line with as many Beam workers on this machine as work in Python itself is worth, unless it names a mode.

    They take some seconds to start, so that an input of less than `workers_from` bytes gets one.
    """
    given = [flag for flag in arguments.beam if flag.startswith(('--direct_running_mode', '--direct_num_workers'))]
    if arguments.runner not in LOCAL_RUNNERS or given:
        return arguments
    is_large = sum(size for _, size, _ in plan.inputs) >= workers_from
    workers = arguments.flags.num_workers or (min(cores, len(plan.parts)) if is_large else 1)
    flags = ['--direct_running_mode=multi_processing', f'--direct_num_workers={workers}'] if workers > 1 else []
    return replace(arguments, beam=[*arguments.beam, *flags])


def _is_elsewhere(arguments: Arguments) -> bool:
    options = beam_options(arguments)
    if arguments.runner == 'FlinkRunner':
        from beam_pipelines.launcher.flink.preflight import EMBEDDED, master_of

        return (master_of(options) not in EMBEDDED
                or bool(options.view_as(PortableOptions).output_executable_path))
    if arguments.runner == 'PortableRunner':
        portable = options.view_as(PortableOptions)
        return not (portable.job_endpoint == 'embed' or portable.environment_type == 'LOOPBACK')
    return arguments.runner != 'PrismRunner'


def make_engine(arguments: Arguments, print_line: Callable[[str], None], warn: Callable[[str], None]) -> Engine:
    """The engine that the command line names."""
    options, flags = beam_options(arguments), arguments.flags
    if arguments.runner == 'FlinkRunner' and not options.view_as(PortableOptions).job_endpoint:
        from beam_pipelines.launcher.flink.engine import FlinkEngine, FlinkRules

        return FlinkEngine(options, arguments.beam, flags.parallelism or flags.num_workers or 0,
                           FlinkRules(flags.stall_seconds, flags.resubmits), print_line, warn)
    if arguments.runner == 'DataflowRunner':
        from beam_pipelines.launcher.dataflow.engine import DataflowEngine

        return DataflowEngine(options, arguments.beam, flags, print_line, warn)
    if arguments.runner == 'PrismRunner':
        return _PrismEngine(arguments)
    return _BlockingEngine(arguments)


def open_stores(arguments: Arguments) -> None:
    """Gives Beam's file systems the command line's options, and asks the object stores that it names whether they can be reached.

    Beam itself would try for minutes.

    Raises:
        RunAborted: one cannot; the message says what to do.
    """
    options = beam_options(arguments)
    FileSystems.set_options(options)
    anonymous = options.view_as(GoogleCloudOptions).no_auth
    for value in vars(arguments.flags).values():
        for place in (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ():
            if isinstance(place, str) and '://' in place:
                check_reachable(place, anonymous)


class _BlockingEngine(Engine):
    """Any runner by Beam's own way: run, and wait until it is over."""

    def __init__(self, arguments: Arguments) -> None:
        self._arguments = arguments

    def run(self, build: Callable[[beam.Pipeline], None], name: str, work: str, progress: Progress) -> None:
        pipeline = self._pipeline()
        build(pipeline)
        pipeline.run().wait_until_finish()

    def _pipeline(self) -> beam.Pipeline:
        options = beam_options(self._arguments)
        if self._arguments.runner not in LOCAL_RUNNERS:
            return beam.Pipeline(options=options)
        # DirectRunner means FnApiRunner here, by name: left alone, Beam tries a runner that it downloads first.
        from apache_beam.runners.portability.fn_api_runner import FnApiRunner

        # Worker processes must find our packages, however this process found them.
        paths = os.environ.get('PYTHONPATH', '').split(os.pathsep)
        if _HOME not in paths:
            os.environ['PYTHONPATH'] = os.pathsep.join(filter(None, [_HOME, *paths]))
        return beam.Pipeline(runner=FnApiRunner(), options=options)


class _PrismEngine(_BlockingEngine):
    """Prism, where it is asked for: the binary that is named, which ends with the run."""

    def check(self) -> None:
        options = beam_options(self._arguments)
        place = options.view_as(PrismRunnerOptions).prism_location
        if options.view_as(PortableOptions).job_endpoint:
            return
        if not place:
            raise UsageError('--runner=PrismRunner needs --prism_location=PATH of a Prism binary: `make prism` builds one. Without it Beam would '
                             'download one')
        if storage.is_local(place) and not os.path.isfile(place):
            raise UsageError(f'--prism_location={place} does not exist: `make prism` builds one as build/prism/prism')

    def _pipeline(self) -> beam.Pipeline:
        from apache_beam.runners.portability.prism_runner import PrismRunner

        class Runner(PrismRunner):
            """Keeps its server, which Beam stops only when the process ends."""

            def default_job_server(self, options: PipelineOptions) -> object:
                self.server = super().default_job_server(options)
                return self.server

        self._runner = Runner()
        return beam.Pipeline(runner=self._runner, options=beam_options(self._arguments))

    def run(self, build: Callable[[beam.Pipeline], None], name: str, work: str, progress: Progress) -> None:
        try:
            super().run(build, name, work, progress)
        finally:
            if server := getattr(self._runner, 'server', None):
                server.stop()
