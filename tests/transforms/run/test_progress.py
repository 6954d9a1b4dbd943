from beam_pipelines.launcher.progress import ByteCounter, ProgressBar
from transforms.run import progress


def test_bytes_of_all_processes_are_added_up(tmp_path, monkeypatch):
    work = str(tmp_path)
    monkeypatch.setattr(progress, '_SECONDS', 0)
    monkeypatch.setattr(progress, '_DONE', {})
    assert progress.done_bytes(work) == 0
    progress.add_done(work, 5)
    progress.add_done(work, 7)
    monkeypatch.setattr(progress, '_DONE', {})  # as another process
    progress.add_done(work, 100)
    assert progress.done_bytes(work) == 112


def test_nothing_is_left_in_a_folder_that_finishing_has_removed(tmp_path):
    progress.add_done(str(tmp_path / 'gone'), 5)
    assert not (tmp_path / 'gone').exists()


def test_the_bar_counts_bytes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, '_SECONDS', 0)
    progress.add_done(str(tmp_path), 3 << 20)
    with ProgressBar(ByteCounter(str(tmp_path)), 4 << 20, 'B', 'on') as bar:
        assert bar.done() == 3 << 20
        bar._move()
    assert '3.00M/4.00M' in capsys.readouterr().err


def test_a_second_run_in_one_process_counts_from_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, '_SECONDS', 0)
    progress.add_done(str(tmp_path), 5)
    (tmp_path / progress.FOLDER).rename(tmp_path / 'gone')
    progress.restart()
    progress.add_done(str(tmp_path), 3)
    assert progress.done_bytes(str(tmp_path)) == 3
