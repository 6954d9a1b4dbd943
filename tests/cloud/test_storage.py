"""Places in Cloud Storage by the real client: names with the characters of globs, and what consoles leave."""

import os

import pytest

from tests.cloud.conftest import BUCKET

HOME = f'gs://{BUCKET}/places'


@pytest.fixture(scope='module')
def storage(store):
    """Our storage, in this process."""
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    from transforms.files import storage

    os.environ.update(store.environment)
    FileSystems.set_options(PipelineOptions([]))
    for name in ('in[1]/a', 'out2/x', 'st*r/a', 'stAr/b', 'q?/a', 'qx/b', 'ä é/ü', 'h#a/x', 'console/', 'console/f'):
        with storage.atomic_writer(f'{HOME}/{name}') as file:
            file.write(b'' if name.endswith('/') else b'x')
    return storage


@pytest.mark.parametrize(('folder', 'names'), [
    ('in[1]', ['a']), ('out', []), ('out2', ['x']), ('st*r', ['a']), ('q?', ['a']), ('ä é', ['ü']), ('h#a', ['x']), ('console', ['f']), ('nothing', [])])
def test_a_folder_is_what_its_name_says(storage, folder, names):
    place = f'{HOME}/{folder}'
    assert [info.path[len(place) + 1:] for info in storage.list_files(place)] == names
    assert storage.exists(place) is bool(names)
    assert not storage.is_file(place)
    for name in names:
        assert storage.is_file(f'{place}/{name}') and storage.info_of(f'{place}/{name}').size == 1


def test_a_file_whose_writer_fails_does_not_appear(storage):
    for size in (10, 20_000_000):
        with pytest.raises(RuntimeError), storage.atomic_writer(f'{HOME}/cut') as file:
            file.write(b'x' * size)
            raise RuntimeError
        assert not storage.exists(f'{HOME}/cut')
    with storage.atomic_writer(f'{HOME}/empty'):
        pass
    assert storage.read_bytes(f'{HOME}/empty') == b''
