"""InOneStage: steps that pass payloads to one another, with the resource hints that runners give workers for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import apache_beam as beam


@dataclass(eq=False)
class InOneStage(beam.PTransform):
    """Any PCollection to what `steps` make of it, with Beam's resource hints on all of them.

    Where hints differ, Beam cuts the fused stage and everything between the two goes through a shuffle (measured: 195 MB of
    memory become 5 GB); so they go on one composite.

    Args:
        steps: applies the steps to a PCollection.
        hints: such as `{'min_ram': '8GB'}`; {} for none.
    """

    steps: Callable[[beam.PCollection], object]
    hints: Mapping[str, str]

    def __post_init__(self) -> None:
        if self.hints:
            self.with_resource_hints(**self.hints)

    def expand(self, elements: beam.PCollection):  # noqa: ANN201 - Beam reads tuples wrongly
        return self.steps(elements)
