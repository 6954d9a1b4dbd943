"""launch(): from a command line to a finished output folder and an exit code."""

from __future__ import annotations

import argparse
import datetime
import logging
import os
import sys
import traceback
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import apache_beam as beam
import orjson

import transforms.hub.filesystem  # noqa: F401 - registers hf:// with Beam
from beam_pipelines.launcher import folder, note
from beam_pipelines.launcher.arguments import Arguments, deciding_options, parse
from beam_pipelines.launcher.console import failure_line, print_error, print_line, warn
from beam_pipelines.launcher.engine import Engine, JobFailed, own_temp_folder
from beam_pipelines.launcher.human import counted
from beam_pipelines.launcher.interrupt import interruptible
from beam_pipelines.launcher.progress import ProgressBar, make_counter
from beam_pipelines.launcher.quiet import quiet_workers
from beam_pipelines.launcher.remote import refuse_if_running
from beam_pipelines.launcher.runners import make_engine, open_stores, with_workers, worker_count
from beam_pipelines.launcher.spec import PipelineSpec, Plan, RunResult, UsageError
from beam_pipelines.launcher.summary import summary_table
from beam_pipelines.launcher.versions import versions
from beam_pipelines.samples import sample_folder
from options.cluster import worker_hints
from options.context import Context, worker_path
from options.hub import hub_settings
from transforms.accounting.table import as_text, read_records
from transforms.files import storage
from transforms.hub import meter
from transforms.hub.path import HubPath, is_hub
from transforms.hub.publish import check_writer
from transforms.hub.settings import configure
from transforms.run import progress
from transforms.run.garbage import freeze_imported
from transforms.run.journal import Journal, drop_failures
from transforms.run.run import Run
from transforms.run.versions import versions_of
from transforms.sandbox.cores import usable_cores

SAMPLE = 'embedded sample'
_AGAIN = ('The same command would end the same way: change what the line above names; --retry_failed does the failed records again, '
          '--overwrite starts again with other options.')
_LOG = logging.getLogger(__name__)


def launch(spec: PipelineSpec, argv: Sequence[str] | None = None) -> RunResult:
    """Runs a pipeline as its command line asks.

    Args:
        spec: the pipeline.
        argv: the command line without the program's name; None takes the process's own, and then Ctrl-C ends the
            process with code 130.

    Returns:
        How it ended; nothing but a bug or KeyboardInterrupt is raised.
    """
    try:
        if isinstance(argv, str):
            raise UsageError("flags are a list, as in run(['--input=papers'])")
        arguments = parse(spec, sys.argv[1:] if argv is None else [str(token) for token in argv])
        _set_log_level(arguments.flags.verbose)
        if spec.settle:
            _settle(spec, arguments.flags)
        if argv is None:
            freeze_imported()
        return _Launch.prepare(spec, arguments, own_process=argv is None).run()
    except UsageError as error:
        print_error(f'error: {error}')
        return RunResult('usage', 2, message=str(error))
    except KeyboardInterrupt:
        if argv is not None:
            raise
        print_error('interrupted before anything was started')
        return RunResult('interrupted', 130)
    except SystemExit as stop:  # argparse after --help
        return RunResult('usage', stop.code or 0)


def _settle(spec: PipelineSpec, flags: argparse.Namespace) -> None:
    try:
        spec.settle(flags)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _staging(address: str) -> str:
    """The local folder in which an output for the Hub is made.

    Raises:
        UsageError: the address names no dataset, or no token is set.
    """
    try:
        target = HubPath.parse(address)
    except ValueError as error:
        raise UsageError(f'--output {error}') from None
    try:
        check_writer(target)
    except storage.RunAborted as error:
        raise UsageError(f'--output {error}') from None
    name = '--'.join(filter(None, [*target.repo.split('/'), *target.revision.split('/'), *target.path.split('/')]))
    return f'output/hub/{name}'


def _address(given: str | tuple[str, ...]) -> str:
    """What --input is called in accounts and tables."""
    return given if isinstance(given, str) else f'{given[0]} and {len(given) - 1} more'


def _sources(spec: PipelineSpec, given: str | tuple[str, ...], is_here: bool) -> str | tuple[str, ...]:
    """--input, else the embedded sample, as workers must be given it."""
    if not isinstance(given, str):
        return tuple(_sources(spec, one, is_here) for one in given)
    source = (given or str(sample_folder(spec.name) or '')).rstrip('/') or given
    return source and worker_path(source, is_here)


def _set_log_level(verbose: bool) -> None:
    logging.getLogger().setLevel(logging.INFO if verbose else logging.ERROR)
    # Without --verbose a failed step is reported in one line at the end, not in Beam's pages.
    for library in ('apache_beam', 'huggingface_hub'):
        logging.getLogger(library).setLevel(logging.INFO if verbose else logging.CRITICAL)


@dataclass
class _Launch:
    """What is known of a launch once its settings and plan are made; `run` does the rest."""

    spec: PipelineSpec
    arguments: Arguments
    settings: object
    plan: Plan
    context: Context
    engine: Engine
    own_process: bool
    publish: str = ''

    @classmethod
    def prepare(cls, spec: PipelineSpec, arguments: Arguments, own_process: bool) -> _Launch:
        flags = arguments.flags
        output = (flags.output or f'output/{spec.name}').rstrip('/') or '/'
        publish = ''
        workers, engine = worker_count(arguments), make_engine(arguments, print_line, warn)
        engine.check()
        configure(hub_settings(flags, workers))
        meter.restart()
        progress.restart()
        if is_hub(output):
            publish, output = output, _staging(output)
        is_here = bool(workers)
        try:
            open_stores(arguments)
            output = worker_path(output, is_here)
            context = Context(flags, _address(flags.input) or SAMPLE, _sources(spec, flags.input, is_here), output,
                              storage.join(output, folder.WORK), workers, usable_cores())
            settings = spec.settings(context)
            plan = spec.plan(settings, context)
            # Names of strangers' files may hold what no JSON can.
            plan = replace(plan, inputs=tuple((as_text(path), size, mark) for path, size, mark in plan.inputs))
            if spec.workers_from:
                arguments = with_workers(arguments, context.cores, plan, spec.workers_from)
                context = replace(context, local_workers=worker_count(arguments))
        except (ValueError, OSError, storage.RunAborted) as error:
            raise error if isinstance(error, UsageError) else UsageError(str(error)) from None
        if spec.workers_from:
            engine = make_engine(arguments, print_line, warn)
        return cls(spec, arguments, settings, plan, context, engine, own_process, publish)

    @property
    def identity(self) -> dict:
        """All that decides the output's bytes."""
        return {'options': deciding_options(self.spec, self.arguments.flags),
                'inputs': [list(item) for item in self.plan.inputs], 'versions': versions_of(self.spec.byte_packages)}

    def run(self) -> RunResult:
        flags, output = self.arguments.flags, self.context.output
        if flags.plan:
            self._print_plan()
            return RunResult('planned', 0)
        lock = folder.OutputLock(output)
        try:
            following = '' if self.engine.is_dry else self._job_left()
            if flags.overwrite:
                self._overwrite()
            earlier = folder.EarlierRun('new', {}) if flags.overwrite else folder.inspect(
                output, self.spec.name, self.identity, bool(self.publish), self.spec.retry_options if flags.retry_failed else frozenset())
            if earlier.state == 'done' and not flags.retry_failed:
                print_line(summary_table(earlier.run))
                failed = sum(earlier.run['totals']['failed'].values())
                retry = f"--retry_failed does {counted(failed, 'failed record')} again, " if failed else ''
                print_line(f'{output} is complete already, nothing to do. {retry}--overwrite starts again.')
                folder.clear_work(self.context.work)
                return RunResult('done', 0, earlier.run)
            if following:
                return self._execute(following, self.engine.follow)
            folder.check_space(output, self.plan.output_bytes, flags.force)
            self.engine.preflight([source.root for source in self.plan.sources])
            self._complete_settings()
            run = self._new_run(earlier)
            with own_temp_folder(), quiet_workers(self.context.work, flags.verbose):
                graph = self.engine.graph(self._build(run), self._job_name(run))
            if graph:
                self._print_plan()
                print_line(f'\n{graph}')
                return RunResult('planned', 0)
            self.engine.reserve(self.context.work, run.run_id, self._job_name(run))
            run.claim()  # before anything is deleted: workers of an earlier try stop then
            self._make_room(earlier)
            meter.save(self.context.work)  # what planning took
            build, name = self._build(run), self._job_name(run)
            return self._execute(run.run_id, lambda work, bar: self.engine.run(build, name, work, bar))
        except storage.RunAborted as error:
            return self._failed(str(error))
        finally:
            lock.release(output)

    def _complete_settings(self) -> None:
        if self.spec.complete:
            try:
                self.settings = self.spec.complete(self.settings)
            except (ValueError, OSError) as error:
                raise UsageError(str(error)) from None

    def _overwrite(self) -> None:
        source, output = self.arguments.flags.input, self.context.output
        if self.arguments.flags.retry_failed:
            raise UsageError('--overwrite deletes what --retry_failed would keep: give one of them')
        for one in filter(None, [source] if isinstance(source, str) else source):
            real = os.path.realpath(output)
            if storage.is_local(one) and storage.is_local(output) and os.path.commonpath([real, os.path.realpath(one)]) == real:
                raise UsageError(f'--overwrite would delete the input: --input {one} lies in --output {output}')
        try:
            folder.inspect(self.context.output, self.spec.name, self.identity)
        except UsageError as error:
            if 'other options' not in str(error):
                raise
        if not self.engine.is_dry:
            folder.clear(self.context.output)

    def _print_plan(self) -> None:
        width = max(len(name) for name, _ in self.plan.rows)
        for name, value in self.plan.rows:
            print_line(f'{name.ljust(width)}  {value}')
        if self.spec.workers_from and self.context.local_workers:
            print_line(f"{'with'.ljust(width)}  {counted(self.context.local_workers, 'worker process')}")
        if self.publish:
            print_line(f"{'publish'.ljust(width)}  {self.publish}, as one commit at the end")
        if not self.arguments.flags.input and self.spec.sample_note:
            print_line(self.spec.sample_note)

    def _make_room(self, earlier: folder.EarlierRun) -> None:
        output = self.context.output
        self._print_plan()
        if earlier.state == 'unfinished':
            has_failed = earlier.run.get('state') == 'failed' and sum(earlier.run['totals']['failed'].values())
            print_line('resuming: what is finished is kept' + (', and failed records stay failed: --retry_failed does them again'
                                                               if has_failed and not self.arguments.flags.retry_failed else ''))
        if earlier.state != 'unfinished':
            for name in ('journal', 'kept', 'inflated'):
                storage.delete_tree(storage.join(self.context.work, name))
        if self.arguments.flags.retry_failed:
            self._keep_all_but_failed(earlier)
        for name in ('rows', 'index', 'fragments', 'parts', 'spill', 'progress', 'blocks'):  # made anew; what the journal tells of is kept
            storage.delete_tree(storage.join(self.context.work, name))
        folder.sweep(output)
        folder.save_state(output, self.spec.name, self.identity)
        for name in ('_SUCCESS', 'manifest.json'):
            storage.delete_file(storage.join(output, name))
        storage.delete_tree(storage.join(output, 'records'))  # its parts may have had other names

    def _keep_all_but_failed(self, earlier: folder.EarlierRun) -> None:
        """Turns a finished run into one that was stopped before its failures."""
        if earlier.state == 'new':
            raise UsageError(f'--retry_failed: {self.context.output} holds no run; start without it')
        journal_folder = storage.join(self.context.work, 'journal')
        if earlier.state == 'unfinished':
            if earlier.run.get('state') == 'failed':
                drop_failures(journal_folder)
            return  # else it was such a retry, or was stopped before anything failed for good: go on with it
        storage.delete_tree(journal_folder)  # of a finished run whose work folder could not be removed
        if not self.spec.journal_entries:
            return
        journal, entry_of = Journal(journal_folder), self.spec.journal_entries(self.settings)
        try:
            for row in read_records(self.context.output):
                if entry := entry_of(row):
                    journal.add(entry[0], row['file'], row['row'], entry[1])
        except (OSError, ValueError) as error:
            raise UsageError(f'--retry_failed needs the records table of {self.context.output}, which cannot be read '
                             f'({str(error).splitlines()[0][:120]}); --overwrite starts again') from None
        finally:
            journal.close()

    def _new_run(self, earlier: folder.EarlierRun) -> Run:
        flags, identity, retried, before = self.arguments.flags, self.identity, -1, 0.0
        if flags.retry_failed and earlier.run:
            retried, before = sum(earlier.run['totals']['failed'].values()), float(earlier.run.get('seconds') or 0)
        now = datetime.datetime.now(datetime.timezone.utc)
        return Run(
            pipeline=self.spec.name, run_id=uuid.uuid4().hex, output=self.context.output, work=self.context.work,
            sources=self.plan.sources, parts=self.plan.parts, options=identity['options'], inputs=self.plan.inputs,
            versions=versions(self.spec.byte_packages), byte_packages=self.spec.byte_packages, seed=flags.seed,
            started=now.isoformat(), worker_hints=worker_hints(flags), workers_elsewhere=not self.context.local_workers,
            inline_blocks=not storage.is_local(self.context.work),  # runners that go with object stores spill their shuffle
            max_failures=flags.max_failures, max_failure_rate=flags.max_failure_rate,
            max_failed_units=flags.max_failed_units,
            hub=hub_settings(flags, self.context.local_workers), publish=self.publish,
            retried=retried, earlier_seconds=before)

    def _build(self, run: Run) -> Callable[[beam.Pipeline], None]:
        """What adds the run's steps to a pipeline."""
        settings = replace(self.settings, run=run)
        return lambda pipeline: self.spec.build(pipeline, settings)

    def _job_name(self, run: Run) -> str:
        return f"{self.spec.name.replace('_', '-')}-{run.run_id[:8]}"

    def _job_left(self) -> str:
        """The run_id of an earlier launcher's job that goes on and is to be followed, '' for none.

        Raises:
            UsageError: one runs on another engine, or would lose its folder; or whether one runs cannot be learnt.
        """
        flags, output, left = self.arguments.flags, self.context.output, note.read(self.context.work)
        if self.engine.finds(left):
            following = self.engine.job_of(left, output)
            if following and (flags.overwrite or flags.retry_failed):
                refuse_if_running(left, output)
            return following
        if taken_over := refuse_if_running(left, output):
            warn(taken_over)
        return ''

    def _execute(self, run_id: str, wait: Callable[[str, ProgressBar], None]) -> RunResult:
        """Waits for the run with a progress bar, and shows how it ended."""
        flags, work = self.arguments.flags, self.context.work
        try:
            with own_temp_folder(), quiet_workers(work, flags.verbose), self._progress(run_id) as bar, \
                    interruptible(self.own_process, bar, self.context.output, self.engine):
                wait(work, bar)
        except JobFailed as error:
            return self._failed(str(error))
        except Exception as error:  # whatever a runner makes of a failed step; the line says what failed
            _LOG.debug('the pipeline failed', exc_info=True)
            if flags.verbose:
                print_error(traceback.format_exc())
            return self._failed(failure_line(error))
        if self.engine.packed:
            print_line(self.engine.packed_line(self.context.output))
            return RunResult('packed', 0)
        return self._verdict(run_id)

    def _progress(self, run_id: str) -> ProgressBar:
        return ProgressBar(make_counter(self.context.work, self.plan.counted), self.plan.total, self.plan.counted,
                           self.arguments.flags.progress, run_id, lambda: self._is_over(run_id))

    def _is_over(self, run_id: str) -> bool:
        """Whether this run has saved its verdict: run.json, and behind a good one `_SUCCESS`."""
        run = self._saved_run()
        if run.get('run_id') != run_id or (self.publish and storage.exists(storage.join(self.context.work, 'state.json'))):
            return False
        return run['exit_code'] != 0 or storage.exists(storage.join(self.context.output, '_SUCCESS'))

    def _saved_run(self) -> dict:
        path = storage.join(self.context.output, 'run.json')
        return orjson.loads(storage.read_bytes(path)) if storage.exists(path) else {}

    def _verdict(self, run_id: str) -> RunResult:
        run = self._saved_run()
        if run.get('run_id') != run_id:
            return self._failed(folder.without_verdict(self.context.output))
        print_line('')
        print_line(summary_table(run))
        if run['exit_code']:
            for problem in run['problems']:
                print_error(f'error: {problem}')
            print_error(f'what was made stays in {self.context.output}; see report.html and errors.jsonl there. '
                        f'{_AGAIN if run.get("would_repeat") else "The same command resumes."}')
        else:
            print_line(f"done in {run['seconds']:.1f} s. Look at {storage.join(self.context.output, 'report.html')}")
            if self.publish:
                print_line(f'published as {self.publish}')
        return RunResult(run['state'], run['exit_code'], run, '; '.join(run['problems']))

    def _failed(self, message: str) -> RunResult:
        print_error(f'error: {message}')
        return RunResult('failed', 1, message=message)
