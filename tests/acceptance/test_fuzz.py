"""No input kills the process: thousands of damaged files through every reader, and footers of strangers."""

import subprocess
import sys

import pytest

from tests.helpers import ROOT

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]


@pytest.mark.parametrize('files', [3000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_readers_survive(tmp_path, files):
    """Each file costs itself; a traceback or a death of the process fails, with the number that repeats it."""
    first = 10_000 if files > 3000 else 0
    done = subprocess.run([sys.executable, '-m', 'tests.fuzz_reading', str(tmp_path), str(first), str(first + files)],
                          cwd=ROOT, capture_output=True, text=True, check=False)
    at = (tmp_path / 'at').read_text()
    assert done.stdout.endswith('all read\n'), f'file {at}: exit code {done.returncode}\n{done.stderr[-2000:]}'
