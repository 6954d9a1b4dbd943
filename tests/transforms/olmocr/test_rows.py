import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.files.paths import is_unsafe
from transforms.olmocr.filters import RowRules, apply_text_rules, filter_reason
from transforms.olmocr.original import _as_pandas, indented, parse_original
from transforms.olmocr.rows import (
    BadRow,
    OlmocrRow,
    image_path,
    parse_annotation,
    parse_row,
    split_relpath,
    to_flag,
    to_language,
    to_rotation,
)


@pytest.mark.parametrize(('value', 'flag'), [
    (True, True), ('True', True), ('False', False), (1, True), (0.0, False), ('yes', True), (None, True), ('x', True),
    (float('nan'), True)])
def test_flags_in_any_type(value, flag):
    assert to_flag(value, True) is flag


@pytest.mark.parametrize(('value', 'degrees'), [(90, 90), ('270', 270), (180.0, 180), (45, 0), (None, 0), ('x', 0),
                                                (float('inf'), 0), (float('nan'), 0), (-90, 0)])
def test_rotation_in_any_type(value, degrees):
    assert to_rotation(value) == degrees


@pytest.mark.parametrize(('value', 'language'), [('en', 'en'), ('EN ', 'en'), ('None', None), ('', None), (None, None),
                                                 (False, None), ('null', None)])
def test_language_in_any_type(value, language):
    assert to_language(value) == language


@pytest.mark.parametrize(('relpath', 'parts'), [
    ('pdf_tarballs/a.tar.gz:x/y.pdf', ('pdf_tarballs/a.tar.gz', 'x/y.pdf')),
    ('pdf_tarballs/a.tar.gz:m/mss:1-8.pdf', ('pdf_tarballs/a.tar.gz', 'm/mss:1-8.pdf')),
    ('a.tar.gz:./x.pdf', ('a.tar.gz', 'x.pdf')), ('plain.pdf', ('', 'plain.pdf'))])
def test_relpath_is_split_at_the_tarball(relpath, parts):
    assert split_relpath(relpath) == parts


RAW = {'id': 'AB/c:1', 'pdf_relpath': 'pdf_tarballs/t.tar.gz:AB/c:1.pdf', 'natural_text': b'text', 'is_table': b'True',
       'primary_language': b'None', 'rotation_correction': 90, 'is_rotation_valid': 'False'}


def test_the_1025_schema():
    row = parse_row(RAW, 0, 'f', 3, '00_documents', 'train', 'png', 'train')
    assert (row.id, row.archive, row.member) == ('00_documents_train/AB/c:1', 'pdf_tarballs/t.tar.gz', 'AB/c:1.pdf')
    assert (row.text, row.is_table, row.language, row.rotation, row.rotation_valid) == ('text', True, None, 90, False)
    assert row.output.startswith('images/00_documents_train/')
    assert row.output.rpartition('/')[2].startswith('ab-c-1-')


@pytest.mark.parametrize('as_text', [True, False])
def test_the_0225_schema(as_text):
    response = {'natural_text': 'old', 'primary_language': 'en', 'is_table': False, 'rotation_correction': 0}
    row = parse_row({'id': 'hash-3', 'response': json.dumps(response) if as_text else response}, 0, 'f', 0,
                    '01_books', 'eval_iabooks', 'png', 'eval')
    assert (row.id, row.text, row.member, row.archive) == ('01_books_eval_iabooks/hash-3', 'old', 'hash-3.pdf', '')


@pytest.mark.parametrize('raw', [{}, {'id': None}, {'id': 'a', 'natural_text': b'\xff\xfe'},
                                 {'id': 'a', 'response': 'no json'}])
def test_rows_that_are_no_labels(raw):
    with pytest.raises(BadRow):
        parse_row(raw, 0, 'f', 0, 'c', 'train', 'png', 'train')


@given(st.text(min_size=1), st.text(min_size=1))
def test_image_paths_are_safe_and_short(one, two):
    path = image_path('00_documents_train', one, one, 'png')
    name = path.rpartition('/')[2]
    assert len(name.encode()) < 255
    assert all(c.isascii() and (c.islower() or c.isdigit() or c in '._-') for c in name)
    assert not is_unsafe(path)
    assert (one == two) == (path == image_path('00_documents_train', two, two, 'png'))


@pytest.mark.parametrize('path', ['/a', '../a', 'a/../../b', 'a\0b', '', '..\\a', 'x/..'])
def test_unsafe_paths(path):
    assert is_unsafe(path)


ROW = OlmocrRow(0, 'f', 0, 'id', text='x', language='en', rotation=90, rotation_valid=False, is_table=True)


@pytest.mark.parametrize(('rules', 'reason'), [
    (RowRules(), ''), (RowRules(languages=('fr',)), 'language'), (RowRules(languages=('en',)), ''),
    (RowRules(rotation='drop'), 'rotated'), (RowRules(tables='drop'), 'table'), (RowRules(tables='only'), ''),
    (RowRules(diagrams='only'), 'diagram'), (RowRules(languages=('fr',), tables='drop'), 'language')])
def test_label_filters(rules, reason):
    assert filter_reason(ROW, rules) == reason


@pytest.mark.parametrize(('text', 'rules', 'kept', 'reason'), [
    (' a \n', RowRules(), 'a', ''), (None, RowRules(), None, 'blank_text'), ('\u3000', RowRules(), None, 'blank_text'),
    ('', RowRules(blank_answer='none'), None, ''), ('x</s>', RowRules(), 'x</s>', 'special_token'),
    ('x</s>', RowRules(special_tokens='escape'), 'x&lt;/s>', ''), ('x</s>', RowRules(special_tokens='keep'), 'x</s>', ''),
    ('   ', RowRules(verbatim=True), '   ', ''), ('', RowRules(verbatim=True), '', 'blank_text')])
def test_text_rules(text, rules, kept, reason):
    row, found = apply_text_rules(OlmocrRow(0, 'f', 0, 'id', text=text), rules)
    assert (row.text, found) == (kept, reason)


@pytest.mark.parametrize(('relpath', 'record_id', 'output'), [
    ('p/t.tar.gz:d/a.pdf', 'pdf_tarballs/d/a.pdf', 'png_tarballs/d/a.png'), ('d/a.pdf', 'd/a.pdf', 'png_tarballs/d/a.png'),
    ('p/x.tar.gz:d/a:b.pdf', 'pdf_tarballs/d/a:b.pdf', 'png_tarballs/d/a:b.png')])
def test_the_published_converters_names(relpath, record_id, output):
    row = parse_original({'id': 'lost', 'pdf_relpath': relpath, 'natural_text': ' '}, 0, 'f', 0)
    assert (row.id, row.output, row.text) == (record_id, output, ' ')


def test_numbers_beside_nulls_become_floats():
    assert [_as_pandas(1, True), _as_pandas(1, False), _as_pandas(None, False)] == [1.0, 1, None]
    assert math.isnan(_as_pandas(None, True))


@given(st.lists(st.dictionaries(st.text(max_size=3), st.one_of(st.none(), st.text(max_size=9), st.floats()), max_size=3),
                min_size=1, max_size=3))
def test_lists_are_written_as_json_dump_writes_them(items):
    written = '[\n  ' + ',\n  '.join(indented(i).decode() for i in items) + '\n]'
    assert written == json.dumps(items, indent=2, ensure_ascii=False)


def test_annotations_of_others():
    row = parse_annotation({'id': 'doc_0001', 'image': 'images/doc_0001.pdf', 'text': 't'}, 0, 'annotations.json', 0, 'png')
    assert (row.output, row.member, row.split) == ('images/doc_0001.png', 'images/doc_0001.pdf', 'train')
    bad = parse_annotation({'id': 'x', 'image': '../../x.pdf', 'text': 't'}, 0, 'annotations.json', 0, 'png')
    assert not is_unsafe(bad.output)
    with pytest.raises(BadRow):
        parse_annotation({'id': 'x'}, 0, 'annotations.json', 0, 'png')
