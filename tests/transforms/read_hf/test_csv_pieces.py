"""Pieces of a CSV, however it is cut, hold what pandas makes of the whole; bad records cost themselves alone."""

import csv
import gzip
import io
import random

import pandas as pd
import pytest

from tests.read_hf import faults, read_rows
from transforms.read_hf import csv_pieces
from transforms.read_hf.csv_pieces import CsvPieces
from transforms.read_hf.plan import plan_read
from transforms.read_hf.rows import BadRow, ReadLimits, UnitFault
from transforms.read_hf.streams import Stream


@pytest.fixture(params=[16, 100, 4 << 20])
def piece(request, monkeypatch):
    monkeypatch.setattr(csv_pieces, '_PIECE', request.param)
    monkeypatch.setattr(csv_pieces, '_READ', max(8, request.param // 2))


def frames(data: bytes, **params):
    yield from CsvPieces(Stream(io.BytesIO(data).read), 'csv', params, ReadLimits(), {}).frames()


def cells(data: bytes, **params):
    """{row: cells, or the error class}."""
    found = {}
    for row, frame in frames(data, dtype=None, **params):
        if isinstance(frame, BadRow):
            found[row] = frame.error
        else:
            found.update((row + i, [None if pd.isna(v) else str(v) for v in values]) for i, values in enumerate(frame.itertuples(index=False)))
    assert list(found) == list(range(len(found)))
    return found


def table(chance, rows, end='\n', stray=False):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=end)
    writer.writerow(['k', 'a', 'b'])
    for i in range(rows):
        pick = chance.choice(['plain', 'two\nlines', 'quote "here" and, there', ' pad ', '', 'a\r\nb', '\n', 'ö🙂'])
        writer.writerow([f'k{i}', pick, chance.choice(['x', '', 'y"\n"z'])])
        if stray and chance.random() < 0.2:
            out.write(f'k,5" disk,un"quoted{end}')
        if chance.random() < 0.1:
            out.write(chance.choice(['', ' ', '\t ']) + end)
    return out.getvalue().encode()


@pytest.mark.parametrize('stray', [False, True])
@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
def test_however_it_is_cut(piece, end, stray):
    for seed in range(20):
        data = table(random.Random(seed), 60, end, stray)
        whole = pd.read_csv(io.BytesIO(data), low_memory=False)
        expected = {row: [None if pd.isna(v) else str(v) for v in values] for row, values in enumerate(whole.itertuples(index=False))}
        assert cells(data) == expected


def test_extra_fields_cost_their_row_wherever_it_is(piece):
    lines = [b'id,text', *(b'%d,t' % i for i in range(50))]
    for at in range(2, 51):
        for extra in (b',X', b',', b',,Y', b',"a\nb",c'):
            data = b'\n'.join([*lines[:at], lines[at] + extra, *lines[at + 1:]]) + b'\n'
            found = cells(data)
            assert found.pop(at - 1) == 'ExtraFields'
            assert found == {i: [str(i), 't'] for i in range(50) if i != at - 1}


def test_several_bad_rows_in_a_piece(piece):
    found = cells(b'id,text\n0,a\n1,\xff\n2,a,b\n3,a,b,c\n4,"x\ny"\n5\n')
    assert found == {0: ['0', 'a'], 1: 'InvalidUtf8', 2: 'ExtraFields', 3: 'ExtraFields', 4: ['4', 'x\ny'], 5: ['5', None]}


@pytest.mark.parametrize('header', [b'', b'id,text\n'])
def test_more_fields_in_the_first_row_spoil_the_file(piece, header):
    with pytest.raises(UnitFault, match='more fields than its header'):
        list(frames(b'id,text\n1,a,\n' + b'2,b,\n' * 40))


def test_rows_before_a_quote_that_is_never_closed(piece):
    seen, data = [], b'id,text\n' + b'1,a\n' * 30 + b'2,"open\n' + b'3,b\n' * 30
    with pytest.raises(UnitFault, match='a quote that opens in row 30 is not closed'):
        for row, frame in frames(data):
            seen += range(row, row + len(frame))
    assert seen == list(range(30))


def test_a_quote_that_is_not_closed_is_not_held_for_ever(monkeypatch):
    monkeypatch.setattr(csv_pieces, '_PIECE', 1000)
    monkeypatch.setattr(csv_pieces, '_READ', 500)
    read = io.BytesIO(b'id,text\n1,"a\n' + b'2,b\n' * 1_000_000)
    with pytest.raises(UnitFault, match='row 0 is not closed') as raised:
        list(CsvPieces(Stream(read.read), 'csv', {}, ReadLimits(line_bytes=10_000), {}).frames())
    assert raised.value.error == 'LineTooLong' and read.tell() < 100_000


@pytest.mark.parametrize(('data', 'params', 'expected'), [
    (b'junk\nid,t\n1,a\n2,b\n3,c\n', {'skiprows': 1}, {0: ['1', 'a'], 1: ['2', 'b'], 2: ['3', 'c']}),
    (b'junk\nid,t\n1,a\nmore\n2,b\n', {'skiprows': [0, 3]}, {0: ['1', 'a'], 1: ['2', 'b']}),
    (b'id,t\n1,a\n2,b\n3,c\n', {'nrows': 2}, {0: ['1', 'a'], 1: ['2', 'b']}),
    (b'1,a\n2,b\n', {'header': None}, {0: ['1', 'a'], 1: ['2', 'b']}),
    (b'1,a\n2,b,c\n', {'column_names': ['x', 'y']}, {0: ['1', 'a'], 1: 'ExtraFields'}),
    (b'0,1\n1,a\n2,b\n', {'header': 0, 'names': ['x', 'y']}, {0: ['1', 'a'], 1: ['2', 'b']}),
    (b'id,t\n1,a\n2,b,c\n', {'usecols': ['t']}, {0: ['a'], 1: ['b']}),
    (b"id;t\n1;'a;b'\n2;b;c\n", {'sep': ';', 'quotechar': "'"}, {0: ['1', 'a;b'], 1: 'ExtraFields'}),
    (b'id,t\n1,"a\n2,b,c\n3,"\n', {'quoting': 3}, {0: ['1', '"a'], 1: 'ExtraFields', 2: ['3', '"']}),
    (b'id,t\n1,a\\,b\n2,b,c\n', {'escapechar': '\\'}, {0: ['1', 'a,b'], 1: 'ExtraFields'})])
def test_what_a_card_says(piece, data, params, expected):
    assert cells(data, **params) == expected


def test_bad_rows_are_faults_between_rows(tmp_path):
    lines = [f'{i},t' for i in range(25_000)]
    lines[10_000] += ',extra'
    lines[20_000] = '20000,caf\udce9'
    (tmp_path / 'train.csv.gz').write_bytes(gzip.compress(('id,text\n' + '\n'.join(lines)).encode('utf-8', 'surrogateescape')))
    assert plan_read(str(tmp_path)).splits
    found = read_rows(tmp_path)
    assert faults(found) == [(10_000, 'ExtraFields'), (20_000, 'InvalidUtf8')]
    assert [row for _, row, _ in found] == list(range(25_000))
    assert [v['id'] for _, _, v in found if isinstance(v, dict)] == [i for i in range(25_000) if i not in (10_000, 20_000)]


def test_a_header_that_is_no_utf8(piece):
    with pytest.raises(UnitFault, match='its header has bytes') as raised:
        list(frames(b'id,\xff\n1,a\n2,b\n'))
    assert raised.value.error == 'InvalidUtf8'


@pytest.mark.parametrize(('data', 'params', 'expected'), [
    (b'id,t\n1,"a\rb"\n2,b,X\n3,c\n', {}, {0: ['1', 'a\rb'], 1: 'ExtraFields', 2: ['3', 'c']}),
    (b'id\nq\n" "\nx,y\nb\n', {}, {0: ['q'], 1: [' '], 2: 'ExtraFields', 3: ['b']}),
    (b'id\nq\n\n" "\n \nx,y\n"\n"\nb\n', {}, {0: ['q'], 1: [' '], 2: 'ExtraFields', 3: ['\n'], 4: ['b']}),
    (b'k,v\nx1,a\r\nx2\r\tx3\r\nx4', {}, {0: ['x1', 'a'], 1: ['x2', None], 2: ['\tx3', None], 3: ['x4', None]}),
    (b'k,v\r\tx1,a\r x2,b\rx3,"c\r d"\r', {}, {0: ['\tx1', 'a'], 1: [' x2', 'b'], 2: ['x3', 'c\r d']}),
    (b'1,a\n2,b\n3,b,X\n4,c\n', {'names': ['x', 'y'], 'header': 'infer'}, {0: ['1', 'a'], 1: ['2', 'b'], 2: 'ExtraFields', 3: ['4', 'c']}),
    (b'\xef\xbb\xbf"i\nd",t\n1,a\n2,b,X\n3,c\n', {}, {0: ['1', 'a'], 1: 'ExtraFields', 2: ['3', 'c']}),
    (b'id\n\xef\xbb\xbfu\nx,y\n\xef\xbb\xbf\nb\n', {}, {0: ['\ufeffu'], 1: 'ExtraFields', 2: ['\ufeff'], 3: ['b']}),
    (b'id,t\n1,a\n2,b\n3,c,X\n', {'nrows': 2}, {0: ['1', 'a'], 1: ['2', 'b']}),
    (b'id,t\n' + b'1,xxxxxxxxxxx\\\nyyyyyyyyyyyyyy\n' * 20, {'escapechar': '\\'}, {i: ['1', 'xxxxxxxxxxx\nyyyyyyyyyyyyyy'] for i in range(20)}),
    (b'id,t|' + b'1,xxxxxxxxxxx\nyyyyyyyyy\rzzzzz|' * 20, {'lineterminator': '|'}, {i: ['1', 'xxxxxxxxxxx\nyyyyyyyyy\rzzzzz'] for i in range(20)}),
    (b'id,t\n1,a\n2,b,c\n3,\xff\n', {'usecols': ['t']}, {0: ['a'], 1: ['b'], 2: 'InvalidUtf8'}),
    (b'id,t\n1,a\n2,b,c\n', {'quoting': 2}, {0: ['1', 'a'], 1: 'ExtraFields'})])
def test_what_a_reviewer_found(piece, data, params, expected):
    assert cells(data, **params) == expected


@pytest.mark.parametrize('rows', [0, 3, 2000])
def test_an_open_quote_before_a_blank_line(piece, rows):
    seen = []
    with pytest.raises(UnitFault, match=f'row {rows} is not closed'):
        for row, frame in frames(b'id,t\n' + b'r,xxxxx\n' * rows + b'"r,open\n' + b's,yyyyy\n' * 50 + b'\n'):
            seen += range(row, row + len(frame))
    assert seen == list(range(rows))


def test_line_ends_that_are_all_escaped_are_bounded(monkeypatch):
    monkeypatch.setattr(csv_pieces, '_PIECE', 1000)
    with pytest.raises(UnitFault, match='a line of more than'):
        list(CsvPieces(Stream(io.BytesIO(b'id,t\n1,' + b'a\\\n' * 10_000_000).read), 'csv', {'escapechar': '\\'},
                       ReadLimits(line_bytes=10_000), {}).frames())


ODD = ['a', '"', '""', ',', '\n', '\r', '\r\n', ' ', '\t', 'x,y', '"q\n"', 'é', '\ufeff', '5"', "'"]


def test_odd_texts_are_as_pandas_reads_them_or_faults(piece):
    """Where pandas reads the whole, the pieces give the same rows; where it does not, no row is lost without a fault."""
    for seed in range(400):
        chance = random.Random(seed)
        data = ('k,v\n' + ''.join(chance.choice(ODD) for _ in range(chance.randint(1, 60)))).encode()
        if csv_pieces._HANGS.search(data):
            continue
        try:
            whole = pd.read_csv(io.BytesIO(data), low_memory=False, dtype=str, on_bad_lines='error')
            expected = [[None if pd.isna(v) else v for v in values] for values in whole.itertuples(index=False)]
            if not isinstance(whole.index, pd.RangeIndex):
                expected = None
        except ValueError:
            expected = None
        found, failed = [], False
        try:
            for _, frame in CsvPieces(Stream(io.BytesIO(data).read), 'csv', {}, ReadLimits(), {'k': str, 'v': str}).frames():
                failed = failed or isinstance(frame, BadRow)
                if not isinstance(frame, BadRow):
                    found += [[None if pd.isna(v) else v for v in values] for values in frame.itertuples(index=False)]
        except (UnitFault, ValueError):
            failed = True
        assert (found == expected and not failed) if expected is not None else failed, data
