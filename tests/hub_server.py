"""HubServer: the Hub's conversation over loopback, with a second origin for large files, and faults on demand.

It speaks what huggingface_hub's client asks: dataset info by revision, the tree in pages, paths-info, resolve with
ranges and redirects, LFS etags, and commits with LFS upload. Repositories are folders.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

_RESOLVE = re.compile(r'/datasets/(?P<repo>[^/]+(?:/[^/]+)?)/resolve/(?P<revision>[^/]+)/(?P<path>.+)')
_API = re.compile(r'/api/datasets/(?P<repo>[^/]+/[^/]+?)(?:/(?P<what>revision|tree|paths-info|preupload|commit)/'
                  r'(?P<revision>[^/]+)(?:/(?P<path>.*))?)?$')
_LFS = re.compile(r'/datasets/(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects/batch')


@dataclass
class Asked:
    """One request: what came in, and what the server makes of it."""

    method: str
    path: str
    headers: dict[str, str]
    origin: str
    kind: str = ''


@dataclass
class Repo:
    """A repository: a folder as one commit, and who may read it."""

    folder: Path
    commit: str
    private: bool = False
    gated: bool = False
    moved_to: str = ''
    refs: dict[str, Path] = field(default_factory=dict)
    written: dict[str, bytes] = field(default_factory=dict)
    commits: list[dict] = field(default_factory=list)


class HubServer:
    """A Hub at `url`; `storage_url` is the second origin. `fault(asked)` may return what to do wrong.

    Faults: ('status', code, headers), ('stall', seconds), ('cut', bytes), ('length', bytes too many), ('redirect',),
    ('close',). `token` is the one that private and gated repositories want. `speed` is of all file bodies together, bytes/s; 0: any.
    """

    def __init__(self, lfs_bytes: int = 4096, page: int = 50, speed: float = 0.0) -> None:
        self.speed, self._sent_until = speed, 0.0
        self.repos: dict[str, Repo] = {}
        self.token = 'hf_secretTokenForTests'
        self.lfs_bytes, self.page = lfs_bytes, page
        self.fault: Callable[[Asked], tuple | None] = lambda asked: None
        self.asked: list[Asked] = []
        self.sent = Counter()
        self.open_now = self.most_open = 0
        self.lfs_objects: dict[str, bytes] = {}
        self._hashes: dict[tuple, str] = {}
        self.lock = threading.Lock()
        self._servers = [self._serve('home'), self._serve('storage')]
        self.url, self.storage_url = (f'http://127.0.0.1:{s.server_address[1]}' for s in self._servers)

    def _serve(self, origin: str) -> ThreadingHTTPServer:
        handler = type('Handler', (_Handler,), {'hub': self, 'origin': origin})
        server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def add(self, name: str, folder: Path, **facts: object) -> Repo:
        """Serves a folder as dataset `name`."""
        self.repos[name] = Repo(Path(folder), hashlib.sha1(name.encode()).hexdigest(), **facts)
        return self.repos[name]

    def files(self, repo: Repo, revision: str) -> dict[str, Path]:
        folder = repo.refs.get(revision, repo.folder)
        return {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob('*')) if p.is_file()}

    def etag(self, path: Path) -> str:
        stat = path.stat()
        key = (str(path), stat.st_mtime_ns, stat.st_size)
        if key not in self._hashes:
            data = path.read_bytes()
            large = len(data) >= self.lfs_bytes
            self._hashes[key] = hashlib.sha256(data).hexdigest() if large else \
                hashlib.sha1(f'blob {len(data)}\0'.encode() + data).hexdigest()
        return self._hashes[key]

    def wait_to_send(self, size: int) -> None:
        """Waits until `size` more bytes of a file body may have been sent at the server's speed."""
        if not self.speed:
            return
        with self.lock:
            self._sent_until = max(self._sent_until, time.monotonic()) + size / self.speed
            until = self._sent_until
        time.sleep(max(0.0, until - time.monotonic()))

    @property
    def bytes_sent(self) -> int:
        """Bytes of file bodies, when all answers under way are finished."""
        deadline = time.monotonic() + 2
        while self.open_now and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.sent['file']


@contextmanager
def serving(**settings: object) -> Iterator[HubServer]:
    """A server while the block lasts."""
    server = HubServer(**settings)
    try:
        yield server
    finally:
        server.close()


def now_and_then(share: float, seed: int = 0) -> Callable[[Asked], tuple | None]:
    """Transient faults of every kind in a share of the answers."""
    rng, lock = random.Random(seed), threading.Lock()
    faults = [('status', 429, {'Retry-After': '1'}), ('status', 500, {}), ('status', 503, {}), ('status', 504, {}),
              ('cut', 1000), ('cut', 0), ('close',), ('length', 77), ('stall', 3.0)]

    def fault(asked: Asked) -> tuple | None:
        with lock:
            return rng.choice(faults) if rng.random() < share else None

    return fault


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    origin: str
    protocol_version = 'HTTP/1.1'
    wbufsize = 1 << 16

    def log_message(self, *words: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_PUT = do_GET

    def _answer(self) -> None:
        hub = self.hub
        path = urlsplit(self.path).path
        asked = Asked(self.command, self.path, dict(self.headers.items()), self.origin, _kind(path, self.origin))
        with hub.lock:
            hub.asked.append(asked)
            hub.open_now += 1
            hub.most_open = max(hub.most_open, hub.open_now)
        try:
            length = int(self.headers.get('Content-Length') or 0)
            self._body = self.rfile.read(length) if length else b''
            self._wrong = hub.fault(asked)
            if not self._misbehave():
                self._dispatch(path)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with hub.lock:
                hub.open_now -= 1

    def _misbehave(self) -> bool:
        """Faults that replace the whole answer."""
        wrong = self._wrong
        if not wrong:
            return False
        if wrong[0] == 'status':
            self._send(wrong[1], b'{"error": "as told"}', wrong[2])
        elif wrong[0] == 'close':
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif wrong[0] == 'redirect':
            self._send(302, b'', {'Location': self.path})
        elif wrong[0] == 'stall':
            time.sleep(wrong[1])
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            return False
        return True

    def _dispatch(self, path: str) -> None:
        if self.origin == 'storage':
            self._storage(path)
        elif found := _RESOLVE.match(path):
            self._resolve(unquote(found['repo']), unquote(found['revision']), unquote(found['path']))
        elif found := _LFS.match(path):
            self._lfs_batch()
        elif path == '/api/whoami-v2':
            known = self.headers.get('Authorization') == f'Bearer {self.hub.token}'
            self._send_json({'name': 'me', 'type': 'user'} if known else {'error': 'Invalid token'},
                            status=200 if known else 401)
        elif path == '/api/repos/create':
            self._create_repo()
        elif found := _API.match(path):
            self._api(unquote(found['repo']), found['what'] or 'revision', unquote(found['revision'] or 'main'),
                      unquote(found['path'] or ''))
        else:
            self._send(404, b'{"error": "no such page"}')

    def _repo(self, name: str) -> Repo | None:
        """The repository, if this request may see it; else the answer is sent."""
        hub, repo = self.hub, self.hub.repos.get(name)
        allowed = self.headers.get('Authorization') == f'Bearer {hub.token}'
        if repo and repo.moved_to:
            self._send(307, b'', {'Location': self.path.replace(name, repo.moved_to, 1)})
        elif repo is None or (repo.private and not allowed):
            self._send(401 if not allowed else 404, b'{"error": "Repository not found"}',
                       {'X-Error-Code': 'RepoNotFound', 'X-Error-Message': 'Repository not found'})
        elif repo.gated and not allowed:
            self._send(403 if self.headers.get('Authorization') else 401, b'{"error": "gated"}',
                       {'X-Error-Code': 'GatedRepo', 'X-Error-Message': 'Access to dataset is restricted'})
        else:
            return repo
        return None

    def _known(self, repo: Repo, revision: str) -> bool:
        if revision in ('main', repo.commit, *repo.refs):
            return True
        self._send(404, b'{"error": "Invalid rev id"}', {'X-Error-Code': 'RevisionNotFound'})
        return False

    def _api(self, name: str, what: str, revision: str, path: str) -> None:
        repo = self._repo(name)
        if repo is None:
            return
        if what in ('preupload', 'commit'):
            self._preupload() if what == 'preupload' else self._commit(name, repo)
            return
        if not self._known(repo, revision):
            return
        if what == 'revision':
            sha = hashlib.sha1(revision.encode()).hexdigest() if revision in repo.refs else repo.commit
            repo.refs.update({sha: repo.refs[revision]} if revision in repo.refs else {})
            self._send_json({'_id': '1', 'id': name, 'sha': sha, 'private': repo.private, 'gated': False, 'tags': [],
                             'downloads': 0, 'likes': 0, 'disabled': False, 'siblings': []})
        elif what == 'tree':
            self._tree(repo, revision, path)
        else:
            wanted = json.loads(self._body)['paths'] if self._body[:1] == b'{' else parse_qs(self._body.decode())['paths']
            entries = self._entries(repo, revision, '')
            self._send_json([e for e in entries if e['path'] in wanted])

    def _entries(self, repo: Repo, revision: str, path: str) -> list[dict]:
        files = self.hub.files(repo, revision)
        entries, folders = [], set()
        for name, file in files.items():
            if path and not name.startswith(path + '/'):
                continue
            for parent in Path(name).parents:
                if str(parent) != '.' and str(parent) not in folders and str(parent) != path:
                    folders.add(str(parent))
                    entries.append({'type': 'directory', 'path': str(parent), 'oid': 'a' * 40, 'size': 0})
            size, etag = file.stat().st_size, self.hub.etag(file)
            entry = {'type': 'file', 'path': name, 'size': size, 'oid': etag[:40]}
            if size >= self.hub.lfs_bytes:
                entry['lfs'] = {'oid': etag, 'size': size, 'pointerSize': 130}
            entries.append(entry)
        return entries

    def _tree(self, repo: Repo, revision: str, path: str) -> None:
        entries = self._entries(repo, revision, path)
        if path and not entries:
            self._send(404, b'{"error": "no such entry"}', {'X-Error-Code': 'EntryNotFound'})
            return
        query = parse_qs(urlsplit(self.path).query)
        if query.get('recursive', ['False'])[0].lower() not in ('true', '1'):
            entries = [e for e in entries if '/' not in e['path'][len(path) + bool(path):]]
        start = int(query.get('cursor', ['0'])[0])
        headers = {}
        if start + self.hub.page < len(entries):
            base = urlsplit(self.path).path
            more = f"{self.hub.url}{base}?recursive={query.get('recursive', ['False'])[0]}&cursor={start + self.hub.page}"
            headers['Link'] = f'<{more}>; rel="next"'
        self._send_json(entries[start:start + self.hub.page], headers)

    def _resolve(self, name: str, revision: str, path: str) -> None:
        repo = self._repo(name)
        if repo is None or not self._known(repo, revision):
            return
        file = self.hub.files(repo, revision).get(path)
        if file is None:
            self._send(404, b'', {'X-Error-Code': 'EntryNotFound'})
            return
        etag, size = self.hub.etag(file), file.stat().st_size
        headers = {'X-Repo-Commit': repo.commit, 'Accept-Ranges': 'bytes'}
        if size >= self.hub.lfs_bytes:
            where = f'{self.hub.storage_url}/blobs/{quote(str(file), safe="")}?signature=abc'
            self._send(302, b'', {**headers, 'X-Linked-Etag': f'"{etag}"', 'X-Linked-Size': str(size),
                                  'ETag': '"of-the-redirect"', 'Location': where})
        else:
            self._send_file(file, {**headers, 'ETag': f'"{etag}"'})

    def _storage(self, path: str) -> None:
        if self.headers.get('Authorization'):
            self._send(400, b'a token came to the second origin')
        elif self.command == 'PUT':
            self.hub.lfs_objects[hashlib.sha256(self._body).hexdigest()] = self._body
            self._send(200, b'', {'ETag': '"part"'})
        else:
            file = Path(unquote(path.removeprefix('/blobs/')))
            self._send_file(file, {'ETag': '"of-the-storage"'})

    def _send_file(self, file: Path, headers: dict[str, str]) -> None:
        size = file.stat().st_size
        start, end, status = 0, size, 200
        asked = re.match(r'bytes=(\d*)-(\d*)$', self.headers.get('Range') or '')
        if asked:
            if not asked[1]:
                start = max(0, size - int(asked[2]))
            else:
                start, end = int(asked[1]), min(size, int(asked[2]) + 1) if asked[2] else size
            if start >= size:
                self._send(416, b'', {'Content-Range': f'bytes */{size}'})
                return
            status, headers = 206, {**headers, 'Content-Range': f'bytes {start}-{end - 1}/{size}'}
        wrong = self._wrong or ('',)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header('Content-Length', str(end - start + (wrong[1] if wrong[0] == 'length' else 0)))
        self.end_headers()
        if self.command == 'HEAD':
            return
        stop = min(end, start + wrong[1]) if wrong[0] == 'cut' else end
        self.wfile.flush()
        with open(file, 'rb') as source:
            sent = 0
            while start + sent < stop:
                count = os.sendfile(self.connection.fileno(), source.fileno(), start + sent,
                                    min(1 << 18 if self.hub.speed else 1 << 20, stop - start - sent))
                if not count:
                    break
                sent += count
                self.hub.wait_to_send(count)
                with self.hub.lock:
                    self.hub.sent['file'] += count
        if wrong[0] in ('cut', 'length'):
            self.close_connection = True

    def _create_repo(self) -> None:
        asked = json.loads(self._body)
        if self.headers.get('Authorization') != f'Bearer {self.hub.token}':
            self._send(401, b'{"error": "no token"}')
            return
        name = f"{asked.get('organization') or 'me'}/{asked['name']}"
        status = 409 if name in self.hub.repos else 200
        if status == 200:
            self.hub.add(name, Path('/nonexistent'))
        self._send_json({'url': f'{self.hub.url}/datasets/{name}', 'name': name}, status=status)

    def _preupload(self) -> None:
        files = json.loads(self._body)['files']
        self._send_json({'files': [{'path': f['path'], 'shouldIgnore': False, 'uploadMode':
                                    'lfs' if f['size'] >= self.hub.lfs_bytes else 'regular'} for f in files]})

    def _lfs_batch(self) -> None:
        objects = json.loads(self._body)['objects']
        self._send_json({'transfer': 'basic', 'objects': [
            {'oid': o['oid'], 'size': o['size'], 'authenticated': True, **({} if o['oid'] in self.hub.lfs_objects else {
                'actions': {'upload': {'href': f"{self.hub.storage_url}/upload/{o['oid']}", 'header': {}}}})}
            for o in objects]})

    def _commit(self, name: str, repo: Repo) -> None:
        if self.headers.get('Authorization') != f'Bearer {self.hub.token}':
            self._send(403, b'{"error": "no right to write"}')
            return
        lines = [json.loads(line) for line in self._body.splitlines() if line.strip()]
        for line in lines:
            value = line['value']
            if line['key'] == 'file':
                repo.written[value['path']] = base64.b64decode(value['content'])
            elif line['key'] == 'lfsFile':
                repo.written[value['path']] = self.hub.lfs_objects[value['oid']]
        repo.commits.append(next(line['value'] for line in lines if line['key'] == 'header'))
        self._send_json({'commitUrl': f'{self.hub.url}/datasets/{name}/commit/{"c" * 40}', 'commitOid': 'c' * 40, 'hookOutput': '',
                         'success': True})

    def _send_json(self, content: object, headers: dict[str, str] | None = None, status: int = 200) -> None:
        self._send(status, json.dumps(content).encode(), {'Content-Type': 'application/json', **(headers or {})})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)


def _kind(path: str, origin: str) -> str:
    if origin == 'storage':
        return 'storage'
    return 'resolve' if _RESOLVE.match(path) else 'api'
