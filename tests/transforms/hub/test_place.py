import pytest

from transforms.hub.place import HubPlace


@pytest.mark.parametrize(('url', 'place'), [
    ('hf://datasets/a/b', HubPlace('a/b')),
    ('hf://datasets/a/b/', HubPlace('a/b')),
    ('hf://datasets/a/b/c/d.parquet', HubPlace('a/b', '', 'c/d.parquet')),
    ('hf://datasets/a/b@v1.0/c', HubPlace('a/b', 'v1.0', 'c')),
    ('hf://datasets/a/b@refs/convert/parquet/default/train', HubPlace('a/b', 'refs/convert/parquet', 'default/train')),
    ('hf://datasets/a/b@refs%2Fpr%2F3/c', HubPlace('a/b', 'refs/pr/3', 'c')),
    ('hf://datasets/squad', HubPlace('squad')),
])
def test_parses(url, place):
    assert HubPlace.parse(url) == place
    assert HubPlace.parse(str(place)) == place


@pytest.mark.parametrize('url', ['hf://a/b', 'hf://datasets/', 'hf://datasets/../x', 'gs://datasets/a/b', 'hf://datasets'])
def test_refuses_what_names_no_dataset(url):
    with pytest.raises(ValueError, match='hf://datasets/allenai/olmOCR-mix-1025'):
        HubPlace.parse(url)
