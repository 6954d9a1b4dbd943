import random

import apache_beam as beam
from apache_beam.testing.util import assert_that
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.accounting.fragments import (
    KeyedPayload,
    WriteFragments,
    merge_fragments,
    read_fragment,
    write_fragment,
)

KEYS = st.sets(st.tuples(st.sampled_from(['a', 'b', 'c.parquet']), st.integers(0, 99)), min_size=1, max_size=60)


@settings(max_examples=30, deadline=None)
@given(KEYS, st.randoms(use_true_random=False), st.integers(1, 5))
def test_merging_any_fragments_gives_identity_order(tmp_path_factory, keys, shuffler, parts):
    folder = str(tmp_path_factory.mktemp('fragments'))
    items = [KeyedPayload(file, row, f'{file}{row}'.encode()) for file, row in keys]
    shuffler.shuffle(items)
    refs = [write_fragment(folder, 'k', part) for i in range(parts) if (part := items[i::parts])]
    assert list(merge_fragments(refs)) == sorted(items, key=lambda i: (i.file, i.row))


def test_bundles_become_sorted_files(pipeline, tmp_path):
    items = [KeyedPayload('f', i, b'x' * 10) for i in range(1000)]
    random.Random(1).shuffle(items)
    refs = pipeline | beam.Create(items) | WriteFragments(str(tmp_path), 'k')

    def check(found):
        assert sum(ref.rows for ref in found) == 1000
        for ref in found:
            rows = [item.row for item in read_fragment(ref.path)]
            assert rows == sorted(rows)
            assert rows[0] == ref.row

    assert_that(refs, check)
