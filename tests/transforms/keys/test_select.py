"""The k-th smallest, and numbers in the order of scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.keys import select
from transforms.keys.select import from_ordered, kth_smallest, to_ordered

NUMBERS = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 2**16, 2**32 - 1, 2**48, 2**63, 2**64 - 1]))


@given(st.lists(st.lists(NUMBERS, max_size=20), min_size=1, max_size=4), st.integers(0, 100), st.sampled_from([0, 5, 1 << 20]))
def test_as_sorting_finds_it(lists, k, at_once):
    arrays = [np.array(numbers, np.uint64) for numbers in lists]
    ordered = sorted(sum(lists, []))
    before, select._AT_ONCE = select._AT_ONCE, at_once
    try:
        if k >= len(ordered):
            with pytest.raises(IndexError):
                kth_smallest(lambda: arrays, k)
        else:
            value = ordered[k]
            assert kth_smallest(lambda: arrays, k) == (value, sum(n < value for n in ordered), ordered.count(value))
    finally:
        select._AT_ONCE = before


@given(st.lists(st.floats(allow_nan=False), min_size=2))
def test_floats_keep_their_order(values):
    array = np.array(values)
    assert (array[np.argsort(to_ordered(array), kind='stable')] == np.sort(array)).all()
    assert [from_ordered(int(n), array.dtype) for n in to_ordered(array)] == values


@given(st.lists(st.integers(-2**63, 2**63 - 1), min_size=2))
def test_integers_keep_their_order(values):
    array = np.array(values, np.int64)
    assert array[np.argsort(to_ordered(array))].tolist() == sorted(values)
    assert [from_ordered(int(n), array.dtype) for n in to_ordered(array)] == values


def test_zeros_are_equal_and_nan_comes_last():
    zero, minus, nan, other, infinite = to_ordered(np.array([0.0, -0.0, np.nan, -np.nan, np.inf]))
    assert zero == minus and nan == other > infinite


@pytest.mark.parametrize('dtype', ['>i8', '>f8', 'u8', 'f4', 'i4'])
def test_scores_of_other_types_are_refused(dtype):
    with pytest.raises(TypeError, match='they must be float64 or int64'):
        to_ordered(np.array([1, 2], dtype))
