"""PrismRunner by choice, and never where DirectRunner is asked for."""

import subprocess
import sys

import pytest

from beam_pipelines import olmocr
from tests.conftest import shared
from tests.helpers import ROOT, assert_same_output, load, run_process

PRISM = ROOT / 'build' / 'prism' / 'prism'
needs_prism = pytest.mark.skipif(not PRISM.exists(), reason='no Prism: make prism')


@needs_prism
@pytest.mark.parametrize('name', ['olmocr', 'convert', 'text_clean', 'llava_cc3m'])
def test_the_same_bytes(tmp_path, name):
    for folder, flags in (('direct', ()), ('prism', ('--runner=PrismRunner', f'--prism_location={PRISM}'))):
        done = run_process(name, f'--output={tmp_path}/{folder}', '--progress=off', *flags)
        assert done.returncode == 0, done.stderr
        assert 'Traceback' not in done.stderr
    assert_same_output(tmp_path / 'direct', tmp_path / 'prism')
    assert load(tmp_path / 'prism' / 'run.json')['sources'] == load(tmp_path / 'direct' / 'run.json')['sources']


@needs_prism
def test_the_mini_data_set(tmp_path):
    source = shared('olmocr_mix_mini')
    for folder, flags in (('direct', ()), ('prism', ('--runner=PrismRunner', f'--prism_location={PRISM}'))):
        assert run_process('olmocr', f'--input={source}', f'--output={tmp_path}/{folder}', '--progress=off', *flags).returncode == 0
    assert_same_output(tmp_path / 'direct', tmp_path / 'prism')


@pytest.mark.parametrize(('flags', 'line'), [
    ((), '--runner=PrismRunner needs --prism_location=PATH of a Prism binary: `make prism` builds one'),
    (('--prism_location=/nowhere/prism',), '--prism_location=/nowhere/prism does not exist')])
def test_which_prism(tmp_path, capsys, flags, line):
    assert olmocr.run(['--runner=PrismRunner', f'--output={tmp_path}/out', *flags]).exit_code == 2
    assert line in capsys.readouterr().err


def test_the_direct_runner_never_looks_for_prism(tmp_path):
    """Beam's own DirectRunner asks PrismRunner first, which downloads: here its module is not even imported."""
    code = '''
import sys
sys.modules['apache_beam.runners.portability.prism_runner'] = None  # importing it fails
from beam_pipelines import olmocr
import subprocess
started = []
create = subprocess.Popen.__init__
def record(self, args, *more, **named):
    started.append(str(args))
    return create(self, args, *more, **named)
subprocess.Popen.__init__ = record
code = olmocr.run(['--runner=DirectRunner', '--output=' + sys.argv[1]]).exit_code
assert not [args for args in started if 'prism' in args], started
sys.exit(code)
'''
    done = subprocess.run([sys.executable, '-c', code, tmp_path / 'out'], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
