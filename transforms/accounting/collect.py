"""CollectOutcomes: records to sorted fragments and counts, the two forms in which finishing wants them."""

from dataclasses import dataclass

import apache_beam as beam

from transforms.accounting.fragments import KeyedPayload, WriteFragments
from transforms.accounting.outcome import Outcome
from transforms.accounting.run_summary import CountOutcomes


def _keyed(outcome: Outcome) -> KeyedPayload:
    return KeyedPayload(outcome.file, outcome.row, outcome.to_json())


@dataclass(eq=False)
class CollectOutcomes(beam.PTransform):
    """PCollection[Outcome] to a tuple (PCollection[FragmentRef], PCollection[Count]) for BuildRunSummary.

    Args:
        folder: work folder of the fragments.
        by_file: count by file; else for the input as a whole.
    """

    folder: str
    by_file: bool = True

    def expand(self, outcomes: beam.PCollection[Outcome]):  # noqa: ANN201 - Beam reads tuples wrongly
        fragments = (outcomes | 'OutcomeToJson' >> beam.Map(_keyed)
                     | 'Spill' >> WriteFragments(self.folder, 'record'))
        return fragments, outcomes | 'Count' >> CountOutcomes(self.by_file)
