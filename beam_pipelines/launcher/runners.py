"""From Beam flags to a pipeline on the right runner."""

from __future__ import annotations

import os
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions

from beam_pipelines.launcher.arguments import Arguments
from beam_pipelines.launcher.spec import UsageError

LOCAL_RUNNERS = ('DirectRunner', 'FnApiRunner')
_HOME = str(Path(__file__).resolve().parents[2])


def beam_options(arguments: Arguments) -> PipelineOptions:
    """Beam's options; UsageError when a value does not fit."""
    try:
        return PipelineOptions(flags=arguments.beam)
    except SystemExit:
        raise UsageError("a value of one of Beam's flags does not fit, see above") from None


def worker_count(arguments: Arguments) -> int:
    """Beam worker processes on this machine.

    Raises:
        UsageError: the running mode is one that loses records.
    """
    if arguments.runner not in LOCAL_RUNNERS:
        return 1
    options = beam_options(arguments).view_as(DirectOptions)
    if options.direct_running_mode == 'multi_threading':
        raise UsageError('--direct_running_mode=multi_threading loses records in this Beam version: '
                         'use in_memory (the default) or multi_processing')
    if options.direct_running_mode == 'multi_processing':
        return max(1, options.direct_num_workers or os.cpu_count() or 1)
    return 1


def make_pipeline(arguments: Arguments) -> beam.Pipeline:
    """A pipeline on the runner that the command line names.

    DirectRunner means FnApiRunner here, by name: left alone, Beam tries a runner that it downloads first.
    """
    options = beam_options(arguments)
    if arguments.runner not in LOCAL_RUNNERS:
        return beam.Pipeline(options=options)
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    # Worker processes must find our packages, however this process found them.
    paths = os.environ.get('PYTHONPATH', '').split(os.pathsep)
    if _HOME not in paths:
        os.environ['PYTHONPATH'] = os.pathsep.join(filter(None, [_HOME, *paths]))
    return beam.Pipeline(runner=FnApiRunner(), options=options)
