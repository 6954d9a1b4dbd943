"""Operation: one kind of work on strangers' bytes, done in a child process of the sandbox.

An operation is one file of its domain: what it needs, what it does, its settings and the names of its errors. The pool and its
children know it by its dotted path alone, so the sandbox imports no domain.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Protocol


class OperationError(Exception):
    """The bytes cannot be worked on: `name` is the error class of the record, the text says what is wrong."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True)
class ErrorNames:
    """What an operation calls the ends that only the sandbox sees.

    Attributes:
        timeout: over the limit of CPU time.
        out_of_memory: over the limit of memory.
        crash: the process died of it.
        damaged: an exception of the library, which raises what it likes on hostile bytes.
    """

    timeout: str
    out_of_memory: str
    crash: str
    damaged: str


class SandboxSettings(Protocol):
    """Settings of operations: a frozen dataclass of JSON values, with these limits among them.

    Attributes:
        cpu_seconds: CPU time for one task.
        memory_bytes: address space of a child process (resident memory where the system has no such limit).
    """

    cpu_seconds: float
    memory_bytes: int


class Operation(ABC):
    """Does one kind of task; made once in each child. Nothing may be kept from one task to the next.

    Args:
        settings: an instance of `Settings`.
    """

    Settings: ClassVar[type]
    errors: ClassVar[ErrorNames]

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def load(self) -> None:  # noqa: B027 - a hook: not every operation has something to import
        """Imports what tasks need, before any clock runs."""

    @abstractmethod
    def run(self, task: dict, payload: bytes) -> tuple[dict, bytes]:
        """Does one task; returns a header of JSON values and bytes.

        Raises:
            OperationError: why it cannot be done.
        """

    def reset(self) -> None:  # noqa: B027 - a hook
        """Forgets the task that was done, or broke off."""

    @classmethod
    def path(cls) -> str:
        """The dotted path by which a child finds the class."""
        return f'{cls.__module__}.{cls.__qualname__}'


def operation_at(path: str) -> type[Operation]:
    """The class at a dotted path."""
    module, _, name = path.rpartition('.')
    return getattr(import_module(module), name)
