"""What tests need of Flink: a job server jar and Java, or the reason why they are skipped."""

from __future__ import annotations

import shutil

import pytest

from beam_pipelines.launcher.flink.jars import built_jars, choose_jar

JAR = choose_jar(built_jars(), '')
REASON = '' if shutil.which('java') and JAR else 'no Java on this machine' if not shutil.which('java') else \
    'no job server jar: `make flink-job-server` builds one'
EMBEDDED = ('--runner=FlinkRunner', f'--flink_job_server_jar={JAR.path if JAR else ""}', '--parallelism=2')
needs_flink = pytest.mark.skipif(bool(REASON), reason=REASON)
