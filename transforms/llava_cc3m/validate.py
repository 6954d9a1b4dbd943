"""ValidatePretraining: reads the finished chat.json as LLaVA's loader would."""

from dataclasses import dataclass, replace

import apache_beam as beam

from transforms.accounts.guard import guarded
from transforms.accounts.ledger import Ledger
from transforms.llava.validate import check_image_exists, validate_chat
from transforms.llava_cc3m.copy_images import IMAGES
from transforms.llava_cc3m.discover import CHAT
from transforms.llava_cc3m.rules import check_sample


@dataclass(eq=False)
class ValidatePretraining(beam.PTransform):
    """PCollection[Ledger] to the same with a problem for every rule that chat.json breaks, or image that is not there.

    Args:
        output: folder of chat.json and images/.
    """

    output: str

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, ledgers: beam.PCollection[Ledger]) -> beam.PCollection[Ledger]:
        return ledgers | 'ReadAsALoader' >> beam.Map(guarded, self.check)

    def check(self, ledger: Ledger) -> Ledger:
        """Adds the problems, and how many samples were checked for the report."""
        count, problems = validate_chat(self.output, CHAT, check_sample, IMAGES, check_image_exists)
        return replace(ledger, problems=(*ledger.problems, *problems), views={**ledger.views, 'validated': {CHAT: count}})
