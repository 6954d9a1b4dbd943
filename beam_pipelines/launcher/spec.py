"""What the launcher must know of a pipeline, and what it gives back."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam

from options.context import Context
from transforms.run.source import Part, Source


class UsageError(ValueError):
    """Wrong usage or an unusable input: one line for people, exit code 2."""


@dataclass(frozen=True)
class Plan:
    """What a run reads and writes, known before it starts.

    Attributes:
        rows: (what, how much) for people.
        inputs: every input file as (relative path, bytes, fingerprint).
        output_bytes: estimate of what will be written.
        total: how many of `counted` there are to work off, for the progress bar; 0 when unknown.
        counted: what the bar counts: records, under the name that they have here, or bytes of the input, 'B', in a pipeline that
            works part by part.
        sources: what is read, by number.
        parts: how the accounts are cut, by number.
    """

    rows: tuple[tuple[str, str], ...]
    inputs: tuple[tuple[str, int, float | str], ...]
    output_bytes: int
    total: int = 0
    counted: str = 'record'
    sources: tuple[Source, ...] = (Source(),)
    parts: tuple[Part, ...] = (Part(),)


@dataclass(frozen=True)
class PipelineSpec:
    """A pipeline for the launcher.

    Attributes:
        name: module name under beam_pipelines.
        summary: one line for the list of pipelines.
        about: text for --help: what --input must be, an example.
        options: its options classes, in the order of --help.
        settings: makes the settings; raises ValueError for flags or an input that cannot be used.
        plan: says what a run with these settings will do.
        build: adds the pipeline's steps, given the settings with `run` filled in.
        complete: adds to the settings what only a run needs and takes a look into the input; called neither for `--plan` nor for an
            output that is finished already. None where there is no such thing.
        byte_packages: whose versions decide what it writes: workers must have the launcher's, and resuming those it began with.
        journal_entries: for `--retry_failed`, makes of the settings a function from a row of the records table to its journal
            entry (unit, outcome), None for what must be done again; None for a pipeline that keeps nothing.
        stages: choices of --stage, the default first; where that flag is among its options.
        settle: changes the parsed flags before anything else sees them, as for documented names that mean another flag in each stage;
            raises ValueError for flags that contradict each other. None for a pipeline that needs nothing of that.
        workers_from: bytes of input from which on it gets a worker for each core of a machine, where its work is done in Python itself;
            0 where it is done in child processes.
        not_bytes: names of flags among its options that decide no bytes here, as those that belong to another of its stages.
        retry_options: names of flags that may be others with --retry_failed, because they decide only what fails.
        several_inputs: whether --input may name several places.
        sample_note: where the real data comes from, for people who run the embedded sample.
    """

    name: str
    summary: str
    about: str
    options: tuple[type, ...]
    settings: Callable[[Context], object]
    plan: Callable[[object, Context], Plan]
    build: Callable[[beam.Pipeline, object], None]
    byte_packages: tuple[str, ...] = ()
    journal_entries: Callable[[object], Callable[[dict], tuple[str, dict] | None]] | None = None
    workers_from: int = 0
    sample_note: str = ''
    complete: Callable[[Any], Any] | None = None
    settle: Callable[[argparse.Namespace], None] | None = None
    stages: tuple[str, ...] = ()
    not_bytes: frozenset[str] = frozenset()
    several_inputs: bool = False
    retry_options: frozenset[str] = frozenset()


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
