"""RunAborted: the one error that is nobody's record."""


class RunAborted(RuntimeError):
    """The surroundings failed (disk full, no permission, the Hub down), not a record: the run stops and can be resumed."""
