"""How a process talks to the Hub. Set once at its start; the token always comes from its own environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

DEFAULT_ENDPOINT = 'https://huggingface.co'


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


def is_offline() -> bool:
    """True when HF_HUB_OFFLINE forbids the network."""
    return os.environ.get('HF_HUB_OFFLINE', '').upper() in {'1', 'ON', 'YES', 'TRUE'}


def read_timeout() -> float:
    """Seconds without a byte after which a connection counts as stalled: HF_HUB_DOWNLOAD_TIMEOUT, else 20."""
    try:
        return max(0.1, float(os.environ.get('HF_HUB_DOWNLOAD_TIMEOUT', '')))
    except ValueError:
        return 20.0
