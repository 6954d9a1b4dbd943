"""The order of rooms is kept by a linter, and the linter sees when it is not."""

import pytest

from tests.helpers import lint


def test_the_rooms_are_in_order(project_copy):
    done = lint(project_copy)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(('module', 'line', 'contract'), [
    ('transforms/files/paths.py', 'import transforms.report.summary', 'Rooms import from those below'),
    ('transforms/hub/path.py', '    import transforms.run.journal', 'Rooms import from those below'),
    ('transforms/run/journal.py', 'from transforms.accounting.outcome import Outcome', 'Rooms import from those below'),
    ('transforms/pdf/settings.py', 'from transforms.llava import conversation', 'Rooms import from those below'),
    ('transforms/llava/validate.py', 'import transforms.olmocr.rows', 'Rooms import from those below'),
    ('transforms/pdf/pages.py', 'import options.render', 'Pipelines use options'),
    ('options/render.py', 'import beam_pipelines.launcher.human', 'Pipelines use options'),
    ('transforms/files/paths.py', 'import transforms.files.storage', 'No circles within a package')])
def test_an_import_upwards_or_in_a_circle_is_red(project_copy, module, line, contract):
    path = project_copy / module
    text = path.read_text()
    path.write_text(f'{text}\n\ndef _late():\n{line}\n' if line.startswith(' ') else f'{line}\n{text}')
    done = lint(project_copy)
    assert done.returncode == 1
    broken = ' '.join(done.stdout.split('Broken contracts')[1].split())
    assert contract in broken


def test_a_room_that_nobody_placed_is_red(project_copy):
    (project_copy / 'transforms' / 'attic').mkdir()
    (project_copy / 'transforms' / 'attic' / '__init__.py').write_text('')
    assert lint(project_copy).returncode != 0
