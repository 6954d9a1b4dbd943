"""The modules of beam_pipelines that people start, found and not listed."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import beam_pipelines
from beam_pipelines.launcher.spec import PipelineSpec, Tool


def names() -> list[str]:
    """The names of the modules, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules(beam_pipelines.__path__) if not m.ispkg and m.name != '__main__')


def find_specs() -> list[PipelineSpec | Tool]:
    """The SPEC (or TOOL) of every module, pipelines first, by name."""
    modules = [import_module(f'beam_pipelines.{name}') for name in names()]
    return sorted((getattr(m, 'SPEC', None) or m.TOOL for m in modules), key=lambda spec: isinstance(spec, Tool))


def find_pipelines() -> list[PipelineSpec]:
    """The SPEC of every pipeline, by name."""
    return [spec for spec in find_specs() if isinstance(spec, PipelineSpec)]
