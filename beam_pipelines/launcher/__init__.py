"""The one place that parses, plans, locks, runs, shows progress and ends with a table and an exit code."""

from beam_pipelines.launcher.launch import launch
from beam_pipelines.launcher.spec import Context, PipelineSpec, Plan, RunResult

__all__ = ['Context', 'PipelineSpec', 'Plan', 'RunResult', 'launch']
