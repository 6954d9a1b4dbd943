from transforms.files.spill import SpillingBuffers


def test_the_largest_buffer_is_written_first_and_nothing_is_lost():
    written = []

    def write(items):
        written.append(list(items))
        return len(written) - 1

    buffers = SpillingBuffers(write, 100)
    for i in range(30):
        buffers.add('big' if i % 3 else 'small', i, 10)
    found = dict(buffers.finish())
    assert all(i % 3 for i in written[0]), 'the largest buffer goes first'
    assert list(found) == ['big', 'small']
    assert [i for s in found['big'] for i in written[s]] == [i for i in range(30) if i % 3]
    assert [i for s in found['small'] for i in written[s]] == list(range(0, 30, 3))
    assert max(map(len, written)) <= 10


def test_without_items_there_are_no_units():
    assert list(SpillingBuffers(len, 1).finish()) == []
