"""Running on Flink: finding a job server, looking at the cluster before, watching the job, submitting it again."""

from beam_pipelines.launcher.flink.engine import FlinkEngine as FlinkEngine

__all__ = ['FlinkEngine']
