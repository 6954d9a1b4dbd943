"""RunAborted and InputError: errors that belong to no single record."""


class RunAborted(RuntimeError):
    """Storage, permissions or the Hub failed, not a record: the run stops and can be resumed."""


class InputError(ValueError):
    """The input cannot be used; the message says why and what to do."""
