"""The text of --dry_run: stages, environments and resource hints of the graph that would be submitted."""

from __future__ import annotations

import textwrap

import apache_beam as beam
from apache_beam.portability.api import beam_runner_api_pb2

from beam_pipelines.launcher.graph import Stage, fuse, leaks, payload_steps
from beam_pipelines.launcher.human import counted, human_bytes

_WIDTH = 110


def render_graph(proto: beam_runner_api_pb2.Pipeline, pipeline: beam.Pipeline) -> str:
    """Tables of at most 110 columns.

    Args:
        proto: what the runner would submit.
        pipeline: what it was made from, for the types of its elements.
    """
    graph = fuse(proto)
    lines = [f'the graph: {counted(len(graph.stages), "fused stage")}, as portable runners fuse them; {human_bytes(proto.ByteSize())}', '']
    for number, stage in enumerate(graph.stages, 1):
        lines += textwrap.wrap(' > '.join(_steps(stage)), _WIDTH, initial_indent=f'{number:>3}  ', subsequent_indent='     ',
                               break_on_hyphens=False)
        if stage.hints:
            lines.append(f'     with {", ".join(_hint(name, value) for name, value in sorted(stage.hints.items()))}')
    lines += ['', 'between them: ' + (', '.join(f'{name} ({urn.split(":")[-2]})' for urn, name in graph.between
                                                if 'group_by_key' in urn or 'reshuffle' in urn) or 'nothing')]
    lines += [f'environment:  {image}' for image in sorted({stage.environment for stage in graph.stages if stage.environment})]
    staged = sorted({_staged_name(artifact) for environment in proto.components.environments.values()
                     for artifact in environment.dependencies})
    lines += [f'staged:       {", ".join(staged)}'] if staged else []
    for name in leaks(graph, payload_steps(pipeline)):
        lines.append(f'warning: what {name} makes leaves its stage: images and documents would cross a shuffle')
    return '\n'.join([*lines, '', 'nothing was submitted'])


def _steps(stage: Stage) -> list[str]:
    """Names of a stage's steps, with what several in a row share told once."""
    told: list[str] = []
    before: list[str] = []
    for name in stage.steps:
        parts = name.split('/')
        shared = 0
        while shared < min(len(before), len(parts) - 1) and before[shared] == parts[shared]:
            shared += 1
        told.append('/'.join(parts if shared < 1 else ['…', *parts[shared:]]))
        before = parts
    return told


def _hint(urn: str, value: bytes) -> str:
    name, text = urn.removeprefix('beam:resources:').removesuffix(':v1'), value.decode(errors='replace')
    return f'min_ram {human_bytes(int(text))}' if name == 'min_ram_bytes' and text.isdigit() else f'{name} {text}'


def _staged_name(artifact: beam_runner_api_pb2.ArtifactInformation) -> str:
    return beam_runner_api_pb2.ArtifactStagingToRolePayload.FromString(artifact.role_payload).staged_name
