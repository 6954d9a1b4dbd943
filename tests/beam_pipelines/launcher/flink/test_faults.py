import pytest

from beam_pipelines.launcher.flink.faults import fault_line, permanent_fault, pool_refused

# As Flink 1.19 told them, shortened.
HARNESS = ('java.lang.Exception: The user code failed\n\tat org.apache.flink.runtime.Task.run(Task.java:1)\n'
           'Caused by: java.lang.RuntimeException: Error received from SDK harness for instruction 4: Traceback (most '
           'recent call last):\n  File "sdk_worker.py", line 1, in _execute\n')
NO_POOL = ("java.lang.Exception: The user defined 'open()' method caused an exception: StatusRuntimeException: "
           'UNAVAILABLE: io exception\nCaused by: io.netty.channel.AbstractChannel$AnnotatedConnectException: '
           'finishConnect(..) failed: Connection refused: localhost/127.0.0.1:50000\n'
           'Caused by: java.net.ConnectException: finishConnect(..) failed: Connection refused')


@pytest.mark.parametrize(('text', 'line'), [
    (HARNESS + "transforms.files.storage.RunAborted: no space left on the disk of /out [while running 'WriteImages']\n",
     'no space left on the disk of /out'),
    (HARNESS + "ModuleNotFoundError: No module named 'transforms.run'\n", 'a worker has not this package'),
    (HARNESS + "ModuleNotFoundError: No module named 'pymupdf'\n", 'a worker has not the module pymupdf'),
    ('java.io.IOException: Cannot run program "docker": error=2', '--environment_type=EXTERNAL'),
    ('java.lang.IllegalStateException: Process died with exit code 1', '--artifacts_dir'),
    ('java.lang.OutOfMemoryError: Metaspace', 'jvm-metaspace'),
    ('java.nio.file.NoSuchFileException: /tmp/artifacts/x', '--artifacts_dir')])
def test_faults_that_another_try_would_meet_again(text, line):
    assert line in permanent_fault(text)
    assert permanent_fault(text) == fault_line(text, 'localhost:50000')
    assert '\n' not in permanent_fault(text)


@pytest.mark.parametrize(('text', 'line'), [
    (NO_POOL, 'no worker pool listens at localhost:50000'),
    ('...NoResourceAvailableException: Could not acquire the minimum required resources.', 'no free slots'),
    ('FlinkJobNotFoundException: Could not find Flink job', 'lost the job'),
    (HARNESS + "KeyError: 'x'\nCaused by: java.lang.Exception: again", "KeyError: 'x'"),
    ('java.lang.Exception: a\nCaused by: java.io.IOException: b', 'java.io.IOException: b'), ('', 'no message')])
def test_other_faults(text, line):
    assert permanent_fault(text) == ''
    assert line in fault_line(text, 'localhost:50000')


def test_a_refused_pool_is_told_by_its_port():
    assert pool_refused(NO_POOL, 'localhost:50000')
    assert not pool_refused(NO_POOL, 'localhost:50001')
    assert not pool_refused(NO_POOL, '')
