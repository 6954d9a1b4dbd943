"""CollectRecords: records to sorted fragments and counts, the two forms in which finishing wants them."""

from dataclasses import dataclass

import apache_beam as beam

from transforms.accounts.fragments import Keyed, WriteFragments
from transforms.accounts.ledger import CountOutcomes
from transforms.accounts.records import Record


def _keyed(record: Record) -> Keyed:
    return Keyed(record.file, record.row, record.to_json())


@dataclass(eq=False)
class CollectRecords(beam.PTransform):
    """PCollection[Record] to a tuple (PCollection[FragmentRef], PCollection[Tally]) for BuildLedger.

    Args:
        folder: work folder of the fragments.
        by_file: count by file; else for the input as a whole.
    """

    folder: str
    by_file: bool = True

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, records: beam.PCollection[Record]):  # noqa: ANN201 - Beam reads tuples wrongly
        fragments = (records | 'RecordToJson' >> beam.Map(_keyed)
                     | 'Spill' >> WriteFragments(self.folder, 'record'))
        return fragments, records | 'Count' >> CountOutcomes(self.by_file)
