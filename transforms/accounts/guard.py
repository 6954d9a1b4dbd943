"""Steps of finishing that must not raise."""

from collections.abc import Callable
from dataclasses import replace

from transforms.accounts.ledger import Ledger
from transforms.files.storage import RunAborted


def describe(error: Exception) -> str:
    """One line on an exception: its own words when they were written for people."""
    return str(error) if isinstance(error, RunAborted) else f'{type(error).__name__}: {error}'


def guarded(ledger: Ledger, step: Callable[[Ledger], Ledger]) -> Ledger:
    """Runs one step of finishing; what it raises becomes a problem of the run, and later steps are skipped."""
    if ledger.problems:
        return ledger
    try:
        return step(ledger)
    except Exception as error:  # finishing must end with a run.json whatever happens
        return replace(ledger, problems=(*ledger.problems, describe(error)))
