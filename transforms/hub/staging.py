"""Where files for the Hub wait on the local disk until they are published."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

from transforms.hub.path import HubPath


def staged_folder(hub_path: HubPath) -> str:
    """The folder of a repository's waiting files: under BEAM_HUB_STAGING, else the user's temporary folder."""
    base = os.environ.get('BEAM_HUB_STAGING') or os.path.join(tempfile.gettempdir(), f'hub-staging-{os.getuid()}')
    name = hub_path.repo.replace('/', '--') + (f"@{hub_path.revision.replace('/', '--')}" if hub_path.revision else '')
    return os.path.join(base, name)


def staged_path(hub_path: HubPath) -> str:
    """The local path of one waiting file.

    Raises:
        ValueError: the path leaves the repository.
    """
    if '..' in hub_path.path.split('/') or '\0' in hub_path.path:
        raise ValueError(f'{hub_path} leaves its repository')
    return os.path.join(staged_folder(hub_path), *hub_path.path.split('/'))


def staged_files(hub_path: HubPath) -> Iterator[tuple[str, int]]:
    """(path in the repository, bytes) of what waits at or below a path, sorted."""
    root = staged_folder(hub_path)
    for base, folders, names in os.walk(staged_path(hub_path)):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(base, name)
            yield os.path.relpath(path, root), os.path.getsize(path)
