import pytest

from transforms.hub.path import HubPath


@pytest.mark.parametrize(('url', 'place'), [
    ('hf://datasets/a/b', HubPath('a/b')),
    ('hf://datasets/a/b/', HubPath('a/b')),
    ('hf://datasets/a/b/c/d.parquet', HubPath('a/b', '', 'c/d.parquet')),
    ('hf://datasets/a/b@v1.0/c', HubPath('a/b', 'v1.0', 'c')),
    ('hf://datasets/a/b@refs/convert/parquet/default/train', HubPath('a/b', 'refs/convert/parquet', 'default/train')),
    ('hf://datasets/a/b@refs%2Fpr%2F3/c', HubPath('a/b', 'refs/pr/3', 'c')),
    ('hf://datasets/squad', HubPath('squad')),
])
def test_parses(url, place):
    assert HubPath.parse(url) == place
    assert HubPath.parse(str(place)) == place


@pytest.mark.parametrize('url', ['hf://a/b', 'hf://datasets/', 'hf://datasets/../x', 'gs://datasets/a/b', 'hf://datasets'])
def test_refuses_what_names_no_dataset(url):
    with pytest.raises(ValueError, match='hf://datasets/allenai/olmOCR-mix-1025'):
        HubPath.parse(url)
