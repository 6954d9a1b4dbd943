"""The same decision from every runner that works on one machine, with blocks in files and inline."""

import subprocess
import sys

import pytest

from tests.flink import EMBEDDED, needs_flink
from tests.helpers import ROOT

RUNNERS = [
    pytest.param(('--runner=DirectRunner', '--direct_running_mode=multi_processing', '--direct_num_workers=2'), id='multi'),
    pytest.param(('--runner=PortableRunner', '--job_endpoint=embed', '--environment_type=LOOPBACK'), id='portable'),
    pytest.param(EMBEDDED, id='flink', marks=needs_flink)]


@pytest.mark.parametrize('flags', RUNNERS)
@pytest.mark.parametrize('decision', ['duplicates', 'ranks', 'kth', 'threshold', 'groups', 'sample'])
def test_the_same_answer_from_every_runner(tmp_path, decision, flags):
    for name, runner in (('direct', ('--runner=DirectRunner',)), ('out', flags), ('inline', (*flags, '--inline'))):
        subprocess.run([sys.executable, '-m', 'tests.decide', decision, 'random', '600000', str(tmp_path / name), f'--work={tmp_path}/work',
                        *runner], check=True, capture_output=True, cwd=ROOT)
    assert (tmp_path / 'direct').read_bytes() == (tmp_path / 'out').read_bytes() == (tmp_path / 'inline').read_bytes()
