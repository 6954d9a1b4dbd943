"""huggingface_hub's errors, of whatever HTTP library it uses, turned into ours in one place."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from transforms.hub import meter
from transforms.hub.errors import HubDenied, HubFault, HubMissing, Transient

_PASSING = frozenset({408, 425, 429})
_WAITS = re.compile(r'(?:Waiting|Retrying in) ([\d.]+)s')


class _CountWaits(logging.Handler):
    """Counts the waits of huggingface_hub, which it makes on its own between the pages of a listing, and tells nobody but its log."""

    def emit(self, record: logging.LogRecord) -> None:
        if found := _WAITS.search(record.getMessage()):
            meter.add_wait(float(found[1]))


@cache
def _count_waits() -> None:
    log = logging.getLogger('huggingface_hub.utils._http')
    log.setLevel(logging.WARNING)
    log.addHandler(_CountWaits())
    log.propagate = logging.getLogger().isEnabledFor(logging.INFO)  # with --verbose people see them as they are



@contextmanager
def translate_hub_errors(refused: str, failed: str) -> Iterator[None]:
    """Turns what huggingface_hub raises in the block into Transient or a HubFault; EntryNotFoundError passes.

    Args:
        refused: the line for 401 and 403.
        failed: the beginning of the line for other answers that will not change, such as 'X cannot be fetched'.
    """
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    _count_waits()
    try:
        yield
    except (HubFault, Transient, EntryNotFoundError):
        raise
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in _PASSING or status >= 500 or not status:
            asked = error.response.headers.get('Retry-After', '') if status else ''
            raise Transient(f'it answered {status}', float(asked) if asked.isdigit() else 0.0) from None
        if status in (401, 403):
            raise HubDenied(refused) from None
        raise HubMissing(f'{failed}: the Hub answered {status}') from None
    except (OSError, RuntimeError, ValueError) as error:
        raise Transient(type(error).__name__) from None
    except Exception as error:
        # Its HTTP library is httpx in one version and httpx2 in the next.
        if not type(error).__module__.startswith('httpx'):
            raise
        if type(error).__name__ == 'TooManyRedirects':
            raise HubDenied(f'{failed}: the Hub sends from one address to the next without end') from None
        raise Transient(type(error).__name__) from None
