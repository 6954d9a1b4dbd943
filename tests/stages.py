"""The graph of a pipeline as Flink gets it, without any Flink."""

from __future__ import annotations

from dataclasses import replace

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.portable_runner import PortableRunner

from beam_pipelines.launcher import graph
from beam_pipelines.launcher.arguments import parse
from beam_pipelines.launcher.graph import Graph
from beam_pipelines.launcher.spec import PipelineSpec
from beam_pipelines.samples import sample_folder
from options.context import Context
from transforms.run.run import Run

_OPTIONS = ('--environment_type=EXTERNAL', '--environment_config=localhost:1')


def settings_of(spec: PipelineSpec, *argv: str) -> object:
    """The settings for a command line, as the launcher makes them."""
    flags = parse(spec, argv).flags
    context = Context(flags, 'source', flags.input or str(sample_folder(spec.name) or ''), '/o', '/o/.work', 1, 2)
    settings = spec.settings(context)
    plan = spec.plan(settings, context)
    return replace(settings, run=Run(spec.name, 'run', '/o', '/o/.work', plan.sources, plan.parts))


def graph_of(build, settings: object) -> Graph:
    """Builds the pipeline and fuses it as Flink and Dataflow do."""
    options = PipelineOptions(['--experiments=pre_optimize=none', *_OPTIONS])
    pipeline = _built(build, settings, options)
    return graph.fuse(PortableRunner.get_proto_pipeline(pipeline, options))


def payload_steps(build, settings: object) -> set[str]:
    """Names of the steps whose main output holds documents, images or whole parts."""
    return graph.payload_steps(_built(build, settings, PipelineOptions(list(_OPTIONS))))


def _built(build, settings: object, options: PipelineOptions) -> beam.Pipeline:
    pipeline = beam.Pipeline(runner=PortableRunner(), options=options)
    build(pipeline, settings)
    return pipeline
