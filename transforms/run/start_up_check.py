"""StartUpCheck: before work begins, a worker checks that it belongs to this run.

On a cluster a worker may see another disk than the launcher, run other versions, or belong to a run that was given up and
started anew. So each stage begins with a check; tests/beam_pipelines/test_stages.py finds one that does not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam

import transforms.hub.filesystem  # noqa: F401 - registers hf:// with Beam: every stage begins here
from transforms.hub.settings import configure
from transforms.run.garbage import freeze_in_worker
from transforms.run.heartbeat import at_work
from transforms.run.run import Run


class _StartUpCheckFn(beam.DoFn):
    def __init__(self, run: Run) -> None:
        self._run = run

    def setup(self) -> None:
        configure(self._run.hub)
        freeze_in_worker()

    def process(self, element: object) -> Iterator[object]:
        self._run.check()
        # What follows in the same stage happens within this yield.
        with at_work(self._run.work):
            yield element


@dataclass(eq=False)
class StartUpCheck(beam.PTransform):
    """Any PCollection to the same: put before a step whose every element is much work (a file, a tarball, a part).

    Args:
        run: the run that the worker must belong to.

    Raises:
        RunAborted: the worker does not see its folders, has other versions, or the run was taken over by another.
    """

    run: Run

    def expand(self, elements: beam.PCollection) -> beam.PCollection:
        return elements | 'Check' >> beam.ParDo(_StartUpCheckFn(self.run)).with_output_types(elements.element_type)
