"""The one place that parses, plans, locks, runs, shows progress and ends with a table and an exit code."""

from beam_pipelines.launcher.launch import launch
from beam_pipelines.launcher.spec import PipelineSpec, Plan, RunResult
from options.context import Context

__all__ = ['Context', 'PipelineSpec', 'Plan', 'RunResult', 'launch']
