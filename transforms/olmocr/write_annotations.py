"""WriteAnnotations: extracted records to annotations.json, streamed in input order."""

from dataclasses import dataclass, replace

import apache_beam as beam

from transforms.accounts.fragments import merge_fragments
from transforms.accounts.guard import guarded
from transforms.accounts.ledger import Ledger, OutputFile
from transforms.files import storage
from transforms.llava.write_llava import write_json_list
from transforms.olmocr.discover import ANNOTATIONS


@dataclass(eq=False)
class WriteAnnotations(beam.PTransform):
    """PCollection[Ledger] to the same after writing annotations.json from fragments of kind 'annotation'.

    Args:
        output: output folder.
    """

    output: str

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, ledgers: beam.PCollection[Ledger]) -> beam.PCollection[Ledger]:
        return ledgers | 'MergeAnnotations' >> beam.Map(guarded, self.write)

    def write(self, ledger: Ledger) -> Ledger:
        """Merges the annotation fragments of `ledger`."""
        with storage.atomic_writer(storage.join(self.output, ANNOTATIONS)) as target:
            write_json_list(target, (item.payload for item in merge_fragments(ledger.of_kind('annotation'))))
        return replace(ledger, outputs=(*ledger.outputs, OutputFile(ANNOTATIONS, target.size, target.sha256)))
