import io
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_pipelines.samples.dataset import Page, write_split, write_tarball
from transforms.accounting.outcome import Outcome
from transforms.files.abort import InputError
from transforms.olmocr.discover import RowFile, classify, discover
from transforms.olmocr.filters import RowRules
from transforms.olmocr.read_pages import _UnitReader
from transforms.olmocr.read_rows import PageUnit, _ReadRowsFn, read_raw_rows
from transforms.olmocr.row_store import RowStore, write_rows
from transforms.olmocr.rows import OlmocrRow
from transforms.report.summary import Count, UnitError
from transforms.run.run import Run

NAMES = {Outcome: 'outcomes', Count: 'counts', UnitError: 'faults'}


@pytest.mark.parametrize(('name', 'parts'), [
    ('00_documents_train.parquet', ('00_documents', 'train', 'train')),
    ('train-s2pdf.parquet', ('00_documents', 'train_s2pdf', 'train')),
    ('eval-iabooks.parquet', ('01_books', 'eval_iabooks', 'eval')), ('other.parquet', None)])
def test_file_names(name, parts):
    assert classify(name) == parts


def test_discover_says_what_is_wrong(tmp_path, dataset):
    with pytest.raises(InputError, match='does not exist'):
        discover(str(tmp_path / 'no'), (), 'all')
    with pytest.raises(InputError, match='holds no file'):
        discover(str(tmp_path), (), 'all')
    with pytest.raises(InputError, match='did you mean 00_documents'):
        discover(str(dataset), ('00_document',), 'all')
    with pytest.raises(InputError, match='has no eval rows'):
        discover(str(dataset), ('documents',), 'eval')
    (tmp_path / '00_documents_train.parquet').write_bytes(b'PAR1 no')
    with pytest.raises(InputError, match='cannot be read as Parquet'):
        discover(str(tmp_path), (), 'all')
    pq.write_table(pa.table({'a': [1]}), tmp_path / '00_documents_train.parquet')
    with pytest.raises(InputError, match='lacks the columns id'):
        discover(str(tmp_path), (), 'all')


def test_discover_counts(dataset):
    found = discover(str(dataset), (), 'all')
    assert [(f.name, f.rows, f.kind) for f in found.files] == [
        ('00_documents_train.parquet', 12, '1025'), ('01_books_eval.parquet', 1, '1025')]
    assert sorted(found.archives)[0] == 'pdf_tarballs/00_documents_train_00000.tar.gz'


def outputs(found: list) -> dict[str, list]:
    from apache_beam.pvalue import TaggedOutput

    tagged: dict[str, list] = {'main': []}
    for item in found:
        if isinstance(item, TaggedOutput):
            assert item.tag == 'accounts'
            tagged.setdefault(NAMES[type(item.value)], []).append(item.value)
        else:
            tagged['main'].append(item)
    return tagged


def read_rows(dataset, tmp_path, rules=None, limit=0, file=0) -> dict[str, list]:
    found = discover(str(dataset), (), 'all')
    fn = _ReadRowsFn(rules or RowRules(), str(tmp_path), 'png', limit, '')
    return outputs(list(fn.process(found.files[file])))


def wanted_rows(unit) -> int:
    store = RowStore(unit.segments)
    return sum(len(store.row_numbers(member)) for member in store.members())


def test_rows_are_cut_by_tarball(dataset, tmp_path):
    cut = read_rows(dataset, tmp_path)
    assert [(u.archive[-12:-7], wanted_rows(u)) for u in cut['main']] == [('00000', 5), ('00001', 5)]
    assert sorted((r.row, r.reason) for r in cut['outcomes']) == [(2, 'blank_text'), (5, 'special_token')]
    assert [(t.kind, t.count) for t in cut['counts']] == [('read', 12)]


def test_limit_counts_rows_before_filters(dataset, tmp_path):
    cut = read_rows(dataset, tmp_path, RowRules(languages=('en',)), limit=4)
    assert [(t.kind, t.count) for t in cut['counts']] == [('read', 4)]
    assert sorted((r.row, r.reason) for r in cut['outcomes']) == [(0, 'language'), (2, 'language')]


def test_a_second_row_with_the_same_id_is_dropped(tmp_path, page_pdf):
    write_split(tmp_path / 'd', 'x', 'train', [Page('a', page_pdf, 't'), Page('a', page_pdf, 'u'), Page('b', page_pdf, 't')])
    cut = read_rows(tmp_path / 'd', tmp_path / 'w')
    assert [(r.row, r.reason) for r in cut['outcomes']] == [(1, 'duplicate_id')]


def write_damaged(folder, page_pdf) -> None:
    """Three row groups of eight rows, of which the second is damaged."""
    pages = [Page(f'p{i}', page_pdf, 'some text ' * 50) for i in range(24)]
    write_split(folder, 'x', 'train', pages, row_group=8)
    path = folder / 'x_train.parquet'
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(10)
    data = bytearray(path.read_bytes())
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    data[start:start + 24] = b'\xff' * 24
    path.write_bytes(data)


def test_a_damaged_row_group_costs_itself(tmp_path, page_pdf):
    write_damaged(tmp_path, page_pdf)
    found = list(read_raw_rows(discover(str(tmp_path), (), 'all').files[0]))
    errors = [item for item in found if isinstance(item, UnitError)]
    assert [(e.unit, e.error, e.count) for e in errors] == [('row group 1', 'DamagedRowGroup', 8)]
    assert [row for row, _ in (i for i in found if not isinstance(i, UnitError))] == [*range(8), *range(16, 24)]


def test_a_limit_stops_before_a_damaged_row_group(tmp_path, page_pdf):
    write_damaged(tmp_path, page_pdf)
    assert 'faults' not in read_rows(tmp_path, tmp_path / 'w', limit=8)
    assert 'faults' in read_rows(tmp_path, tmp_path / 'w', limit=9)


def test_a_text_that_is_no_utf8_costs_its_row(tmp_path):
    table = pa.table({'id': ['a', 'b'], 'pdf_relpath': ['t.tar.gz:a.pdf', 't.tar.gz:b.pdf'],
                      'natural_text': pa.array([b'\xff\xff', b'fine']).cast(pa.binary())})
    pq.write_table(table, tmp_path / 'x_train.parquet')
    cut = read_rows(tmp_path, tmp_path / 'w')
    assert [(r.row, r.outcome, r.reason) for r in cut['outcomes']] == [(0, 'failed', 'BadRow')]
    assert [wanted_rows(u) for u in cut['main']] == [1]


def test_row_store_finds_rows_by_member(tmp_path):
    rows = [OlmocrRow(0, 'f', i, f'id{i}', member=f'm{i % 200}', text=f't{i}', wanted=i != 5) for i in range(400)]
    store = RowStore((write_rows(str(tmp_path), rows[:150]), write_rows(str(tmp_path), rows[150:])))
    assert [r.row for r in store.rows('m7')] == [7, 207]
    assert [r.row for r in store.rows('m5')] == [205]
    assert store.is_named('m5')
    assert not store.is_named('nobody')
    assert list(store.rows('m3')) == [rows[3], rows[203]]
    store.close()


def read_unit(root, rows: list[OlmocrRow], tmp_path, archive='t.tar.gz', **changes) -> dict[str, list]:
    unit = PageUnit(RowFile('/f', 'f', 'c', 'train', 'train', 3, 9, 0.0, '1025'), archive, 0, (write_rows(str(tmp_path / 'rows'), rows),))
    settings = {'root': str(root), 'run': Run('p', '', str(tmp_path), str(tmp_path / 'work')), 'upright': True,
                'stop_early': False, 'max_bytes': 1 << 20, **changes}
    return outputs(list(_UnitReader(unit, **settings).read()))


def rows_of(*members: str) -> list[OlmocrRow]:
    return [OlmocrRow(0, 'f', i, f'id{i}', 't.tar.gz', m, f'{i}.png', 'text', rotation=90) for i, m in enumerate(members)]


def test_an_archive_gives_pages_missing_ones_and_warnings(tmp_path):
    write_tarball(tmp_path / 't.tar.gz', {'a.pdf': b'A', './b.pdf': b'B', 'orphan.pdf': b'O'})
    found = read_unit(tmp_path, rows_of('a.pdf', 'b.pdf', 'lost.pdf'), tmp_path)
    pages = {p.row: p for p in found['main']}
    assert [(pages[i].data, pages[i].rotation, pages[i].expect_ink) for i in (0, 1)] == [(b'A', 90, True), (b'B', 90, True)]
    assert (pages[2].error, pages[2].listed) == ('PdfMissing', True)
    assert [(t.name, t.count) for t in found['counts']] == [('orphan_member', 1)]


def test_a_damaged_archive_is_one_error_for_many_rows(tmp_path):
    import random

    noise = random.Random(0)
    names = [f'{i:02d}.pdf' for i in range(12)]
    write_tarball(tmp_path / 't.tar.gz', {name: noise.randbytes(20000) for name in names})
    data = (tmp_path / 't.tar.gz').read_bytes()
    (tmp_path / 't.tar.gz').write_bytes(data[:len(data) // 2])
    found = read_unit(tmp_path, rows_of(*names), tmp_path)
    lost = [p for p in found['main'] if getattr(p, 'error', '')]
    assert 0 < len(lost) < 12
    assert {(p.error, p.listed) for p in lost} == {('PdfMissing', False)}
    assert [(e.error, e.count) for e in found['faults']] == [('DamagedArchive', len(lost))]


def test_a_missing_tarball_drops_its_rows_and_is_a_warning(tmp_path):
    found = read_unit(tmp_path, rows_of('a.pdf', 'b.pdf'), tmp_path)
    assert [r.reason for r in found['outcomes']] == ['tarball_missing'] * 2
    assert 'errors' not in found
    assert [(t.kind, t.name, t.count) for t in found['counts']] == [('warning', 'tarball_missing', 1)]


@pytest.mark.parametrize('folder', ['pdf_tarballs', 'pdf_tarballs/extracted'])
def test_extracted_files_are_found_and_never_outside(tmp_path, folder):
    (tmp_path / 'in' / folder).mkdir(parents=True)
    (tmp_path / 'in' / folder / 'a.pdf').write_bytes(b'A')
    (tmp_path / 'secret.pdf').write_bytes(b'S')
    found = read_unit(tmp_path / 'in', rows_of('a.pdf', '../secret.pdf', '/etc/passwd'), tmp_path)
    assert [(p.row, getattr(p, 'error', ''), bool(getattr(p, 'path', ''))) for p in found['main']] == [
        (0, '', True), (1, 'PdfMissing', False), (2, 'PdfMissing', False)]


def test_with_a_limit_reading_stops_when_all_rows_were_found(tmp_path):
    write_tarball(tmp_path / 't.tar.gz', {f'{i}.pdf': b'x' for i in range(5)})
    data = (tmp_path / 't.tar.gz').read_bytes()
    (tmp_path / 't.tar.gz').write_bytes(data[:-8])  # what is behind is never read
    found = read_unit(tmp_path, rows_of('0.pdf'), tmp_path, stop_early=True)
    assert [p.row for p in found['main']] == [0]
    assert 'errors' not in found


@pytest.mark.parametrize(('members', 'wanted'), [
    ([('a.pdf', b'1'), ('b.pdf', '->a.pdf'), ('a.pdf', b'2')], {'a.pdf': b'2', 'b.pdf': b'2'}),
    ([('a.pdf', b'1'), ('b.pdf', '=a.pdf'), ('a.pdf', b'2')], {'a.pdf': b'2', 'b.pdf': b'1'}),
    ([('a.pdf', b'1'), ('a.pdf', b'2'), ('b.pdf', '=a.pdf')], {'b.pdf': b'2'}),
    ([('b.pdf', '->a.pdf'), ('c.pdf', '->b.pdf'), ('a.pdf', b'1')], {'b.pdf': b'1', 'c.pdf': b'1'}),
    ([('real/a.pdf', b'1'), ('docs', '->real')], {'docs/a.pdf': b'1'}),
    ([('a.pdf', b'1'), ('b.pdf', '->a.pdf'), ('b.pdf', b'2')], {'a.pdf': b'1', 'b.pdf': b'2'}),
    ([('x//./a.pdf', b'1'), ('/b.pdf', b'2')], {'x/a.pdf': b'1', 'b.pdf': b'2'}),
], ids=['symbolic', 'hard', 'hard-after', 'chain', 'folder', 'replaced', 'names'])
def test_members_are_what_tar_makes_of_them(tmp_path, members, wanted):
    with tarfile.open(tmp_path / 't.tar.gz', 'w:gz') as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            else:
                info.type = tarfile.SYMTYPE if content.startswith('->') else tarfile.LNKTYPE
                info.linkname = content.lstrip('->=')
                tar.addfile(info)
    found = read_unit(tmp_path, rows_of(*wanted), tmp_path)
    assert {page.name: page.data for page in found['main']} == wanted
