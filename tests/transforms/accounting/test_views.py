import pyarrow as pa
import pytest

from transforms.accounting.views import Viewer, exact_labels_of, labels_of, ranks
from transforms.report.summary import Views


@pytest.mark.parametrize(('value', 'label'), [(0, '0'), (1, '1 to 1'), (1000, '512 to 1,023'), (0.02, '0.01 to 0.1'), (-3, '0'),
                                              ('vi', 'vi'), ('', '(none)'), (True, 'True'), (1 << 40, f'{1 << 40:,} to {(2 << 40) - 1:,}')])
def test_labels(value, label):
    assert dict(labels_of(pa.chunked_array([[value]]))) == {label: 1}


def test_numbers_that_are_names():
    assert dict(exact_labels_of(pa.chunked_array([[0, 90, 90, None]]))) == {'0': 1, '90': 2}


def rows(count: int, start: int = 0) -> pa.Table:
    return pa.table({'file': ['f'] * count, 'row': list(range(start, start + count)), 'id': [str(i) for i in range(count)],
                     'outcome': ['written'] * count, 'reason': [''] * count, 'message': [''] * count,
                     'output': [f'{i}.png' for i in range(count)], 'width': [3] * count})


def sample_of(*tables: pa.Table) -> list[int]:
    whole = Views()
    for table in tables:
        viewer = Viewer(0, 0, 7, ('width',), ())
        viewer.update(table, ('width',))
        whole.add(viewer.views)
    return [record.row for record in whole.sample]


def test_a_sample_does_not_depend_on_how_parts_are_cut():
    assert sample_of(rows(1000)) == sample_of(rows(400), rows(600, 400)) == sample_of(rows(1000))
    assert len(sample_of(rows(1000))) == 20
    assert sample_of(rows(5)) == [0, 1, 2, 3, 4]


def test_ranks_depend_on_seed_source_and_identity():
    table = rows(100)
    same = ranks(1, 0, table)
    assert (same == ranks(1, 0, table)).all()
    assert (same != ranks(2, 0, table)).all()
    assert (same != ranks(1, 1, table)).all()
    assert len(set(same.tolist())) == 100


def test_texts_that_anybody_may_write_do_not_make_views_grow():
    table = rows(1000).set_column(7, 'width', pa.array([f'label {i}' if i % 2 else 'en' for i in range(1000)]))
    viewer = Viewer(0, 0, 7, ('width',), ())
    viewer.update(table, ())
    shown = viewer.finish().histograms['width']
    assert (len(shown), shown['en'], shown.total()) == (200, 500, 1000)
