"""A retry: what it may change, what it says, and when the same command would end the same way."""

import shutil

import pymupdf
import pytest

from beam_pipelines import olmocr, render_pdf
from tests.conftest import shared
from tests.helpers import assert_balanced, load, records, run_process


@pytest.fixture
def folder(tmp_path):
    """A whole PDF, and one whose cross references are gone: MuPDF has to repair it, and pdfium cannot."""
    root = tmp_path / 'in'
    root.mkdir()
    document = pymupdf.open()
    document.new_page().insert_text((72, 72), 'text')
    data = document.tobytes()
    (root / 'whole.pdf').write_bytes(data)
    broken = data[:data.rindex(b'xref')].replace(b'startxref', b'')
    (root / 'broken.pdf').write_bytes(broken)
    return root


def run(folder, output, *flags):
    return render_pdf.run([f'--input={folder}', f'--output={output}', '--max_size=100', '--progress=off', '--pdf_engine=mupdf', *flags])


def test_what_decides_failures_alone_may_differ(folder, tmp_path, capsys):
    first = run(folder, tmp_path / 'out', '--repaired=fail')
    assert first.accounts['totals']['failed'] == {'RepairedPdf': 1}
    assert run(folder, tmp_path / 'out', '--repaired=keep').exit_code == 2, 'without --retry_failed it is another run'
    assert run(folder, tmp_path / 'out', '--repaired=keep', '--retry_failed', '--max_size=120').exit_code == 2
    capsys.readouterr()
    result = run(folder, tmp_path / 'out', '--repaired=keep', '--retry_failed')
    assert result.exit_code == 0 and 'retried: 1 failed record, 1 mended' in capsys.readouterr().out
    assert result.accounts['retried'] == {'records': 1, 'mended': 1}
    assert_balanced(result.accounts)
    assert result.accounts['seconds'] > first.accounts['seconds'], 'the whole time'
    assert {row['outcome'] for row in records(tmp_path / 'out').values()} == {'written'}
    assert load(tmp_path / 'out' / 'run.json')['options']['repaired'] == 'keep'
    assert run(folder, tmp_path / 'out', '--repaired=keep').exit_code == 0, 'complete already'


def test_the_same_command_would_end_the_same_way(tmp_path):
    done = run_process('olmocr', f'--output={tmp_path}/out', '--max_size=100', '--max_failures=0', '--progress=off')
    assert done.returncode == 1 and 'would end the same way' in done.stderr and 'resumes' not in done.stderr
    again = run_process('olmocr', f'--output={tmp_path}/out', '--max_size=100', '--max_failures=4', '--progress=off')
    assert again.returncode == 0, 'a higher limit decides no bytes'


def test_a_filter_that_leaves_nothing_says_what_there_is(tmp_path, capsys):
    result = olmocr.run([f'--output={tmp_path}/out', '--language=Vietnamese', '--progress=off'])
    assert result.exit_code == 1 and not (tmp_path / 'out' / '_SUCCESS').exists()
    assert '25 dropped as language (there are en 20' in result.message and 'vi 1' in result.message
    assert 'would end the same way' in capsys.readouterr().err


def test_the_plan_comes_near(tmp_path):
    dataset = shared('olmocr_mix_mini')
    for flags in (('--max_size=1024',), ('--language=vi',), ('--limit=1',)):
        output = tmp_path / 'out'
        shutil.rmtree(output, ignore_errors=True)
        done = run_process('olmocr', f'--input={dataset}', f'--output={output}', *flags, '--progress=off')
        assert done.returncode == 0
        said = next(line for line in done.stdout.splitlines() if line.startswith('write')).rpartition(', ')[2]
        number, unit = said.split()
        written = sum(path.stat().st_size for path in output.rglob('*') if path.is_file())
        assert 1 / 1.5 < float(number) * {'KB': 1e3, 'MB': 1e6}[unit] / written < 1.5, (flags, said, written)
