"""What repositories hold: revisions pinned to commits, listings, sizes. Asked once in a process, kept in the cache."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import orjson

from transforms.files.atomic_file import write_bytes
from transforms.hub.address import with_slash
from transforms.hub.errors import HubDenied, HubMissing
from transforms.hub.library import translate_hub_errors
from transforms.hub.path import HubPath
from transforms.hub.settings import current, endpoint, is_offline
from transforms.hub.transport import HubFile, check_environment, denied, read_token, with_retries

_ASKING_SECONDS = 30.0
_listings: dict[tuple[str, HubPath], dict[str, HubFile]] = {}
_files: dict[tuple[str, HubPath], HubFile | None] = {}
_lock = threading.Lock()


def pin(hub_path: HubPath) -> HubPath:
    """The path at the commit that its revision is now.

    Raises:
        HubMissing: no such dataset or revision, or none in the cache when offline.
        HubDenied: gated or private.
        HubDown: no answer.
        HubDenied: also for a variable of the environment that is wrong, which the message names.
    """
    check_environment()
    if hub_path.is_pinned:
        return hub_path
    cached = _cached_metadata('refs', f'{hub_path.repo}@{hub_path.revision}')
    if is_offline():
        commit = _read_metadata(cached) or _standard_ref(hub_path)
        if not commit:
            raise HubMissing(f'{hub_path} is not in the cache, and HF_HUB_OFFLINE is set: unset it, or run once online '
                             'with --hub_cache')
        return hub_path.at(commit)
    info = _ask(hub_path, lambda api: api.dataset_info(hub_path.repo, revision=hub_path.revision or None,
                                                       timeout=_ASKING_SECONDS, token=read_token() or False))
    _write_metadata(cached, info.sha)
    return hub_path.at(info.sha)


def list_folder(hub_path: HubPath) -> dict[str, HubFile]:
    """Files at or below a pinned path, by path within the repository, sorted; {} where there is nothing.

    Raises:
        HubMissing, HubDenied, HubDown: as `pin`.
    """
    key = (endpoint(), hub_path)
    with _lock:
        files = _listings.get(key)
    if files is None:
        files = _list_offline(hub_path) if is_offline() else _list_online(hub_path)
        with _lock:
            _listings[key] = files
    return files


def find(hub_path: HubPath) -> HubFile | None:
    """The file at a pinned path, None when there is none."""
    with _lock:
        for (home, listed), files in _listings.items():
            if home == endpoint() and listed.repo == hub_path.repo and listed.revision == hub_path.revision \
                    and _is_below(hub_path.path, listed.path):
                return files.get(hub_path.path)
        if (endpoint(), hub_path) in _files:
            return _files[endpoint(), hub_path]
    if not is_offline():
        return _find_online(hub_path)
    return list_folder(hub_path).get(hub_path.path)


def is_folder(hub_path: HubPath) -> bool:
    """Whether anything lies below a pinned path."""
    return any(path != hub_path.path for path in list_folder(hub_path))


def _is_below(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(folder + '/')


def _find_online(hub_path: HubPath) -> HubFile | None:
    infos = _ask(hub_path, lambda api: api.get_paths_info(hub_path.repo, [hub_path.path], revision=hub_path.revision,
                                                          repo_type='dataset', token=read_token() or False))
    file = next((_to_file(hub_path, i) for i in infos if hasattr(i, 'blob_id') and i.path == hub_path.path), None)
    with _lock:
        _files[endpoint(), hub_path] = file
    return file


def _list_online(hub_path: HubPath) -> dict[str, HubFile]:
    from huggingface_hub.errors import EntryNotFoundError

    cached = _cached_metadata('trees', str(hub_path))
    if kept := _read_metadata(cached):  # a commit's listing never changes
        return {path: HubFile(hub_path.within(path), size, etag) for path, size, etag in kept}
    try:
        items = _ask(hub_path, lambda api: list(api.list_repo_tree(
            hub_path.repo, hub_path.path or None, recursive=True, revision=hub_path.revision, repo_type='dataset',
            token=read_token() or False)))
    except EntryNotFoundError:  # a file, or nothing
        file = _find_online(hub_path)
        return {hub_path.path: file} if file else {}
    files = dict(sorted((i.path, _to_file(hub_path, i)) for i in items if hasattr(i, 'blob_id')))
    _write_metadata(cached, [[path, file.size, file.etag] for path, file in files.items()])
    return files


def _list_offline(hub_path: HubPath) -> dict[str, HubFile]:
    for above in (hub_path, *(hub_path.within(str(p)) for p in Path(hub_path.path).parents if str(p) != '.'), hub_path.within('')):
        if (kept := _read_metadata(_cached_metadata('trees', str(above)))) is not None:
            return {path: HubFile(hub_path.within(path), size, etag) for path, size, etag in kept
                    if _is_below(path, hub_path.path)}
    snapshot = _standard_folder(hub_path) / 'snapshots' / hub_path.revision
    if snapshot.is_dir():
        paths = sorted(p for p in snapshot.rglob('*') if p.is_file())
        return {name: HubFile(hub_path.within(name), p.stat().st_size) for p in paths
                if _is_below(name := p.relative_to(snapshot).as_posix(), hub_path.path)}
    raise HubMissing(f'the listing of {hub_path} is not in the cache, and HF_HUB_OFFLINE is set: unset it, or run once '
                     'online with --hub_cache')


def _to_file(hub_path: HubPath, info: object) -> HubFile:
    return HubFile(hub_path.within(info.path), info.size, info.lfs.sha256 if info.lfs else info.blob_id)


def _ask(hub_path: HubPath, question: Callable[[object], object]) -> object:
    """One of huggingface_hub's calls, its errors turned into ours."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    def asked() -> object:
        with translate_hub_errors(denied(str(hub_path)), f'{hub_path} cannot be fetched'):
            try:
                return question(HfApi(endpoint=endpoint(), library_name='beam-training-data'))
            except GatedRepoError:
                raise HubDenied(denied(str(hub_path))) from None
            except RepositoryNotFoundError:
                raise HubMissing(f'there is no dataset {hub_path.repo} on the Hub, or it is private and '
                                 f"{'the token has no right to it' if read_token() else 'no token is set (HF_TOKEN)'}: "
                                 'check the spelling of hf://datasets/NAMESPACE/NAME') from None
            except RevisionNotFoundError:
                raise HubMissing(f'{hub_path.repo} has no revision {hub_path.revision}: check what is behind the @'
                                 f'{with_slash(hub_path)}') from None
            except HFValidationError as error:
                raise HubMissing(f'{hub_path.repo} is no name of a dataset ({error})') from None

    return with_retries(str(hub_path), asked, min(_ASKING_SECONDS, current().patience_seconds))


def _cached_metadata(kind: str, name: str) -> str:
    """Path in the cache of what is known of a revision ('refs') or of a listing ('trees'), '' without a cache."""
    cache = current().cache
    digest = hashlib.sha256(f'{endpoint()} {name}'.encode()).hexdigest()[:32]
    return os.path.join(cache, kind, f'{digest}.json') if cache else ''


def _read_metadata(path: str) -> object:
    try:
        return orjson.loads(Path(path).read_bytes()) if path else None
    except (OSError, ValueError):
        return None


def _write_metadata(path: str, content: object) -> None:
    if path:
        write_bytes(path, orjson.dumps(content))


def _standard_folder(hub_path: HubPath) -> Path:
    """Where huggingface_hub's own tools keep what they downloaded of a dataset."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"datasets--{hub_path.repo.replace('/', '--')}"


def _standard_ref(hub_path: HubPath) -> str:
    try:
        return (_standard_folder(hub_path) / 'refs' / (hub_path.revision or 'main')).read_text().strip()
    except OSError:
        return ''


def downloaded(file: HubFile) -> str:
    """Path of the file in huggingface_hub's own cache, '' when it was not downloaded (whole) before."""
    path = _standard_folder(file.hub_path) / 'snapshots' / file.hub_path.revision / file.hub_path.path
    try:
        return str(path) if path.stat().st_size == file.size else ''
    except OSError:
        return ''
