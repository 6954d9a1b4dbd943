"""CollectOutcomes: records to sorted fragments and counts, the two forms in which finishing wants them."""

from dataclasses import dataclass

import apache_beam as beam

from transforms.accounting.fragments import KeyedPayload, WriteFragments
from transforms.accounting.outcome import Outcome
from transforms.accounting.run_summary import CountOutcomes


def _keyed(record: Outcome) -> KeyedPayload:
    return KeyedPayload(record.file, record.row, record.to_json())


@dataclass(eq=False)
class CollectOutcomes(beam.PTransform):
    """PCollection[Outcome] to a tuple (PCollection[FragmentRef], PCollection[Count]) for BuildRunSummary.

    Args:
        folder: work folder of the fragments.
        by_file: count by file; else for the input as a whole.
    """

    folder: str
    by_file: bool = True

    def expand(self, records: beam.PCollection[Outcome]):  # noqa: ANN201 - Beam reads tuples wrongly
        fragments = (records | 'RecordToJson' >> beam.Map(_keyed)
                     | 'Spill' >> WriteFragments(self.folder, 'record'))
        return fragments, records | 'Count' >> CountOutcomes(self.by_file)
