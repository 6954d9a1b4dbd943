"""What can be wrong with the Hub. No record is to blame, so each stops the run, which can be resumed."""

from __future__ import annotations

from transforms.files.abort import RunAborted


class HubFault(RunAborted):
    """The Hub cannot give what was asked for; the message says why and what to do."""


class HubDown(HubFault):
    """No answer, or only errors, for longer than `patience_seconds`."""


class HubChanged(HubFault):
    """A file is another one than was planned with."""


class HubDenied(HubFault):
    """No permission: gated, private, or a token that is missing or wrong."""


class HubMissing(HubFault):
    """No such dataset, revision or file; or, offline, none in the cache."""


class Transient(Exception):
    """A fault that may pass.

    Attributes:
        wait: seconds that the Hub asks to wait, 0 when it does not say.
    """

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait
