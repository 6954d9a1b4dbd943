"""FinishRun: the last step of every pipeline. Checks the accounts, and only then calls the output done.

Each part of the accounts is merged, checked and saved by whichever worker takes it; the last step adds up what they found
and joins their files by bytes. It never raises: on a cluster that would cause restarts and end without a message. State
and exit code go into run.json, and the launcher exits with them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
import numpy as np
import orjson

from transforms.accounting.finish_part import ERRORS, MANIFEST, FinishPart, PartSummary, describe
from transforms.accounting.outcome import OutputFile
from transforms.accounting.product import Chunk, JoinedFile, Product, json_list
from transforms.accounting.step import StepOutput
from transforms.accounting.table import RecordTable
from transforms.accounting.verdict import run_json
from transforms.files import storage
from transforms.files.durable import flush
from transforms.hub import meter
from transforms.hub.path import HubPath
from transforms.hub.publish import publish
from transforms.report.page import Report, render_report
from transforms.report.summary import Views
from transforms.run.run import Run
from transforms.run.start_up_check import StartUpCheck

_LOG = logging.getLogger(__name__)
_INDENTED = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE


def _under_one_key(summary: PartSummary) -> tuple[str, PartSummary]:
    return '', summary


@dataclass(eq=False)
class FinishRun(beam.PTransform):
    """A tuple of StepOutput to PCollection[dict]: the run.json of the run, after saving it and all that goes with it.

    When the accounts hold: records/, errors.jsonl, the products, report.html, manifest.json, run.json, then the empty
    `_SUCCESS`, each after what it vouches for was flushed to the disk; then one commit where the output's place is the Hub;
    then the work folder is removed. When they do not: the same with state 'failed' and the reasons, without manifest and
    `_SUCCESS`, and without the products where a part has a problem; the outputs made so far and the work folder stay, so that
    the run can be resumed.

    Two keyed steps: references by part (0.3 KB for 4,000 records), and one summary for each part. Seeds make sure that
    each part has one, also of nothing. CombineGlobally would do that with a side input, which a streaming engine holds
    back on its heap.

    Args:
        run: what run this is.
        table: the columns of records/.
        products: one-file products, made unless a part has a problem.
        report: what report.html shows beside the accounts.
        log: name of a plain error log beside errors.jsonl, '' for none.
    """

    run: Run
    table: RecordTable = RecordTable()
    products: tuple[Product, ...] = ()
    report: Report = field(default_factory=Report)
    log: str = ''

    def __post_init__(self) -> None:
        self._logs = (JoinedFile(ERRORS), *((JoinedFile(self.log),) if self.log else ()))
        self._manifest = json_list(MANIFEST)

    def expand(self, steps: tuple[StepOutput, ...]) -> beam.PCollection[dict]:
        joined = tuple(product for product in self.products if isinstance(product, JoinedFile))
        finish_part = FinishPart(self.run, self.table, joined, self._logs, self._manifest, self.report)
        seeds = steps[0].main.pipeline | 'Parts' >> beam.Create(
            [(part.number, None) for part in self.run.parts], reshuffle=False).with_output_types(tuple[int, Any])
        return ((*(said for step in steps for said in step.accounts), seeds) | 'Gather' >> beam.Flatten()
                | 'ByPart' >> beam.GroupByKey()
                | 'CheckParts' >> StartUpCheck(self.run)
                | 'FinishPart' >> beam.MapTuple(finish_part)
                | 'UnderOneKey' >> beam.Map(_under_one_key).with_output_types(tuple[str, PartSummary])
                | 'ToOneList' >> beam.GroupByKey()
                | 'CheckFinishing' >> StartUpCheck(self.run)
                | 'SaveVerdict' >> beam.MapTuple(self.finish))

    def finish(self, key: str, parts: Iterable[PartSummary]) -> dict:
        """Decides whether the run failed, saves that, and returns it; again for a run that is done, as after a restart."""
        run = {**run_json(self.run, []), 'state': 'failed', 'exit_code': 1, 'problems': []}
        try:
            if self.run.is_taken_over():
                return run  # the folder is another run's now
            if before := self.run.saved_verdict():
                self._publish()
                self._clean_up()
                return before
            parts = sorted(parts, key=lambda part: part.part)
            run = run_json(self.run, parts)
            if any(fetched := meter.saved_total(self.run.work)):
                run['hub'] = {'fetched_bytes': fetched.bytes, 'input_bytes': sum(size for _, size, _ in self.run.inputs),
                              'waits': fetched.waits, 'waited_seconds': round(fetched.seconds, 1)}
            self._save(run, parts)
        except Exception as error:  # see the module's docstring
            run.update(state='failed', exit_code=1, would_repeat=False, problems=[*run['problems'], describe(error)])
            return self._failed(run)
        return run

    def _failed(self, run: dict) -> dict:
        """Saves that the run failed, unless another try of this very run has just finished it."""
        try:
            if done := self.run.saved_verdict():
                return done
            if self.run.is_taken_over():
                return run
        except (OSError, ValueError) as error:
            run['problems'].append(describe(error))
        self._save_verdict_alone(run)
        return run

    def _path(self, name: str) -> str:
        return storage.join(self.run.output, name)

    def _save(self, run: dict, parts: list[PartSummary]) -> None:
        outputs = self._join(self._logs, parts)
        if not any(part.problems for part in parts):
            outputs += self._join(self.products, parts)
            if twice := [name for product in self.products if (name := self._twice(product, parts))]:
                run.update(state='failed', exit_code=1, would_repeat=True, problems=[*run['problems'], *twice])
        storage.write_bytes(self._path('report.html'), self._report(run, parts).encode())
        if run['state'] == 'done':
            flush(self.run.output)  # before the manifest vouches for it
            self._save_manifest(outputs, parts)
        storage.write_bytes(self._path('run.json'), orjson.dumps(run, option=_INDENTED))
        if run['state'] == 'done':
            flush(self.run.output)
            if self.run.is_taken_over():
                raise storage.RunAborted('another run has taken over the output')
            storage.write_bytes(self._path('_SUCCESS'), b'')
            self._publish()
            self._clean_up()

    def _join(self, products: tuple[Product, ...], parts: list[PartSummary]) -> list[OutputFile]:
        return [product.join(self.run.output, [part.chunks[product.path] for part in parts if product.path in part.chunks])
                for product in products]

    @staticmethod
    def _twice(product: Product, parts: list[PartSummary]) -> str:
        """Says so when two parts hold the same id; '' when all are unique, or need not be."""
        if not getattr(product, 'identify', None):
            return ''
        hashes = np.concatenate([np.frombuffer(storage.read_bytes(part.chunks[product.path].ids), np.uint64) for part in parts])
        hashes.sort()
        return f'{product.path}: ids are not unique' if (hashes[1:] == hashes[:-1]).any() else ''

    def _save_manifest(self, outputs: list[OutputFile], parts: list[PartSummary]) -> None:
        """Lines of what finishing wrote come first, then those of the parts."""
        own = sorted((*outputs, *(file for part in parts for file in part.files)), key=lambda file: file.path)
        lines = [orjson.dumps({'path': file.path, 'bytes': file.bytes, 'sha256': file.sha256}) for file in own]
        head = storage.join(self.run.work, 'parts', 'manifest-head')
        storage.write_bytes(head, self._manifest.separator.join(lines))
        chunks = [part.chunks[MANIFEST] for part in parts]
        if self.table.shared_outputs and len(chunks) > 1:
            chunks = [self._listed_once(chunks)]
        self._manifest.join(self.run.output, [Chunk(head, len(lines)), *chunks])

    def _listed_once(self, chunks: list[Chunk]) -> Chunk:
        """The lines of all parts without those of a file that records of several parts share."""
        path, separator = storage.join(self.run.work, 'parts', 'manifest-once'), self._manifest.separator
        lines = dict.fromkeys(line for chunk in chunks if chunk.items for line in storage.read_bytes(chunk.path).split(separator))
        storage.write_bytes(path, separator.join(lines))
        return Chunk(path, len(lines))

    def _report(self, run: dict, parts: list[PartSummary]) -> str:
        views = Views()
        for part in parts:
            views.add(part.views)
        errors = [error for part in parts for error in part.unit_errors]
        try:
            return render_report(self.run.output, run, errors, views, self.report)
        except Exception as error:  # what only informs never fails a run
            _LOG.warning('the report is without its sections: %s', error)
            return render_report(self.run.output, run, errors, views, Report())

    def _publish(self) -> None:
        """Flushes `_SUCCESS`, and makes one commit of the output where the Hub is its place; it is done only when that is."""
        try:
            flush(self.run.output)
            if not self.run.publish or not storage.exists(storage.join(self.run.work, 'state.json')):
                return
            publish(self.run.output, HubPath.parse(self.run.publish), f'{self.run.pipeline} of {self.run.sources[0].address}')
        except BaseException:
            storage.delete_file(self._path('_SUCCESS'))
            raise

    def _clean_up(self) -> None:
        """Removes the work folder; the run is done whether that succeeds or not."""
        try:
            if self.run.is_taken_over():
                return
            # The state first: it says that something is still to be published.
            storage.delete_file(storage.join(self.run.work, 'state.json'))
            storage.delete_tree(self.run.work)
        except Exception as error:
            _LOG.warning('%s could not be removed: %s', self.run.work, error)

    def _save_verdict_alone(self, run: dict) -> None:
        try:
            storage.write_bytes(self._path('run.json'), orjson.dumps(run, option=_INDENTED))
        except Exception:  # not even this fits on the disk: the launcher says so when it finds no verdict
            run['problems'].append('run.json could not be written')
