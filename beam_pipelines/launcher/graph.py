"""What a runner makes of a pipeline: stages of steps that pass elements in memory, and what moves elements between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass

import apache_beam as beam
from apache_beam.pipeline import PipelineVisitor
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import translations

from transforms.run.part_stream import PartStream

_STAGE = 'beam:runner:executable_stage:v1'
# Takes images in and lets go of their bytes: what it makes may leave its stage.
_LETS_GO = '/WriteImages'
# What a portable runner does itself, without a worker.
_RUNNERS_OWN = frozenset({
    common_urns.composites.RESHUFFLE.urn, common_urns.primitives.IMPULSE.urn,
    common_urns.primitives.FLATTEN.urn, common_urns.primitives.GROUP_BY_KEY.urn,
})


@dataclass(frozen=True)
class Stage:
    """Steps that pass elements to one another in memory, and the PCollections that enter and leave them.

    Attributes:
        steps: outputs of each step by its name: a PCollection's id by tag.
        crossing: ids of the PCollections that enter and leave.
        side_inputs: names of the steps that take a side input.
        states: number of states and timers.
        hints: resource hints, as bytes by URN.
        environment: what its workers run in: a container's image, or what else there is.
    """

    steps: dict[str, dict[str, str]]
    crossing: frozenset[str]
    side_inputs: tuple[str, ...]
    states: int
    hints: dict[str, bytes]
    environment: str = ''

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

    @property
    def crossing(self) -> frozenset[str]:
        """Ids of all PCollections that enter or leave a stage."""
        return frozenset().union(*(stage.crossing for stage in self.stages))


def fuse(proto: beam_runner_api_pb2.Pipeline) -> Graph:
    """Fuses a pipeline as portable runners do; `proto` stays as it is."""
    fused = translations.optimize_pipeline(proto, phases=translations.standard_optimize_phases(),
                                           known_runner_urns=_RUNNERS_OWN, partial=False)
    graph = Graph([], [])
    for name in fused.root_transform_ids:
        step = fused.components.transforms[name]
        if step.spec.urn == _STAGE:
            graph.stages.append(_stage(beam_runner_api_pb2.ExecutableStagePayload.FromString(step.spec.payload)))
        else:
            graph.between.append((step.spec.urn, step.unique_name))
    return graph


def payload_steps(pipeline: beam.Pipeline) -> set[str]:
    """Names of the steps whose main output has elements that can hold a document, an image or a whole part: a field `data` of bytes, or a PartStream."""
    names: set[str] = set()

    class Visitor(PipelineVisitor):
        def visit_transform(self, node) -> None:
            for tag, output in node.outputs.items():
                if tag is None and any(_holds_payload(kind) for kind in _types(output.element_type)):
                    names.add(node.full_label)

    pipeline.visit(Visitor())
    return names


def leaks(graph: Graph, payloads: Iterable[str]) -> list[str]:
    """Those of the steps that make payloads whose main output leaves its stage, so that it crosses a shuffle or a coder."""
    crossing = graph.crossing
    return [name for name in sorted(payloads) if _LETS_GO not in name and any(
        step == name and outputs.get('None') in crossing for stage in graph.stages for step, outputs in stage.steps.items())]


def _types(kind: object) -> list[object]:
    return [part for inner in kind.inner_types() for part in _types(inner)] if hasattr(kind, 'inner_types') \
        and list(kind.inner_types()) else [kind]


def _holds_payload(kind: object) -> bool:
    return kind is PartStream or (is_dataclass(kind) and any(f.name == 'data' and 'bytes' in str(f.type) for f in fields(kind)))


def _stage(payload: beam_runner_api_pb2.ExecutableStagePayload) -> Stage:
    transforms = payload.components.transforms
    parts = _in_order([transforms[name] for name in payload.transforms])
    sides = [(transforms[side.transform_id], side.local_name) for side in payload.side_inputs]
    return Stage({part.unique_name: dict(part.outputs) for part in parts},
                 frozenset([payload.input, *payload.outputs, *(step.inputs[name] for step, name in sides)]),
                 tuple(step.unique_name for step, _ in sides),
                 len(payload.user_states) + len(payload.timers),
                 dict(payload.environment.resource_hints), _environment(payload.environment))


def _in_order(steps: list[beam_runner_api_pb2.PTransform]) -> list[beam_runner_api_pb2.PTransform]:
    """The steps of a stage, each behind those whose outputs it takes."""
    made_by = {output: i for i, step in enumerate(steps) for output in step.outputs.values()}
    order: dict[int, None] = {}

    def visit(number: int) -> None:
        if number not in order:
            for taken in sorted(made_by[name] for name in steps[number].inputs.values() if name in made_by):
                visit(taken)
            order[number] = None

    for number in sorted(range(len(steps)), key=lambda number: steps[number].unique_name):
        visit(number)
    return [steps[number] for number in order]


def _environment(environment: beam_runner_api_pb2.Environment) -> str:
    if environment.urn == common_urns.environments.DOCKER.urn:
        return beam_runner_api_pb2.DockerPayload.FromString(environment.payload).container_image
    return environment.urn
