import random

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.accounting import fragments
from transforms.accounting.fragments import merge_fragments, read_payloads, write_fragment, write_payloads

KEYS = st.sets(st.tuples(st.sampled_from(['a', 'b', 'c.parquet']), st.integers(0, 99)), min_size=1, max_size=60)


@settings(max_examples=30, deadline=None)
@given(KEYS, st.randoms(use_true_random=False), st.integers(1, 5), st.sampled_from([2, 256]), st.integers(1, 4))
def test_merging_any_fragments_gives_identity_order(tmp_path_factory, keys, shuffler, parts, at_once, batch_rows):
    folder = str(tmp_path_factory.mktemp('fragments'))
    items = [(file, row, f'{file}{row}'.encode()) for file, row in keys]
    shuffler.shuffle(items)
    before = fragments._OPEN_FRAGMENTS, fragments._BATCH_ROWS
    fragments._OPEN_FRAGMENTS, fragments._BATCH_ROWS = at_once, batch_rows
    try:
        refs = [write_payloads(folder, 0, 'k', part) for i in range(parts) if (part := items[i::parts])]
        assert list(read_payloads(refs, folder)) == sorted(items)
    finally:
        fragments._OPEN_FRAGMENTS, fragments._BATCH_ROWS = before


def test_large_payloads_are_read_a_few_at_a_time(tmp_path):
    noise = random.Random(1)
    ref = write_payloads(str(tmp_path), 0, 'k', [('f', i, noise.randbytes(100_000)) for i in range(20)])
    with pa.ipc.open_stream(ref.path) as reader:
        assert max(batch.nbytes for batch in reader) < 400_000


def test_columns_that_a_fragment_lacks_are_null(tmp_path):
    schema = pa.schema([('file', pa.string()), ('row', pa.int64()), ('width', pa.int32())])
    one = write_fragment(str(tmp_path), 0, 'r', [pa.record_batch([['f'], [1], [7]], schema=schema)], 1)
    two = write_fragment(str(tmp_path), 0, 'r', [pa.record_batch({'file': ['f'], 'row': [0]})], 1)
    rows = [row for table in merge_fragments([one, two], schema, str(tmp_path)) for row in table.to_pylist()]
    assert rows == [{'file': 'f', 'row': 0, 'width': None}, {'file': 'f', 'row': 1, 'width': 7}]
