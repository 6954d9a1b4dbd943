"""Designs: how the rows of a sample are chosen, as a rank for each row; the sample is the rows of the smallest ranks that have text.

exact: a rank is a seeded hash, so any rows are equally likely to be chosen together. cluster: row groups in seeded order on a circle, and on it
equally spaced stretches from a seeded start, so that each row is as likely as any other, and neighbours come together. head: the first rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from transforms.files.storage import FileInfo
from transforms.keys.ranks import row_key, row_ranks

EXACT, CLUSTER, HEAD = 'exact', 'cluster', 'head'
DESIGNS = (EXACT, CLUSTER, HEAD)
LAST = (1 << 64) - 1
_AT_ONCE = 1 << 20

_MEANS = {
    EXACT: 'exact: every set of rows of that size is equally likely (simple random sampling without replacement)',
    CLUSTER: 'cluster: every row is equally likely, but neighbours come together: estimates from it vary more than from as many rows of an exact sample',
    HEAD: 'head: the first rows of the first files, not a random sample: rows further on are never chosen',
}
_NEARLY = ('cluster: whole files at random, then rows at random within: every row is nearly equally likely, as far as files have equally many '
           'rows; original_index is null behind a file that is not read')


def meaning(source: SampleSource) -> str:
    """What the design of a source means, in a sentence."""
    return _NEARLY if source.design == CLUSTER and not source.is_counted else _MEANS[source.design]


@dataclass(frozen=True)
class SampledFile:
    """A file of a source, as its rows are ranked.

    Attributes:
        number: its place among the source's files.
        info: path relative to the root, size, fingerprint.
        first: rows of the files before it, -1 where only reading tells.
        rows: its own, -1 where only reading tells.
        circle: of each row group (rows, where on the circle the first of them is); () but for `cluster`.
        has_text: whether it has a column of texts at all.
        bytes: to be read of it, about.
    """

    number: int
    info: FileInfo
    first: int = -1
    rows: int = -1
    circle: tuple[tuple[int, int], ...] = ()
    has_text: bool = True
    bytes: int = 0


@dataclass(frozen=True)
class SampleSource:
    """An entry of the mixture, as its rows are ranked and chosen.

    Attributes:
        number: of the source in the run.
        root: pinned.
        text_field: where the text of a record is, keys.
        names: what the ranks depend on beside seed, file and row: name, configuration, subset, split and ordinal among equal entries.
        seed: of the ranks.
        design: 'exact', 'cluster' or 'head'.
        quota: rows, or tokens, that are wanted.
        rows: there are, an estimate where `is_counted` is not set.
        is_counted: whether footers tell them all.
        stretches: of `cluster` on the circle.
        start: of the first of them.
        params: of the files' format.
        schema: serialized, of formats that need one.
        tokenizer: path of a tokenizer.json; '' for an estimate by characters; None where quotas are in rows.
    """

    number: int
    root: str
    text_field: tuple[str, ...]
    names: tuple[str, ...]
    seed: int
    design: str
    quota: int
    rows: int = 0
    is_counted: bool = False
    stretches: int = 1
    start: int = 0
    params: tuple[tuple[str, object], ...] = ()
    schema: bytes = b''
    tokenizer: str | None = None

    @property
    def ends_early(self) -> bool:
        """Whether reading ends when the quota is reached: the first rows of files whose rows nobody knows."""
        return self.design == HEAD and not self.is_counted

    def ranks(self, file: SampledFile, first: int, count: int, group: int = 0, group_first: int = 0) -> np.ndarray:
        """Ranks of `count` rows from number `first` of a file, uint64.

        Args:
            file: the file.
            first: number of the first row in it.
            count: how many.
            group: the row group that holds them, for `cluster`.
            group_first: number of that group's first row.
        """
        if self.design == HEAD:
            return np.arange(file.first + first, file.first + first + count, dtype=np.uint64)
        if self.design == EXACT or not file.circle:
            return row_ranks(_key(self.seed, self.names, file.info.path), first, count)
        return circle_ranks(file.circle[group][1] + first - group_first, count, self.rows, self.stretches, self.start)

    def all_ranks(self, file: SampledFile) -> Iterator[tuple[int, np.ndarray]]:
        """(number of a row, ranks of it and those that follow) of all rows of a file that are counted, a million at a time or a row group."""
        first = 0
        for group, (rows, _) in enumerate(file.circle):
            yield first, self.ranks(file, first, rows, group, first)
            first += rows
        for first in () if file.circle else range(0, max(0, file.rows), _AT_ONCE):
            yield first, self.ranks(file, first, min(_AT_ONCE, file.rows - first))


@lru_cache(1024)
def _key(seed: int, names: tuple[str, ...], path: str) -> int:
    name, config, subset, split, ordinal = names
    return row_key(seed, name, config, subset, split, path, ordinal)


@dataclass(frozen=True)
class SampleTask:
    """Files that one worker reads in one go, and which of their rows.

    Attributes:
        source: whose.
        number: of the task within its source; tasks are in the order of the files, but for `cluster` of files without counts.
        files: in order.
        low, high: the ranks that are read, both included.
    """

    source: SampleSource
    number: int
    files: tuple[SampledFile, ...]
    low: int = 0
    high: int = LAST

    @property
    def bytes(self) -> int:
        """To be read, about."""
        return sum(file.bytes for file in self.files)


def seeded(seed: int, purpose: str, *names: str) -> int:
    """A seeded integer of 128 bits."""
    text = '\0'.join((str(seed), purpose, *names)).encode('utf-8', 'surrogatepass')
    return int.from_bytes(hashlib.blake2b(text, digest_size=16, person=b'designs').digest(), 'little')


def circle_of(groups: np.ndarray, seed: int, names: tuple[str, ...]) -> np.ndarray:
    """Where on the circle the first row of each row group is, when all groups lie on it in seeded order; int64.

    Args:
        groups: rows of each.
        seed: of the order.
        names: of the source.
    """
    order = np.argsort(row_ranks(seeded(seed, 'circle', *names) & LAST, 0, len(groups)), kind='stable')
    starts = np.empty(len(groups), np.int64)
    starts[order] = np.concatenate(([0], np.cumsum(groups[order])[:-1])) if len(groups) else 0
    return starts


def circle_ranks(place: int, count: int, rows: int, stretches: int, start: int) -> np.ndarray:
    """Ranks of `count` places of a circle of `rows` rows from `place` on, uint64.

    The circle is cut into as many arcs as there are stretches, equal but for one row, from `start` on. The first row of each arc comes
    first, then the second of each, so the n smallest ranks are stretches of n / stretches rows: exactly n rows, and as `start` is
    uniform, each row is among them with the probability n / rows.
    """
    along = (np.arange(place, place + count, dtype=np.int64) - start) % rows
    arcs = ((along + 1) * stretches - 1) // rows
    return ((along - arcs * rows // stretches) * stretches + arcs).astype(np.uint64)
