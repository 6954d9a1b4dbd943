"""Bytes of one file from the Hub, by range: retried, resumed where they broke off, and checked to be the right file's.

A file's address answers with its bytes or sends on to a storage service, another origin, which never sees the token.
The redirect's target is remembered for the file until it refuses.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from transforms.hub import meter
from transforms.hub.backoff import Backoff
from transforms.hub.errors import HubChanged, HubDenied, HubMissing, Transient
from transforms.hub.path import HubPath
from transforms.hub.settings import current, endpoint, environment_fault, is_header, is_offline, read_timeout

_LOG = logging.getLogger(__name__)
_PIECE = 1 << 20
_CONNECT_SECONDS = 10.0
_MAX_HOPS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_REFUSED = frozenset({400, 401, 403, 404, 410})


@dataclass(frozen=True)
class HubFile:
    """One file at one commit.

    Attributes:
        hub_path: where; its revision is a commit.
        size: bytes.
        etag: hash of its content as the Hub names it (sha256 of large files, git's sha1 of others).
    """

    hub_path: HubPath
    size: int
    etag: str = ''

    @property
    def url(self) -> str:
        """The address that the Hub serves it under."""
        hub_path = self.hub_path
        return f"{endpoint()}/datasets/{hub_path.repo}/resolve/{quote(hub_path.revision, safe='')}/{quote(hub_path.path)}"


class Transport:
    """Fetches ranges with at most `connections` requests under way."""

    def __init__(self) -> None:
        settings = current()
        self._patience_seconds = settings.patience_seconds
        self._slots = threading.BoundedSemaphore(settings.connections)
        self._workers = ThreadPoolExecutor(settings.connections, thread_name_prefix='hub')
        self._connections = settings.connections
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._redirected: dict[str, str] = {}
        self._lock = threading.Lock()

    def submit(self, file: HubFile, start: int, end: int) -> Future:
        """A future of the bytes [start, end)."""
        return self._workers.submit(self.fetch, file, start, end)

    def call(self, action: Callable[[int, int], bytes], start: int, end: int) -> Future:
        """A future of `action(start, end)`, run where fetching is."""
        return self._workers.submit(action, start, end)

    def fetch(self, file: HubFile, start: int, end: int) -> bytes:
        """The bytes [start, end) of `file`.

        Raises:
            HubDown: nothing arrives for longer than `patience_seconds`.
            HubChanged: another file is there now.
            HubDenied: no permission.
            HubMissing: it is gone, or the network is switched off.
        """
        if is_offline():
            raise HubMissing(f'{file.hub_path} (bytes {start} to {end}) is not in the cache, and HF_HUB_OFFLINE is set: '
                             'unset it, or run once online with the same --hub_cache')
        pieces: list[bytes] = []
        at = start
        backoff = Backoff(self._patience_seconds, str(file.hub_path))
        while at < end:
            try:
                with self._slots:
                    for piece in self._pieces(file, at, end):
                        pieces.append(piece)
                        at += len(piece)
                        meter.add(len(piece))
                        backoff.restart()
            except Transient as fault:
                backoff.wait(fault)
        return pieces[0] if len(pieces) == 1 else b''.join(pieces)

    def _pieces(self, file: HubFile, start: int, end: int) -> Iterator[bytes]:
        response = None
        try:
            response = self._open(file, start, end)
            left = end - start
            while left:
                piece = response.read1(min(_PIECE, left))
                if not piece:
                    raise Transient(f'the body ended {left} bytes too early')
                left -= len(piece)
                yield piece
        except (urllib3.exceptions.HTTPError, ValueError) as error:  # ValueError: an address that is none
            raise Transient(f'{type(error).__name__}') from None
        finally:
            if response is not None:
                response.release_conn() if not response.length_remaining else response.close()

    def _open(self, file: HubFile, start: int, end: int) -> urllib3.BaseHTTPResponse:
        """An answer whose body begins with byte `start`, of the very file that is wanted."""
        url = self._redirected.get(file.url, file.url)
        for _ in range(_MAX_HOPS + 1):
            response = self._get(url, {'Range': f'bytes={start}-{end - 1}', 'Accept-Encoding': 'identity'})
            if _is_home(url):
                _check_identity(file, response)
            if response.status not in _REDIRECTS:
                break
            response.drain_conn()
            url = urljoin(url, response.headers.get('Location', ''))
            if not _is_home(url):
                self._redirected[file.url] = url
        else:
            raise HubDenied(f'{file.hub_path}: the Hub sends from one address to the next without end ({_MAX_HOPS} times)')
        self._check_status(file, response, url)
        _check_range(file, response, start, end)
        return response

    def _get(self, url: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        if _is_home(url) and (token := read_token()):
            headers = {**headers, 'Authorization': f'Bearer {token}'}
        return self._pool(url).request('GET', url, headers=headers, redirect=False, retries=False, preload_content=False,
                                       timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=read_timeout()))

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        proxy = '' if proxy_bypass(parts.hostname or '') else getproxies().get(parts.scheme, '')
        with self._lock:
            if proxy not in self._pools:
                options = {'maxsize': self._connections, 'cert_reqs': 'CERT_REQUIRED', 'ca_certs': _certificates(),
                           'headers': {'User-Agent': _user_agent()}}
                self._pools[proxy] = urllib3.ProxyManager(proxy, **options) if proxy else \
                    urllib3.PoolManager(**options)
            return self._pools[proxy]

    def _check_status(self, file: HubFile, response: urllib3.BaseHTTPResponse, url: str) -> None:
        status = response.status
        if status in (200, 206):
            return
        response.close()
        if not _is_home(url) and status in _REFUSED:
            self._redirected.pop(file.url, None)  # its signature has run out: ask at home again
            raise Transient(f'the storage behind the Hub answered {status}')
        if status in _PASSING or status >= 500:
            raise Transient(f'it answered {status}', _asked_wait(response.headers))
        if status == 416:
            raise HubChanged(f'{file.hub_path} has fewer bytes than the {file.size} it was listed with: it has changed. '
                             'Start again')
        if status in (401, 403):
            raise HubDenied(denied(str(file.hub_path)))
        raise HubMissing(f'{file.hub_path} cannot be fetched: the Hub answered {status}')


def _check_identity(file: HubFile, response: urllib3.BaseHTTPResponse) -> None:
    """Whether the Hub speaks of the file that was planned with."""
    etag = response.headers.get('X-Linked-Etag') or response.headers.get('ETag') or ''
    etag = etag.removeprefix('W/').strip('"')
    if response.status < 400 and file.etag and etag and etag != file.etag:
        response.close()
        raise HubChanged(f'{file.hub_path} has changed since the run was planned (it was {file.etag[:12]}, now '
                         f'{etag[:12]}). Start again with another --output, or pin the revision with @COMMIT')


def _check_range(file: HubFile, response: urllib3.BaseHTTPResponse, start: int, end: int) -> None:
    total, first, length = file.size, 0, response.headers.get('Content-Length', '')
    if response.status == 206:
        words = response.headers.get('Content-Range', '').removeprefix('bytes ').partition('/')
        try:
            first, total = int(words[0].partition('-')[0]), int(words[2])
        except ValueError:
            first = -1
    elif length.isdigit():
        total = int(length)
    if response.status == 206 and total != file.size and first >= 0:
        response.close()
        raise HubChanged(f'{file.hub_path} has {total} bytes now, it was listed with {file.size}: it has changed. '
                         'Start again')
    if first != start or total != file.size or (response.status == 206 and length.isdigit()
                                                and int(length) != end - start):
        response.close()
        raise Transient(f'it answered with other bytes than the range {start}-{end - 1}')


def _asked_wait(headers: object) -> float:
    """Seconds of Retry-After, or of the Hub's RateLimit header."""
    asked = headers.get('Retry-After', '').strip()
    if asked.isdigit():
        return float(asked)
    if asked:
        from email.utils import parsedate_to_datetime
        from time import time

        try:
            return max(0.0, parsedate_to_datetime(asked).timestamp() - time())
        except ValueError:
            return 0.0
    left = headers.get('RateLimit', '').replace(' ', '').partition(';r=0;t=')[2]
    return float(left) if left.isdigit() else 0.0


def denied(what: str) -> str:
    """What to do about a refusal: set a token, or accept the conditions of a gated dataset."""
    hint = 'the token has no right to it, or its conditions are not accepted yet on its page' if read_token() else \
        'no token is set: set HF_TOKEN, or log in with `hf auth login`, where this process runs'
    return f'{what} is gated or private, and {hint}'


def read_token() -> str:
    """The token of this process's own environment or login cache, '' for none."""
    from huggingface_hub import get_token

    return get_token() or ''


def check_environment() -> None:
    """Looks at the variables that reading the Hub depends on, and at the token; no network.

    Raises:
        HubDenied: one is wrong, and would else come out as a Hub that does not answer; the message names it.
    """
    if fault := environment_fault() or ('' if is_header(read_token()) else
                                        'the token of `hf auth login` holds a character that no token has: log in again'):
        raise HubDenied(fault)


def _is_home(url: str) -> bool:
    return urlsplit(url)[:2] == urlsplit(endpoint())[:2]


@lru_cache(1)
def _certificates() -> str | None:
    if named := os.environ.get('REQUESTS_CA_BUNDLE') or os.environ.get('SSL_CERT_FILE'):
        return named
    import certifi

    return certifi.where()


@lru_cache(1)
def _user_agent() -> str:
    return f"beam-training-data/{version('beam-training-data')}"


_transports: dict[tuple, Transport] = {}
_guard = threading.Lock()


def transport() -> Transport:
    """This process's transport; a forked child gets its own."""
    key = (os.getpid(), current())
    with _guard:
        if key not in _transports:
            check_environment()  # a worker has an environment of its own
            _transports[key] = Transport()
        return _transports[key]


def with_retries(what: str, question: Callable[[], object], seconds: float) -> object:
    """The answer to a question of huggingface_hub's, asked again while faults pass."""
    backoff = Backoff(seconds, what)
    while True:
        try:
            return question()
        except Transient as fault:
            backoff.wait(fault)
