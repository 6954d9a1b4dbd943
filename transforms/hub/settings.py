"""How a process talks to the Hub. Set once at its start; the token always comes from its own environment."""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

DEFAULT_ENDPOINT = 'https://huggingface.co'
_TRUE, _FALSE = frozenset({'1', 'ON', 'YES', 'TRUE'}), frozenset({'', '0', 'OFF', 'NO', 'FALSE'})


@dataclass(frozen=True)
class HubSettings:
    """Limits of one process.

    Attributes:
        connections: requests under way at one time.
        patience_seconds: seconds without a byte, retries included, before the Hub counts as down. Waits that
            the Hub itself asks for (`Retry-After`) come on top, up to five minutes each.
        cache: folder of the local cache, '' for none.
        cache_bytes: its limit.
    """

    connections: int = 8
    patience_seconds: float = 120.0
    cache: str = ''
    cache_bytes: int = 20 << 30

    def __post_init__(self) -> None:
        if self.connections < 1:
            raise ValueError(f'connections is {self.connections}, must be at least 1')
        if self.patience_seconds <= 0:
            raise ValueError(f'patience_seconds is {self.patience_seconds}, must be more than 0')


_current = HubSettings()


def configure(settings: HubSettings) -> None:
    """Makes these the settings of this process."""
    global _current
    _current = settings


def current() -> HubSettings:
    """What `configure` has set, else the defaults."""
    return _current


def endpoint() -> str:
    """The Hub's address: HF_ENDPOINT, else the public one."""
    return os.environ.get('HF_ENDPOINT', '').rstrip('/') or DEFAULT_ENDPOINT


def environment_fault() -> str:
    """What is wrong with a variable of the environment that reading the Hub depends on, '' for nothing; it names the variable."""
    home = endpoint()
    if not _is_address(home, ('http', 'https')):
        return f'HF_ENDPOINT={home} is no address of the Hub: it must look like {DEFAULT_ENDPOINT}, or be unset'
    for name in ('HF_HUB_DOWNLOAD_TIMEOUT', 'HF_HUB_ETAG_TIMEOUT'):
        value = os.environ.get(name, '')
        # huggingface_hub takes whole numbers only, else it fails when it is imported.
        if value and not re.fullmatch(r'\s*\+?0*[1-9][0-9]*\s*', value):
            return f'{name}={value} must be a whole number of seconds of at least 1, or be unset'
    if (value := os.environ.get('HF_HUB_OFFLINE', '')).upper() not in {*_TRUE, *_FALSE}:
        return f'HF_HUB_OFFLINE={value} must be 1 or 0, or be unset'
    for name in ('REQUESTS_CA_BUNDLE', 'SSL_CERT_FILE'):
        if (path := os.environ.get(name)) and not os.path.isfile(path):
            return f'{name}={path} is no file of certificates: correct it, or unset it'
    for name in ('HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'):
        if (value := os.environ.get(name)) and not _is_proxy(value):
            socks = '; SOCKS needs `pip install socksio`' if value.startswith('socks5') else ''
            return f'{name} is no address of a proxy: it must look like http://HOST:PORT, or be unset{socks}'
    for name in ('HF_HOME', 'HF_HUB_CACHE'):
        if (path := os.environ.get(name)) and os.path.exists(path) and not os.path.isdir(path):
            return f'{name}={path} is no folder: correct it, or unset it'
    if (path := os.environ.get('HF_TOKEN_PATH')) and os.path.exists(path) and not os.path.isfile(path):
        return f'HF_TOKEN_PATH={path} is no file that holds a token: correct it, or unset it'
    for name in ('HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN'):
        if not is_header(os.environ.get(name, '').strip()):  # huggingface_hub takes blanks around it off
            return f'{name} holds a character that no token has (a typographic dash, a blank, an accent): copy it again'
    return ''


def is_header(token: str) -> bool:
    """Whether a token can be sent: a header holds printable ASCII only."""
    return all('!' <= character <= '~' for character in token)


def _is_address(value: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(value)
        return value == value.strip() and bool(parts.hostname) and parts.scheme in schemes and (parts.port is None or parts.port > 0)
    except ValueError:  # no such port, or no such address
        return False


def _is_proxy(value: str) -> bool:
    schemes = ('http', 'https', *(('socks5', 'socks5h') if importlib.util.find_spec('socksio') else ()))
    return _is_address(value if '://' in value else f'http://{value}', schemes)


def is_offline() -> bool:
    """True when HF_HUB_OFFLINE forbids the network."""
    return os.environ.get('HF_HUB_OFFLINE', '').upper() in _TRUE


def read_timeout() -> float:
    """Seconds without a byte after which a connection counts as stalled: HF_HUB_DOWNLOAD_TIMEOUT, else 20."""
    try:
        return max(0.1, float(os.environ.get('HF_HUB_DOWNLOAD_TIMEOUT', '')))
    except ValueError:
        return 20.0
