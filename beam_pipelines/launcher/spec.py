"""What the launcher must know of a pipeline, and what it gives back."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import apache_beam as beam

from transforms.files import storage


class UsageError(ValueError):
    """Wrong usage or an unusable input: one line for people, exit code 2."""


@dataclass(frozen=True)
class Context:
    """What the launcher decided before a pipeline's settings are made.

    Attributes:
        flags: the pipeline's own flags, parsed.
        output: output folder.
        work: work folder.
        local_workers: Beam worker processes on this machine, 0 when they are elsewhere.
        cores: cores of this machine that this process may use.
    """

    flags: argparse.Namespace
    output: str
    work: str
    local_workers: int
    cores: int

    @property
    def render_processes(self) -> int:
        """Drawing processes of each Beam worker: as asked for, else the cores shared among the workers.

        0 leaves it to each worker, which knows its own cores.
        """
        asked = getattr(self.flags, 'render_processes', None)
        if not self.local_workers:
            return asked or 0
        return asked or self.flags.num_workers or max(1, self.cores // self.local_workers)

    def place(self, path: str) -> str:
        """A path as workers must be given it: absolute where they have another working directory, pinned on the Hub."""
        if not storage.is_local(path):
            return storage.pin(path)
        return path if self.local_workers else os.path.abspath(path)


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        rows: (what, how much) for people.
        records: records to read, 0 when unknown.
        output_bytes: estimate of what will be written.
        inputs: every input file as (relative path, bytes, modification time).
        source: the input as given.
        revision: Hub commit, '' for files.
        note: a line for people, such as where real data comes from.
        unit: what the progress bar counts.
    """

    rows: tuple[tuple[str, str], ...]
    records: int
    output_bytes: int
    inputs: tuple[tuple[str, int, float], ...]
    source: str
    revision: str = ''
    note: str = ''
    unit: str = 'page'


@dataclass(frozen=True)
class PipelineSpec:
    """A pipeline for the launcher.

    Attributes:
        name: module name under beam_pipelines.
        summary: one line for the list of pipelines.
        about: text for --help: what --input must be, an example.
        options: its options classes, in the order of --help.
        prepare: Context to (settings, plan); raises UsageError or ValueError for an unusable input.
        build: adds the pipeline's steps, given the settings with `run` filled in.
        known: rewrites a finished records table to journal entries, for --retry_failed.
        defaults: flags whose default differs in this pipeline.
    """

    name: str
    summary: str
    about: str
    options: tuple[type, ...]
    prepare: Callable[[Context], tuple[object, Plan]]
    build: Callable[[beam.Pipeline, object], None]
    known: Callable[[object, dict], tuple[str, dict] | None]
    defaults: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Tool:
    """A module of beam_pipelines that runs no pipeline: its name and one line for the list."""

    name: str
    summary: str


@dataclass(frozen=True)
class RunResult:
    """How a run ended.

    Attributes:
        state: 'done', 'failed', 'planned', 'packed' (a jar was made), 'usage' (nothing was started) or 'interrupted'.
        exit_code: 0, 1, 2 or 130.
        accounts: the content of run.json, {} when there is none.
        message: why, when it is not done.
    """

    state: str
    exit_code: int
    accounts: dict = field(default_factory=dict)
    message: str = ''
