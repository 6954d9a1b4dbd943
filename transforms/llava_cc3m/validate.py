"""ValidatePretraining: reads the finished chat.json as LLaVA's loader would."""

from dataclasses import dataclass, replace

import apache_beam as beam

from transforms.accounting.guard import guarded
from transforms.accounting.run_summary import RunSummary
from transforms.llava.validate import check_image_exists, validate_chat
from transforms.llava_cc3m.copy_images import IMAGES
from transforms.llava_cc3m.discover import CHAT
from transforms.llava_cc3m.rules import check_sample


@dataclass(eq=False)
class ValidatePretraining(beam.PTransform):
    """PCollection[RunSummary] to the same with a problem for every rule that chat.json breaks, or image that is not there.

    Args:
        output: folder of chat.json and images/.
    """

    output: str

    def expand(self, summaries: beam.PCollection[RunSummary]) -> beam.PCollection[RunSummary]:
        return summaries | 'ReadAsALoader' >> beam.Map(guarded, self.check)

    def check(self, summary: RunSummary) -> RunSummary:
        """Adds the first few problems."""
        _, problems = validate_chat(self.output, CHAT, check_sample, IMAGES, check_image_exists)
        return replace(summary, problems=(*summary.problems, *problems))
