"""olmocr straight from the Hub: the same output as from a folder, also through faults; clear ends where there is none."""

import os
import subprocess
import sys
import time

import pytest

from beam_pipelines import olmocr
from tests.helpers import load
from tests.hub_server import now_and_then

NAME = 'hf://datasets/me/mix'
SMALL = ('--max_size=160', '--progress=off')


@pytest.fixture
def served(hub, dataset):
    return hub.add('me/mix', dataset)


def run(output, *flags, source=NAME):
    return olmocr.run([f'--input={source}', f'--output={output}', *SMALL, *flags])


def files(output):
    """What must be the same wherever the input lies: images and chat files."""
    return {p.relative_to(output).as_posix(): p.read_bytes() for p in sorted(output.rglob('*'))
            if p.is_file() and (p.suffix == '.png' or p.name.startswith('chat'))}


def test_the_same_from_folder_and_hub_and_each_byte_once(hub, served, dataset, tmp_path):
    assert run(tmp_path / 'folder', source=dataset).exit_code == 0
    assert run(tmp_path / 'hub').exit_code == 0
    assert files(tmp_path / 'folder') == files(tmp_path / 'hub')
    account = load(tmp_path / 'hub' / 'run.json')
    assert account['sources'][0]['revision'] == served.commit and account['sources'][0]['source'] == NAME
    assert account['hub']['fetched_bytes'] == hub.bytes_sent
    # Footers and tarballs as small as these are read twice: at the launch and by the worker.
    parquet = sum(p.stat().st_size for p in dataset.glob('*.parquet'))
    assert hub.bytes_sent <= account['hub']['input_bytes'] + parquet


def test_the_same_through_transient_faults(hub, served, dataset, tmp_path):
    assert run(tmp_path / 'folder', source=dataset).exit_code == 0
    hub.fault = now_and_then(0.2, seed=2)
    result = run(tmp_path / 'hub')
    assert result.exit_code == 0, result.message
    assert files(tmp_path / 'folder') == files(tmp_path / 'hub')


def test_the_token_is_in_no_log_error_or_run(hub, served, tmp_path):
    served.private = True
    done = subprocess.run([sys.executable, '-m', 'beam_pipelines.olmocr', f'--input={NAME}', f'--output={tmp_path}/out',
                           '--verbose', *SMALL], capture_output=True, text=True, env={**os.environ, 'HF_TOKEN': hub.token},
                          check=False)
    assert done.returncode == 0, done.stderr
    assert hub.token not in done.stdout + done.stderr
    assert all(hub.token.encode() not in p.read_bytes() for p in (tmp_path / 'out').rglob('*') if p.is_file())
    assert all('Authorization' not in asked.headers for asked in hub.asked if asked.origin == 'storage')


@pytest.mark.parametrize(('source', 'words'), [
    ('hf://datasets/me/mixx', 'no dataset me/mixx on the Hub'),
    ('hf://datasets/me/mix@none', 'no revision none'),
    ('hf://me', 'names no dataset'),
    ('hf://datasets/me/mix/nothing', 'does not exist'),
])
def test_one_line_before_the_start(hub, served, tmp_path, capsys, source, words):
    result = run(tmp_path / 'out', source=source)
    assert result.exit_code == 2 and words in result.message and '\n' not in result.message
    assert not (tmp_path / 'out').exists()


def test_a_hub_that_is_down_before_and_during_the_run(hub, served, tmp_path):
    hub.fault = lambda asked: ('status', 502, {})
    start = time.monotonic()
    assert run(tmp_path / 'out', '--hub_patience=2').exit_code == 2
    assert time.monotonic() - start < 40
    hub.fault = lambda asked: ('status', 502, {}) if 'tar.gz' in asked.path else None
    result = run(tmp_path / 'out', '--hub_patience=1')
    assert result.exit_code == 1 and 'the Hub gave nothing for' in result.message and '\n' not in result.message
    hub.fault = lambda asked: None
    assert run(tmp_path / 'out').exit_code == 0


def test_a_file_that_changes_under_the_run(hub, served, dataset, tmp_path):
    import shutil

    copy = tmp_path / 'copy'
    shutil.copytree(dataset, copy)
    served.folder = copy
    changed = []

    def fault(asked):
        if 'tar.gz' in asked.path and not changed:
            changed.append(1)
            for tarball in (copy / 'pdf_tarballs').iterdir():
                tarball.write_bytes(bytes(reversed(tarball.read_bytes())))

    hub.fault = fault
    result = run(tmp_path / 'out')
    assert result.exit_code == 1 and 'has changed since the run was planned' in result.message


def test_another_commit_with_other_files_is_another_input(hub, served, dataset, tmp_path):
    import shutil

    assert run(tmp_path / 'out').exit_code == 0
    served.commit = 'b' * 40  # the same files under a new commit
    from transforms.hub import filesystem

    filesystem._pinned.cache_clear()
    assert run(tmp_path / 'out').exit_code == 0
    copy = tmp_path / 'copy'
    shutil.copytree(dataset, copy)
    next((copy / 'pdf_tarballs').iterdir()).write_bytes(b'other')
    served.folder, served.commit = copy, 'd' * 40
    filesystem._pinned.cache_clear()
    result = run(tmp_path / 'out')
    assert result.exit_code == 2 and 'input changed' in result.message


def test_the_cache_makes_a_second_run_offline(hub, served, tmp_path, monkeypatch):
    cache = f'--hub_cache={tmp_path}/cache'
    assert run(tmp_path / 'one', cache).exit_code == 0
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    asked = len(hub.asked)
    assert run(tmp_path / 'two', cache).exit_code == 0
    assert files(tmp_path / 'one') == files(tmp_path / 'two') and len(hub.asked) == asked
    result = run(tmp_path / 'three', f'--hub_cache={tmp_path}/empty')
    assert result.exit_code == 2 and 'HF_HUB_OFFLINE' in result.message


def test_an_output_on_the_hub_is_one_commit(hub, served, dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = [f'--input={dataset}', '--output=hf://datasets/me/made', *SMALL]
    result = olmocr.run(flags)
    assert result.exit_code == 2 and 'needs a token' in result.message
    monkeypatch.setenv('HF_TOKEN', 'hf_unknown')
    result = olmocr.run(flags)
    assert result.exit_code == 2 and 'does not know the token' in result.message
    assert olmocr.run([flags[0], '--output=hf://datasets/made', *SMALL]).exit_code == 2
    monkeypatch.setenv('HF_TOKEN', hub.token)
    hub.fault = lambda asked: ('close',) if 'whoami' in asked.path else None
    result = olmocr.run([*flags, '--hub_patience=1'])
    assert result.exit_code == 2 and 'the Hub gave nothing for' in result.message
    hub.fault = lambda asked: ('status', 500, {}) if 'commit' in asked.path else None
    result = olmocr.run([*flags, '--hub_patience=1'])
    assert result.exit_code == 1 and 'publishing hf://datasets/me/made' in result.message
    assert not (tmp_path / 'output' / 'hub' / 'me--made' / '_SUCCESS').exists()
    hub.fault = lambda asked: None
    assert olmocr.run(flags).exit_code == 0
    repo, folder = hub.repos['me/made'], tmp_path / 'output' / 'hub' / 'me--made'
    assert len(repo.commits) == 1
    assert repo.written == {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob('*') if p.is_file()}
    assert {'chat.json', '_SUCCESS', 'run.json', 'manifest.json'} <= set(repo.written)
    assert olmocr.run(flags).exit_code == 0 and len(repo.commits) == 1
