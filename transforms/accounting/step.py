"""StepOutput: what a step of ours gives, and what it has to say to the accounts."""

from typing import NamedTuple

import apache_beam as beam


class StepOutput(NamedTuple):
    """The outputs of a step that reads; those that it does not have are None.

    Attributes:
        main: what the next step works on.
        outcomes: PCollection[Outcome] of the records that end here, dropped or failed.
        counts: PCollection[Count]: how many records were read of each file, and warnings.
        faults: PCollection[UnitError]: files and parts of files that cannot be read.
    """

    main: beam.PCollection
    outcomes: beam.PCollection | None = None
    counts: beam.PCollection | None = None
    faults: beam.PCollection | None = None
