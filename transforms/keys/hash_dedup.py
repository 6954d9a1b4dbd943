"""HashDedup: exact duplicates among any records, decided on hashes of their keys."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from operator import attrgetter

import apache_beam as beam
import numpy as np

from transforms.keys.find_duplicates import FindDuplicates, Repeats, UnitHashes, hash_texts
from transforms.keys.gather import GatherFn
from transforms.run.run import Run


@beam.coders.registry.register_row
@dataclass(frozen=True)
class KeyedReference:
    """A record by its place, and the key that must not come twice.

    Attributes:
        unit: number of what is read again in one go, such as a part; numbers are in the order of identity.
        file: number of its file within the unit, 0 for the only one.
        row: its number in the file.
        key: such as its normalised text, or its address.
        priority: of equal records that with the smallest stays, then the first by (unit, file, row).
    """

    unit: int
    file: int
    row: int
    key: str
    priority: int = 0


def _hashed(references: list[KeyedReference], secret: bytes) -> UnitHashes:
    first = references[0]
    return UnitHashes(first.unit, np.array([one.row for one in references], np.int64), hash_texts([one.key for one in references], secret),
                      first.priority, np.array([one.file for one in references], np.int64))


@dataclass(eq=False)
class HashDedup(beam.PTransform):
    """PCollection of KeyedReference, or of UnitHashes made beforehand, to PCollection[tuple[int, Repeats]], one for each unit.

    Of records with one key that with the smallest (priority, unit, file, row) stays, whatever the order in which they come. No record
    crosses a shuffle, only packed hashes do. `Repeats.lost` gives the records that go, `Repeats.members` all of each group with the one
    that stays. Memory: as of `FindDuplicates`, and 10,000 references where they come one by one.

    Args:
        run: the run.
        units: the numbers of all units.
        keys: how many records there are, about.
        secret: of the hashes: who does not know it cannot make two keys collide.

    Raises:
        ValueError: a number does not fit its field, or a record comes twice.
        RunAborted: the disk is full or the work folder cannot be written.
    """

    run: Run
    units: tuple[int, ...]
    keys: int = 1 << 24
    secret: bytes = b''

    def expand(self, references: beam.PCollection) -> beam.PCollection[tuple[int, Repeats]]:
        gather = GatherFn(KeyedReference, attrgetter('unit', 'priority'), partial(_hashed, secret=self.secret))
        return (references | 'Hash' >> beam.ParDo(gather).with_output_types(UnitHashes)
                | 'FindDuplicates' >> FindDuplicates(self.run, self.units, self.keys))
