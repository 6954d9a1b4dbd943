"""Beam's Flink runner with a job server that ends with us and whose log can be read."""

from __future__ import annotations

import logging
import os
import sys

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.flink_runner import FlinkJarJobServer, FlinkRunner
from apache_beam.runners.portability.flink_uber_jar_job_server import FlinkUberJarJobServer

from beam_pipelines.launcher.flink import tether
from beam_pipelines.launcher.flink.preflight import Target


class _TetheredJobServer(FlinkJarJobServer):
    """The job server's process; it ends when we do, however we end."""

    def __init__(self, options: PipelineOptions, jar: str) -> None:
        super().__init__(options)
        self._jar = jar

    def subprocess_cmd_and_endpoint(self) -> tuple[list[str], str]:
        command, endpoint = super().subprocess_cmd_and_endpoint()
        return [sys.executable, os.path.abspath(tether.__file__), *command], endpoint


class TetheredFlinkRunner(FlinkRunner):
    """FlinkRunner for a checked target.

    Args:
        target: where and with what to run.
        log: file that the job server's output go to.
    """

    def __init__(self, target: Target, log: str) -> None:
        super().__init__()
        self._target, self._log = target, log
        self._server: _TetheredJobServer | None = None
        self._handler: logging.Handler | None = None

    def default_job_server(self, options: PipelineOptions) -> object:
        if self._target.uber:
            from apache_beam.options.pipeline_options import FlinkRunnerOptions

            flink = options.view_as(FlinkRunnerOptions)
            flink.flink_job_server_jar = self._target.jar.path
            flink.flink_master = '[auto]'  # the jar runs on the JobManager, which knows itself
            return FlinkUberJarJobServer(self._target.cluster.master, options)
        self._keep_log()
        self._server = _TetheredJobServer(options, self._target.jar.path)
        return self._server

    def _keep_log(self) -> None:
        logger = logging.getLogger(_TetheredJobServer.__name__)
        self._handler = logging.FileHandler(self._log, delay=True)
        self._handler.setFormatter(logging.Formatter('%(message)s'))
        logger.addHandler(self._handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False

    def stop(self) -> None:
        """Ends the job server; a job on a cluster goes on."""
        if self._server:
            self._server.stop()
            self._server = None
        if self._handler:
            logging.getLogger(_TetheredJobServer.__name__).removeHandler(self._handler)
            self._handler.close()
            self._handler = None
