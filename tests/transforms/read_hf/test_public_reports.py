"""Small inputs after public bug reports, each named after its kind: the right value, or a word on what is not read."""

import datetime
import math

import pytest

from tests.conftest import shared
from tests.read_hf import faults, read_all, read_rows
from transforms.read_hf.card import DatasetError
from transforms.read_hf.plan import plan_read

UTC = datetime.timezone.utc


def rows_of(name: str) -> list[dict]:
    """All rows of a case; nothing may be wrong."""
    return [row for rows in read_all(shared('reading_cases') / name).values() for row in rows]


@pytest.mark.parametrize(('kind', 'rows'), [
    ('avro_snappy', [{'id': i, 't': f'x{i}'} for i in range(5)]),
    ('arrow_saved', [{'a': 1}, {'a': 2}, {'a': 3}]),
    ('card_bom', [{'id': 'a0'}, {'id': 'a1'}]),
    ('cfg_csv_encoding', [{'id': 1, 't': 'café'}]),
    ('cfg_json_encoding', [{'t': 'café'}]),
    ('cfg_dup_split', [{'id': 'a0'}, {'id': 'a1'}, {'id': 'b0'}, {'id': 'b1'}]),
    ('csv_card_features', [{'zip': '00123', 'label': 0}, {'zip': '04567', 'label': 1}]),
    ('j6_list_bigint', [{'id': 1}, {'id': 2 ** 63}, {'id': 3}]),
    ('j6_sparse_struct', [{'id': 1, 'a': 'x', 'b': None}, {'id': 2, 'a': None, 'b': {'c': 1}},
                          {'id': 3, 'a': None, 'b': {'d': [1.5, 2]}}, {'id': 4, 'a': None, 'b': None}]),
    ('json_pretty_concat', [{'id': i, 't': 'x'} for i in range(3)]),
    ('json_tz', [{'t': datetime.datetime(2024, 1, 2, 1, 4, 5, tzinfo=UTC)},
                 {'t': datetime.datetime(2024, 6, 2, 1, 4, 5, tzinfo=UTC)}]),
    ('pq_missing_col', [{'a': 1, 'b': 'x'}, {'a': 2, 'b': 'y'}, {'a': 3, 'b': None}]),
], ids=lambda value: value if isinstance(value, str) else '')
def test_the_right_values(kind, rows):
    assert rows_of(kind) == rows


def test_nan_in_a_json_list():
    rows = rows_of('json_nan_list')
    assert [row['id'] for row in rows] == list(range(6)) and math.isnan(rows[2]['score'])


def test_one_type_for_a_csv_column_that_turns_to_text_late():
    codes = [row['code'] for row in rows_of('csv_str_after_mib')]
    assert len(codes) == 3000 and codes[:2900] == [f'{i:05d}' for i in range(2900)] and codes[2900] == 'A1'


def test_a_byte_order_mark_in_a_tar_member():
    assert [row['json'] for row in rows_of('wds6_bom')] == [{'k': 1}, {'k': 2}]


def test_captions_beside_a_zip_of_images():
    rows = rows_of('zip_images_meta_beside')
    assert len(rows) == 3 and all(row['image']['bytes'].startswith(b'\x89PNG') and row['text'] for row in rows)


def test_file_names_of_image_metadata():
    rows = rows_of('img_file_names')
    assert [[image['path'].rpartition('/')[2] for image in row['images']] for row in rows] == [
        ['0.png', '1.png'], ['2.png', '3.png']]


def test_columns_missing_with_and_without_a_choice_of_columns():
    rows = read_all(shared('reading_cases') / 'pq_missing_col', columns=('b',))
    assert [row for of in rows.values() for row in of] == [{'b': 'x'}, {'b': 'y'}, {'b': None}]


@pytest.mark.parametrize(('kind', 'error'), [
    ('csv_lfs_pointer', 'LfsPointer'), ('pq_encrypted_plainfooter', 'EncryptedFile')])
def test_a_file_that_cannot_be_read_is_a_failed_unit(kind, error):
    assert faults(read_rows(shared('reading_cases') / kind)) == [(None, error)]


def test_an_encrypted_column_does_not_cost_the_others():
    rows = read_all(shared('reading_cases') / 'pq_encrypted_plainfooter', columns=('b',))
    assert [row for of in rows.values() for row in of] == [{'b': 2}]


def test_a_list_on_each_line_is_refused_line_by_line():
    assert faults(read_rows(shared('reading_cases') / 'json_lines_of_lists')) == [(i, 'NotARecord') for i in range(3)]


@pytest.mark.parametrize(('kind', 'words'), [
    ('cfg_mixed_formats', 'names a.jsonl and c.parquet for one split'), ('cfg_csv_usecols', 'gives index_col, parse_dates'),
    ('img_meta_both', 'metadata.csv, metadata.jsonl in one folder')])
def test_refused_with_a_line_that_says_which(kind, words):
    with pytest.raises(DatasetError, match=words):
        plan_read(str(shared('reading_cases') / kind))
