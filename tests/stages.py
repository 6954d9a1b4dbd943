"""What a portable runner makes of a pipeline: fused stages and the steps between them, without any Flink."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pipeline import PipelineVisitor
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.portable_runner import PortableRunner

from beam_pipelines.launcher.arguments import parse
from beam_pipelines.launcher.spec import PipelineSpec
from beam_pipelines.samples import sample_folder
from options.context import Context
from transforms.run.part_stream import PartStream
from transforms.run.run import Run

_OPTIONS = ('--experiments=pre_optimize=all', '--environment_type=EXTERNAL', '--environment_config=localhost:1')
_STAGE = 'beam:runner:executable_stage:v1'


@dataclass(frozen=True)
class Stage:
    """Steps that pass elements to one another in memory, and the PCollections that enter and leave them."""

    steps: dict[str, dict[str, str]]
    crossing: frozenset[str]
    side_inputs: tuple[str, ...]
    states: int
    hints: dict[str, bytes]

    def __contains__(self, start: str) -> bool:
        return any(name.startswith(start) for name in self.steps)


@dataclass(frozen=True)
class Graph:
    """The stages, and what the runner itself does as (urn, name)."""

    stages: list[Stage]
    between: list[tuple[str, str]]

    def stage_of(self, start: str) -> Stage:
        """The one stage that holds the step whose name begins so."""
        found = [stage for stage in self.stages if start in stage]
        assert len(found) == 1, f'{start} is in {len(found)} stages'
        return found[0]


def settings_of(spec: PipelineSpec, *argv: str) -> object:
    """The settings for a command line, as the launcher makes them."""
    flags = parse(spec, argv).flags
    context = Context(flags, 'source', flags.input or str(sample_folder(spec.name) or ''), '/o', '/o/.work', 1, 2)
    settings = spec.settings(context)
    plan = spec.plan(settings, context)
    return replace(settings, run=Run(spec.name, 'run', '/o', '/o/.work', plan.sources, plan.parts))


def graph_of(build, settings: object) -> Graph:
    """Builds the pipeline and fuses it as Flink and Dataflow do."""
    options = PipelineOptions(list(_OPTIONS))
    pipeline = beam.Pipeline(runner=PortableRunner(), options=options)
    build(pipeline, settings)
    proto = PortableRunner.get_proto_pipeline(pipeline, options)
    graph = Graph([], [])
    for name in proto.root_transform_ids:
        step = proto.components.transforms[name]
        if step.spec.urn == _STAGE:
            graph.stages.append(_stage(beam_runner_api_pb2.ExecutableStagePayload.FromString(step.spec.payload)))
        else:
            graph.between.append((step.spec.urn, step.unique_name))
    return graph


def payload_steps(build, settings: object) -> set[str]:
    """Names of the steps whose main output has elements that can hold a document, an image or a whole part: a field `data` of bytes, or a PartStream."""
    pipeline = beam.Pipeline(runner=PortableRunner(), options=PipelineOptions(list(_OPTIONS)))
    build(pipeline, settings)
    names = set()

    class Visitor(PipelineVisitor):
        def visit_transform(self, node) -> None:
            for tag, output in node.outputs.items():
                if tag is None and any(_holds_payload(kind) for kind in _types(output.element_type)):
                    names.add(node.full_label)

    pipeline.visit(Visitor())
    return names


def _types(kind: object) -> list[object]:
    return [part for inner in kind.inner_types() for part in _types(inner)] if hasattr(kind, 'inner_types') \
        and list(kind.inner_types()) else [kind]


def _holds_payload(kind: object) -> bool:
    return kind is PartStream or (is_dataclass(kind) and any(f.name == 'data' and 'bytes' in str(f.type) for f in fields(kind)))


def _stage(payload: beam_runner_api_pb2.ExecutableStagePayload) -> Stage:
    transforms = payload.components.transforms
    parts = [transforms[name] for name in payload.transforms]
    sides = [(transforms[side.transform_id], side.local_name) for side in payload.side_inputs]
    return Stage({part.unique_name: dict(part.outputs) for part in parts},
                 frozenset([payload.input, *payload.outputs, *(step.inputs[name] for step, name in sides)]),
                 tuple(step.unique_name for step, _ in sides),
                 len(payload.user_states) + len(payload.timers),
                 dict(payload.environment.resource_hints))
