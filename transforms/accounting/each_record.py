"""EachRecord: a rule for single records, within the parts that they come in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam

from transforms.accounting.for_each_part import Said
from transforms.files.abort import RunAborted
from transforms.run.hints import InOneStage
from transforms.run.part_stream import PartStream
from transforms.run.run import Run

Rule = Callable[[Any], Iterable[Any]]


def _apply(stream: PartStream, rule: Rule) -> PartStream:
    return replace(stream, items=_applied(stream.items, rule))


def _applied(items: Iterable[Any], rule: Rule) -> Iterator[Any]:
    for item in items:
        if isinstance(item, Said):
            yield item
            continue
        try:
            yield from rule(item)
        except RunAborted:
            raise
        except Exception as error:
            raise RuntimeError(f'the rule {_name(rule)} failed{_where(item)}: {type(error).__name__}: {error}') from error


def _name(rule: Rule) -> str:
    return getattr(rule, '__name__', '') or type(rule).__name__


def _where(item: Any) -> str:
    origin = getattr(item, 'origin', None)
    return '' if origin is None else f' at row {item.row} of {origin.file}'


@dataclass(eq=False)
class EachRecord(beam.PTransform):
    """PCollection[PartStream] to the same, with what `rule` makes of each record.

    Args:
        rule: called with a record; gives records, and an Outcome for one that goes no further.
        run: the run.

    Raises:
        RuntimeError: the rule raised; the message names it and the record.
    """

    rule: Rule
    run: Run

    def expand(self, parts: beam.PCollection[PartStream]) -> beam.PCollection[PartStream]:
        return parts | 'InOneStage' >> InOneStage(
            lambda streams: streams | 'Apply' >> beam.Map(_apply, self.rule).with_output_types(PartStream), self.run.worker_hints)
