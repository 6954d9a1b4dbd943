"""What the documentation tells people to write and run, written and run as it stands there."""

import os
import re
import subprocess
import sys

from tests.helpers import ROOT, lint, load


def blocks(text, language):
    return re.findall(rf'(?:^`([\w/.]+)`:\n\n)?```{language}\n(.*?)```', text, re.DOTALL | re.MULTILINE)


def test_adding_a_dataset(project_copy):
    text = (ROOT / 'docs' / 'adding_a_dataset.md').read_text(encoding='utf-8')
    for path, code in blocks(text, 'python'):
        (project_copy / path).parent.mkdir(exist_ok=True)
        (project_copy / path).write_text(code, encoding='utf-8')
    commands, = (code for _, code in blocks(text, 'sh'))
    printed = []
    for line in commands.splitlines():
        words = line.replace('python', sys.executable, 1).split()
        done = subprocess.run(words, cwd=project_copy, capture_output=True, text=True, check=False, env={**os.environ, 'PYTHONPATH': str(project_copy)})
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    assert 'long_texts' in printed[0]
    assert 'too_short' in printed[2]
    assert load(project_copy / 'output' / 'long' / 'run.json')['totals']['dropped']['too_short'] > 1
    rooms = (project_copy / 'pyproject.toml').read_text().replace('"olmocr | llava_cc3m | render_pdf | text_mix | image_text"', '"long_texts | olmocr | llava_cc3m | render_pdf | text_mix | image_text"')
    (project_copy / 'pyproject.toml').write_text(rooms)
    linted = lint(project_copy)
    assert linted.returncode == 0, linted.stdout


def test_every_file_that_the_way_of_a_record_names_is_there():
    text = (ROOT / 'docs' / 'adding_a_dataset.md').read_text(encoding='utf-8').partition('## The way of a record')[2]
    named = re.findall(r'`((?:[\w]+/)+[\w]+\.py)`', text)
    assert len(named) > 10
    for path in named:
        assert (ROOT / path).exists() or (ROOT / 'transforms' / path).exists(), path
