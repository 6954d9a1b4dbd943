"""WriteAnnotations: extracted records to annotations.json, streamed in input order."""

from dataclasses import dataclass, replace

import apache_beam as beam

from transforms.accounting.fragments import merge_fragments
from transforms.accounting.guard import guarded
from transforms.accounting.run_summary import OutputFile, RunSummary
from transforms.files import storage
from transforms.llava.write_llava import write_json_list
from transforms.olmocr.discover import ANNOTATIONS


@dataclass(eq=False)
class WriteAnnotations(beam.PTransform):
    """PCollection[RunSummary] to the same after writing annotations.json from fragments of kind 'annotation'.

    Args:
        output: output folder.
    """

    output: str

    def expand(self, summaries: beam.PCollection[RunSummary]) -> beam.PCollection[RunSummary]:
        return summaries | 'MergeAnnotations' >> beam.Map(guarded, self.write)

    def write(self, summary: RunSummary) -> RunSummary:
        """Merges the fragments of kind 'annotation' into annotations.json; adds it to the outputs."""
        with storage.atomic_writer(storage.join(self.output, ANNOTATIONS)) as target:
            write_json_list(target, (item.payload for item in merge_fragments(summary.of_kind('annotation'))))
        return replace(summary, outputs=(*summary.outputs, OutputFile(ANNOTATIONS, target.size, target.sha256)))
