"""What the report shows of one part's outcomes, gathered from columns."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.accounting.outcome import WRITTEN
from transforms.report.summary import EXAMPLES, SAMPLE_SIZE, SampledRecord, Views

# Decades below 1, powers of two from there.
_EDGES = np.concatenate([10.0 ** np.arange(-9, 0), 2.0 ** np.arange(0, 63)])


def labels_of(column: pa.ChunkedArray) -> Counter:
    """Counts by histogram label: a text or flag stands for itself, a number for its power of two, below 1 its decade."""
    column = column.drop_null()
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        places = np.searchsorted(_EDGES, column.to_numpy().astype(np.float64), 'right')
        return Counter({_label(int(place)): int(n) for place, n in zip(*np.unique(places, return_counts=True), strict=True)})
    return Counter({str(v['values']) if v['values'] != '' else '(none)': v['counts'] for v in pc.value_counts(column).to_pylist()})


def exact_labels_of(column: pa.ChunkedArray) -> Counter:
    """Counts by value, for numbers that are names, such as degrees."""
    return Counter({str(v['values']): v['counts'] for v in pc.value_counts(column.drop_null()).to_pylist()})


def _label(place: int) -> str:
    if place == 0:
        return '0'
    low = _EDGES[place - 1]
    if low < 1:
        return f'{low:g} to {_EDGES[place]:g}'
    return f'{int(low):,} to {2 * int(low) - 1:,}'


def ranks(seed: int, source: int, table: pa.Table) -> np.ndarray:
    """A hash of each row's identity (source, file, row) and the seed, as uint64."""
    files = table['file'].combine_chunks().dictionary_encode()
    keys = [int.from_bytes(hashlib.sha256(f'{seed}:{source}:{file}'.encode('utf-8', 'surrogatepass')).digest()[:8], 'big')
            for file in files.dictionary.to_pylist()]
    mixed = np.array(keys, np.uint64)[files.indices.to_numpy()] + table['row'].to_numpy().astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # splitmix64
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


class Viewer:
    """Gathers the views of a part.

    Args:
        part: its number.
        source: the number of its source.
        seed: of the sample.
        histograms: columns whose distribution is shown.
        exact: those of them whose numbers are names.
        read: columns whose distribution over all that was read is shown.
    """

    def __init__(self, part: int, source: int, seed: int, histograms: tuple[str, ...], exact: tuple[str, ...],
                 read: tuple[str, ...] = ()) -> None:
        self._part, self._source, self._seed, self._histograms, self._exact, self._read = part, source, seed, histograms, exact, read
        self.views = Views()

    def update(self, table: pa.Table, columns: tuple[str, ...]) -> None:
        """Adds rows, which come in order of file and row; `columns` are those that samples keep as details."""
        written = pc.equal(table['outcome'], WRITTEN)
        self._add_examples(table.filter(pc.invert(written)))
        for column in self._read:
            self._count(f'{column} read', column, table)
        table = table.filter(written)
        if not table.num_rows:
            return
        for column in self._histograms:
            self._count(column, column, table)
        order = ranks(self._seed, self._source, table)
        best = np.argpartition(order, SAMPLE_SIZE)[:SAMPLE_SIZE] if len(order) > SAMPLE_SIZE else np.arange(len(order))
        sample = []
        for index, row in zip(best, table.take(best).to_pylist(), strict=True):
            details = {name: row[name] for name in columns}
            sample.append(SampledRecord(self._part, row['file'], row['row'], int(order[index]), row['id'], row['output'], details))
        self.views.add(Views(sample=sample))

    def _count(self, name: str, column: str, table: pa.Table) -> None:
        count = exact_labels_of if column in self._exact else labels_of
        self.views.histograms.setdefault(name, Counter()).update(count(table[column]))

    def _add_examples(self, table: pa.Table) -> None:
        if not table.num_rows:
            return
        groups = table.select(['outcome', 'reason']).group_by(['outcome', 'reason'], use_threads=False).aggregate([])
        for outcome, reason in zip(*(groups[n].to_pylist() for n in ('outcome', 'reason')), strict=True):
            shown = self.views.examples.setdefault(f'{outcome} {reason}', [])
            if len(shown) < EXAMPLES:
                same = table.filter(pc.and_(pc.equal(table['outcome'], outcome), pc.equal(table['reason'], reason)))
                for row in same.slice(0, EXAMPLES - len(shown)).to_pylist():
                    shown.append((row['id'], row['file'], row['row'], row['message']))

    def finish(self) -> Views:
        """The part's views, of constant size."""
        whole = Views()
        whole.add(self.views)
        return whole

    @property
    def sampled(self) -> set[tuple[str, int]]:
        """Identities within the part of what may be shown."""
        return {(record.file, record.row) for record in self.views.sample}

    def add_text(self, texts: dict[tuple[str, int], str]) -> None:
        """Excerpts by identity."""
        self.views.sample = [replace(r, text=texts.get((r.file, r.row), r.text)) for r in self.views.sample]
