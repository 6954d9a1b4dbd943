"""Steps of finishing that must not raise."""

from collections.abc import Callable
from dataclasses import replace

from transforms.accounting.run_summary import RunSummary
from transforms.files.storage import RunAborted


def describe(error: Exception) -> str:
    """One line on an exception: its own words when they were written for people."""
    return str(error) if isinstance(error, RunAborted) else f'{type(error).__name__}: {error}'


def guarded(summary: RunSummary, step: Callable[[RunSummary], RunSummary]) -> RunSummary:
    """Runs one step of finishing; what it raises becomes a problem of the run, and later steps are skipped."""
    if summary.problems:
        return summary
    try:
        return step(summary)
    except Exception as error:  # finishing must end with a run.json whatever happens
        return replace(summary, problems=(*summary.problems, describe(error)))
