"""Where files for the Hub wait on the local disk until they are published."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

from transforms.hub.place import HubPlace


def staged_folder(place: HubPlace) -> str:
    """The folder of a repository's waiting files: under BEAM_HUB_STAGING, else the user's temporary folder."""
    base = os.environ.get('BEAM_HUB_STAGING') or os.path.join(tempfile.gettempdir(), f'hub-staging-{os.getuid()}')
    name = place.repo.replace('/', '--') + (f"@{place.revision.replace('/', '--')}" if place.revision else '')
    return os.path.join(base, name)


def staged_path(place: HubPlace) -> str:
    """The local path of one waiting file.

    Raises:
        ValueError: the path leaves the repository.
    """
    if '..' in place.path.split('/') or '\0' in place.path:
        raise ValueError(f'{place} leaves its repository')
    return os.path.join(staged_folder(place), *place.path.split('/'))


def staged_files(place: HubPlace) -> Iterator[tuple[str, int]]:
    """(path in the repository, bytes) of what waits at or below a place, sorted."""
    root = staged_folder(place)
    for base, folders, names in os.walk(staged_path(place)):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(base, name)
            yield os.path.relpath(path, root), os.path.getsize(path)
