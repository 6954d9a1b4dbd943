"""Whatever happens to a file, read + lost is explained: a reader ends with all records, or says what it lost.

Where a layout holds no length or checksum (lines, CSV or text cut at a line, gzip at a member, an Arrow stream or Avro at a
block, a changed letter), nobody can notice; there the rows before the damage are equal, and a file that is shorter than when
it was listed is a failed unit (docs/accounting.md lists these layouts).
"""

import random

import pytest

from tests.read_hf import faults, read_rows
from tests.transforms.read_hf.layout_files import LAYOUTS, ROWS, encrypted_parquet, row_of, write_layout
from transforms.read_hf.plan import plan_read
from transforms.read_hf.read_unit import read_unit
from transforms.read_hf.rows import LostPart, UnitFault

PLACES = 10


def read(folder) -> tuple[list[dict], list[object]]:
    """(rows in order, what could not be read)."""
    rows, lost = [], []
    for _, _, values in read_rows(folder):
        (rows if isinstance(values, dict) else lost).append(values)
    return [row_of(row) for row in rows], lost


def wanted(name: str) -> list[dict]:
    return [{'text': row['text']} for row in ROWS] if name.endswith('.txt') else ROWS


@pytest.mark.parametrize('name', LAYOUTS)
def test_undamaged(tmp_path, name):
    write_layout(tmp_path, name)
    assert read(tmp_path) == (wanted(name), [])


@pytest.mark.parametrize('name', LAYOUTS)
def test_cut(tmp_path, name):
    """A file that was cut and is listed as it is now: only where rows are delimited by nothing may the end go unnoticed."""
    data = write_layout(tmp_path, name).read_bytes()
    for place in range(PLACES):
        size = len(data) * place // PLACES + place
        (tmp_path / name).write_bytes(data[:size])
        rows, lost = read(tmp_path) if size else ([], ['empty'])
        expected = wanted(name)
        whole = [row for row in rows if row in expected]
        assert len(rows) - len(whole) <= 1, (size, rows[-2:])
        assert whole == expected[:len(whole)], size
        ends_anywhere = name in ('train.jsonl', 'docs.json', 'train.csv', 'train.tsv', 'train.txt', 'stream.arrow', 'null.avro',
                                 'deflate.avro', 'snappy.avro')
        assert lost or ends_anywhere, (size, len(rows))


@pytest.mark.parametrize('name', [n for n in LAYOUTS if not n.startswith(('plain', 'file', 'stream', 'null', 'deflate'))])
def test_cut_after_it_was_listed(tmp_path, name):
    path = write_layout(tmp_path, name)
    data = path.read_bytes()
    for place in range(PLACES):
        path.write_bytes(data)
        plan = plan_read(str(tmp_path))
        path.write_bytes(data[:len(data) * place // PLACES])
        faults = 0
        for chain in plan.chains:
            for unit in chain.units:
                try:
                    faults += sum(isinstance(item, LostPart) for item in read_unit(unit))
                except UnitFault:
                    faults += 1
        assert faults, place


@pytest.mark.parametrize('name', LAYOUTS)
def test_overwritten(tmp_path, name):
    """Some bytes overwritten: no row is lost without a word, and where there are checksums none is changed."""
    data, (_, is_checked) = write_layout(tmp_path, name).read_bytes(), LAYOUTS[name]
    noise = random.Random(name)
    expected = wanted(name)
    for place in range(PLACES):
        at = min(len(data) - 8, len(data) * place // PLACES + noise.randrange(8))
        (tmp_path / name).write_bytes(data[:at] + noise.randbytes(8) + data[at + 8:])
        rows, lost = read(tmp_path)
        if is_checked:
            assert all(row in expected for row in rows), (at, [r for r in rows if r not in expected][:2])
        if not lost:
            # Without checksums a changed byte may be a changed value, or may join or split two lines.
            assert abs(len(rows) - len(expected)) <= (0 if is_checked or 'parquet' in name or 'arrow' in name else 2), (at, len(rows))


def test_encrypted_columns_cost_themselves(tmp_path):
    (tmp_path / 'train.parquet').write_bytes(encrypted_parquet(plaintext_footer=True))
    rows = read_rows(tmp_path, columns=('id',))
    assert [values for _, _, values in rows] == [{'id': i} for i in range(300)]
    assert {error for _, error in faults(read_rows(tmp_path))} == {'EncryptedFile'}
    assert sum(values.count for _, _, values in read_rows(tmp_path)) == 300
    (tmp_path / 'train.parquet').write_bytes(encrypted_parquet(plaintext_footer=False))
    assert faults(read_rows(tmp_path)) == [(None, 'EncryptedFile')]


def test_a_link_that_leads_nowhere_is_a_failed_unit(tmp_path):
    write_layout(tmp_path, 'train.jsonl').rename(tmp_path / 'train-0.jsonl')
    (tmp_path / 'train-1.jsonl').symlink_to(tmp_path / 'gone.jsonl')
    assert faults(read_rows(tmp_path)) == [(None, 'FileMissing')]


def test_a_linked_folder_is_followed_and_a_circle_is_not(tmp_path):
    write_layout(tmp_path / 'elsewhere', 'train.jsonl')
    (tmp_path / 'set').mkdir()
    (tmp_path / 'set' / 'data').symlink_to(tmp_path / 'elsewhere')
    (tmp_path / 'elsewhere' / 'up').symlink_to(tmp_path / 'elsewhere')
    assert len(read(tmp_path / 'set')[0]) == 300
