"""Addresses as people have them: a dataset's page on the Hub, file://, a home folder, `NAMESPACE/NAME`, to paths as all else here spells them."""

from __future__ import annotations

import os
import re
from urllib.parse import quote, unquote, urlsplit

from transforms.files import storage
from transforms.files.abort import InputError
from transforms.files.paths import is_local
from transforms.hub.path import HubPath
from transforms.hub.settings import DEFAULT_ENDPOINT

_NAME = re.compile(r'[A-Za-z0-9][\w.-]{0,95}\Z', re.ASCII)
_WITH_PATH = frozenset({'tree', 'blob', 'resolve', 'raw', 'blame', 'commits', 'commit'})
_OF_A_PAGE = _WITH_PATH | {'viewer', 'discussions', 'commit', 'settings', 'embed', 'sql-console'}
_REVISION = re.compile(r'(refs/(?:convert/\w+|pr/\d+))(?:/(.*))?\Z', re.DOTALL)


def canonical(address: str | os.PathLike[str]) -> str:
    """A path, or the address of a dataset's page on the Hub, spelt as a path that can be read.

    `https://huggingface.co/datasets/NAMESPACE/NAME/tree/REVISION/PATH` is hf://, `file:///PATH` and `~/PATH` are local.

    Raises:
        ValueError: a web page that is no dataset's, or a file:// of another machine; the message says what to give.
    """
    path = re.sub(r'\A(hf|gs|s3|hdfs|https?|file):/(?!/)', r'\1://', os.fspath(address))  # pathlib.Path makes one slash of two
    if path.startswith('file://'):
        return _local(path)
    if match := re.match(r'(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co|hf-mirror\.com)/', path) or _at_endpoint(path):
        return _of_page(path, path[match.end():])
    if re.match(r'https?://', path, re.IGNORECASE):
        shown = re.sub('//[^/@]*@', '//', path)  # without a password
        raise ValueError(f'{shown} is a web page, which is not read: download the file, or give the page of a dataset on the Hub, '
                         f'{DEFAULT_ENDPOINT}/datasets/NAMESPACE/NAME')
    return os.path.expanduser(path) if path.startswith('~') else path


def _at_endpoint(path: str) -> re.Match[str] | None:
    home = os.environ.get('HF_ENDPOINT', '').rstrip('/')
    return re.match(re.escape(home) + '/', path) if home else None


def _local(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc not in ('', 'localhost') or not parts.path:
        raise ValueError(f'{url} names another machine: a file of this one is file:///PATH, or the path alone')
    return unquote(url.partition('://')[2].removeprefix('localhost'))


def _of_page(url: str, rest: str) -> str:
    """The hf:// path of what stands behind the Hub's address."""
    parts = [unquote(part) for part in rest.split('#')[0].split('?')[0].split('/') if part]
    if len(parts) < 2 or parts[0] != 'datasets':
        raise ValueError(f'{url} is no page of a dataset: models and Spaces are not read, a dataset is {DEFAULT_ENDPOINT}/datasets/'
                         'NAMESPACE/NAME')
    names = parts[1:2] if parts[2:] and parts[2] in _OF_A_PAGE else parts[1:3]
    kind, below = (parts[1 + len(names):] or [''])[0], parts[2 + len(names):]
    revision = ''
    if kind in _WITH_PATH and below:
        match = _REVISION.match('/'.join(below))
        revision, path = (match[1], match[2] or '') if match else (below[0], '/'.join(below[1:]))
        return str(HubPath('/'.join(names), revision if revision != 'main' else '', path if kind not in ('commits', 'commit') else ''))
    return str(HubPath('/'.join(names)))


def missing(path: str) -> str:
    """'PATH does not exist', and where it looks like the name of a dataset on the Hub, how that is written."""
    name = path.removeprefix('./').removeprefix('datasets/').rstrip('/')
    namespace, _, rest = name.partition('@')[0].partition('/')
    if is_local(path) and not name.lower().endswith(('.pdf', '.png', '.jpg', '.jpeg', '.json', '.jsonl', '.parquet', '.csv')) and _NAME.match(namespace) and _NAME.match(rest) and not os.path.exists(namespace):
        return f'{path} does not exist here; the dataset of that name on the Hub is hf://datasets/{name}'
    return f'{path} does not exist'


def check_is_folder(path: str) -> None:
    """Refuses one file of a dataset where its folder is wanted.

    Raises:
        InputError: it is a file; the message names the folder that it lies in.
    """
    if storage.is_file(path):
        folder = path.rpartition('/')[0] or '.'
        above = folder.rpartition('/')[0] if folder.rpartition('/')[2] in ('pdf_tarballs', 'images') else folder
        raise InputError(f'--input {path} is one file of a dataset: give the folder that holds all of it, --input {above or "."}')


def with_slash(hub_path: HubPath) -> str:
    """A hint where what stands behind the @ may be a revision with a slash in its name; '' where it cannot."""
    first = hub_path.path.partition('/')[0]
    return f'; a slash in the name of a revision is written %2F, as in @{quote(hub_path.revision)}%2F{first}' if first else ''
