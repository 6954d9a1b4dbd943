"""What repositories hold: revisions pinned to commits, listings, sizes. Asked once in a process, kept in the cache."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import orjson

from transforms.hub.errors import HubDenied, HubMissing
from transforms.hub.library import library_faults
from transforms.hub.place import HubPlace
from transforms.hub.settings import current, endpoint, is_offline
from transforms.hub.transport import HubFile, ask_patiently, denied, read_token

_ASKING_SECONDS = 30.0
_listings: dict[tuple[str, HubPlace], dict[str, HubFile]] = {}
_found: dict[tuple[str, HubPlace], HubFile | None] = {}
_lock = threading.Lock()


def pin(place: HubPlace) -> HubPlace:
    """The place at the commit that its revision is now.

    Raises:
        HubMissing: no such dataset or revision, or none in the cache when offline.
        HubDenied: gated or private.
        HubDown: no answer.
    """
    if place.is_pinned:
        return place
    note = _note('refs', f'{place.repo}@{place.revision}')
    if is_offline():
        commit = _read_note(note) or _standard_ref(place)
        if not commit:
            raise HubMissing(f'{place} is not in the cache, and HF_HUB_OFFLINE is set: unset it, or run once online '
                             'with --hub_cache')
        return place.at(commit)
    info = _ask(place, lambda api: api.dataset_info(place.repo, revision=place.revision or None,
                                                    timeout=_ASKING_SECONDS, token=read_token() or False))
    _write_note(note, info.sha)
    return place.at(info.sha)


def list_folder(place: HubPlace) -> dict[str, HubFile]:
    """Files at or below a pinned place, by path within the repository, sorted; {} where there is nothing.

    Raises:
        HubMissing, HubDenied, HubDown: as `pin`.
    """
    key = (endpoint(), place)
    with _lock:
        found = _listings.get(key)
    if found is None:
        found = _list_offline(place) if is_offline() else _list_online(place)
        with _lock:
            _listings[key] = found
    return found


def find(place: HubPlace) -> HubFile | None:
    """The file at a pinned place, None when there is none."""
    with _lock:
        for (home, listed), files in _listings.items():
            if home == endpoint() and listed.repo == place.repo and listed.revision == place.revision \
                    and _is_below(place.path, listed.path):
                return files.get(place.path)
        if (endpoint(), place) in _found:
            return _found[endpoint(), place]
    if not is_offline():
        return _find_online(place)
    return list_folder(place).get(place.path)


def is_folder(place: HubPlace) -> bool:
    """Whether anything lies below a pinned place."""
    return any(path != place.path for path in list_folder(place))


def _is_below(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(folder + '/')


def _find_online(place: HubPlace) -> HubFile | None:
    infos = _ask(place, lambda api: api.get_paths_info(place.repo, [place.path], revision=place.revision,
                                                       repo_type='dataset', token=read_token() or False))
    file = next((_to_file(place, i) for i in infos if hasattr(i, 'blob_id') and i.path == place.path), None)
    with _lock:
        _found[endpoint(), place] = file
    return file


def _list_online(place: HubPlace) -> dict[str, HubFile]:
    from huggingface_hub.errors import EntryNotFoundError

    note = _note('trees', str(place))
    if kept := _read_note(note):  # a commit's listing never changes
        return {path: HubFile(place.within(path), size, etag) for path, size, etag in kept}
    try:
        items = _ask(place, lambda api: list(api.list_repo_tree(
            place.repo, place.path or None, recursive=True, revision=place.revision, repo_type='dataset',
            token=read_token() or False)))
    except EntryNotFoundError:  # a file, or nothing
        file = _find_online(place)
        return {place.path: file} if file else {}
    files = {i.path: _to_file(place, i) for i in items if hasattr(i, 'blob_id')}
    found = dict(sorted(files.items()))
    _write_note(note, [[path, file.size, file.etag] for path, file in found.items()])
    return found


def _list_offline(place: HubPlace) -> dict[str, HubFile]:
    for above in (place, *(place.within(str(p)) for p in Path(place.path).parents if str(p) != '.'), place.within('')):
        if (kept := _read_note(_note('trees', str(above)))) is not None:
            return {path: HubFile(place.within(path), size, etag) for path, size, etag in kept
                    if _is_below(path, place.path)}
    snapshot = _standard_folder(place) / 'snapshots' / place.revision
    if snapshot.is_dir():
        paths = sorted(p for p in snapshot.rglob('*') if p.is_file())
        return {name: HubFile(place.within(name), p.stat().st_size) for p in paths
                if _is_below(name := p.relative_to(snapshot).as_posix(), place.path)}
    raise HubMissing(f'the listing of {place} is not in the cache, and HF_HUB_OFFLINE is set: unset it, or run once '
                     'online with --hub_cache')


def _to_file(place: HubPlace, info: object) -> HubFile:
    return HubFile(place.within(info.path), info.size, info.lfs.sha256 if info.lfs else info.blob_id)


def _ask(place: HubPlace, question: Callable[[object], object]) -> object:
    """One of huggingface_hub's calls, its errors turned into ours."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    def asked() -> object:
        with library_faults(denied(str(place)), f'{place} cannot be had'):
            try:
                return question(HfApi(endpoint=endpoint(), library_name='beam-training-data'))
            except GatedRepoError:
                raise HubDenied(denied(str(place))) from None
            except RepositoryNotFoundError:
                raise HubMissing(f'there is no dataset {place.repo} on the Hub, or it is private and '
                                 f"{'the token has no right to it' if read_token() else 'no token is set (HF_TOKEN)'}: "
                                 'check the spelling of hf://datasets/NAMESPACE/NAME') from None
            except RevisionNotFoundError:
                raise HubMissing(f'{place.repo} has no revision {place.revision}: check what is behind the @') from None
            except HFValidationError as error:
                raise HubMissing(f'{place.repo} is no name of a dataset ({error})') from None

    return ask_patiently(str(place), asked, min(_ASKING_SECONDS, current().patience_seconds))


def _note(kind: str, name: str) -> str:
    cache = current().cache
    digest = hashlib.sha256(f'{endpoint()} {name}'.encode()).hexdigest()[:32]
    return os.path.join(cache, kind, f'{digest}.json') if cache else ''


def _read_note(path: str) -> object:
    try:
        return orjson.loads(Path(path).read_bytes()) if path else None
    except (OSError, ValueError):
        return None


def _write_note(path: str, content: object) -> None:
    from transforms.files.storage import write_bytes

    if path:
        write_bytes(path, orjson.dumps(content))


def _standard_folder(place: HubPlace) -> Path:
    """Where huggingface_hub's own tools keep what they downloaded of a dataset."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"datasets--{place.repo.replace('/', '--')}"


def _standard_ref(place: HubPlace) -> str:
    try:
        return (_standard_folder(place) / 'refs' / (place.revision or 'main')).read_text().strip()
    except OSError:
        return ''


def downloaded(file: HubFile) -> str:
    """Path of the file in huggingface_hub's own cache, '' when it was not downloaded (whole) before."""
    path = _standard_folder(file.place) / 'snapshots' / file.place.revision / file.place.path
    try:
        return str(path) if path.stat().st_size == file.size else ''
    except OSError:
        return ''
