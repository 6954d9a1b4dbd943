"""Compressed lines are inflated once, into blocks that workers share: the same rows as of the whole file."""

import bz2
import gzip
import lzma
import random

import orjson
import pytest
import zstandard

from transforms.read_hf.inflate import inflate, read_block
from transforms.read_hf.plan import plan_read
from transforms.read_hf.read_unit import read_unit
from transforms.read_hf.rows import BadRow, LostPart, ReadLimits, UnitFault
from transforms.read_hf.units import uncut

PART = 100_000
LIMITS = ReadLimits(line_bytes=300_000)
PACK = {'gz': gzip.compress, 'zst': zstandard.compress, 'bz2': bz2.compress, 'xz': lzma.compress}


def long_lines(count: int, seed: int = 0) -> list[bytes]:
    chance = random.Random(seed)
    return [orjson.dumps({'id': i, 't': chance.randbytes(chance.choice((3, 40, 400))).hex()}) for i in range(count)]


def read_both(tmp_path, data: bytes, name: str) -> tuple[list, list, int]:
    """(what the whole file gives, what its blocks give, how many blocks there are)."""
    (tmp_path / name).write_bytes(data)
    plan = plan_read(str(tmp_path), part_bytes=PART, inflates=True)
    units = [unit for chain in plan.chains for unit in chain.units]
    assert plan.inflated == (tuple(units),) and len(plan.parts) == len(units) > 1
    whole = uncut(units)
    assert len(whole) == 1 and whole[0].label == 'whole file'
    folder = str(tmp_path / 'work')
    inflate(units, folder)
    blocks = [list(rows) for rows in (read_all(lambda unit=unit: read_block(unit, folder, LIMITS)) for unit in units)]
    numbers = [item[0] for block in blocks for item in block if item[0] != 'fault']
    assert numbers == sorted(set(numbers))
    return list(read_all(lambda: read_unit(whole[0], LIMITS))), [item for block in blocks for item in block], sum(map(bool, blocks))


def read_all(rows) -> list:
    """What it gives, a fault as its class and message."""
    found = []
    try:
        for item in rows():
            found.append(('fault', item.error) if type(item) is LostPart else item)
    except UnitFault as fault:
        found.append(('fault', fault.error))
    return found


def values(items: list) -> list:
    return [item[1].error if type(item[1]) is BadRow else item[1] for item in items]


@pytest.mark.parametrize('packing', PACK)
def test_blocks_have_the_rows_of_the_file(tmp_path, packing):
    whole, blocks, count = read_both(tmp_path, PACK[packing](b'\n'.join(long_lines(3_000)) + b'\n'), f'train.jsonl.{packing}')
    assert values(blocks) == values(whole) == [orjson.loads(line) for line in long_lines(3_000)]
    assert count >= 3


@pytest.mark.parametrize('last', [b'', b'\n', b'\n\n\n', b'\n{"id": 1'])
def test_of_any_end(tmp_path, last):
    lines = long_lines(2_000, 1)
    lines[700:700] = [b'', b'{"id": 1}{"id": 2} {"id": 3}', b'[1]', b'{"id"', b'\xff', b'{"t": "' + b'x' * 2_000_000 + b'"}', b' ']
    whole, blocks, _ = read_both(tmp_path, gzip.compress(b'\n'.join(lines) + last), 'train.jsonl.gz')
    assert values(blocks) == values(whole)
    assert {'LineTooLong', 'NotARecord', 'InvalidJson', 'InvalidUtf8'} <= {value for value in values(whole) if type(value) is str}


def test_lines_of_text_that_carriage_returns_end(tmp_path):
    chance = random.Random(2)
    text = ''.join(chance.choice(('đ', 'x', '\n', '\r', '\r\n', chance.randbytes(30).hex())) for _ in range(60_000))
    whole, blocks, count = read_both(tmp_path, gzip.compress(text.encode()), 'train.txt.gz')
    assert values(blocks) == values(whole)
    assert count > 3


def test_a_file_without_line_ends_is_one_block(tmp_path):
    line = b'{"t": "' + random.Random(3).randbytes(400_000).hex().encode() + b'"}'
    whole, blocks, count = read_both(tmp_path, gzip.compress(line), 'train.jsonl.gz')
    assert values(whole) == values(blocks) == ['LineTooLong'] and count == 1


@pytest.mark.parametrize('cut', [11, 150_000, 250_000, -4])
def test_a_file_that_breaks_off(tmp_path, cut):
    data = gzip.compress(b'\n'.join(long_lines(3_000, 4)))
    whole, blocks, _ = read_both(tmp_path, data[:cut] + bytes(120_000 if cut == 11 else 0), 'train.jsonl.gz')
    assert [item for item in blocks if item[0] == 'fault'] == [item for item in whole if item[0] == 'fault'] == [('fault', 'DamagedFile')]
    assert values(blocks)[:-1] == values(whole)[:-1]


def test_a_file_that_is_gone_is_one_fault(tmp_path):
    (tmp_path / 'train.jsonl.gz').write_bytes(gzip.compress(b'\n'.join(long_lines(2_000))))
    units = plan_read(str(tmp_path), part_bytes=PART, inflates=True).inflated[0]
    away = (tmp_path / 'train.jsonl.gz').rename(tmp_path / 'away')
    inflate(units, str(tmp_path / 'work'))
    assert [item for unit in units for item in read_all(lambda unit=unit: read_block(unit, str(tmp_path / 'work'), LIMITS))] == [('fault', 'FileMissing')]
    away.rename(tmp_path / 'train.jsonl.gz')  # mended, and the run goes on
    inflate(units, str(tmp_path / 'work'))
    assert len([item for unit in units for item in read_all(lambda unit=unit: read_block(unit, str(tmp_path / 'work'), LIMITS))]) == 2_000


def test_what_is_not_inflated(tmp_path):
    """Small files, lists, many members, and whatever a limit ends early."""
    data = b'\n'.join(long_lines(3_000))
    (tmp_path / 'small.jsonl.gz').write_bytes(gzip.compress(b'{"id": 1}\n'))
    (tmp_path / 'list.json.gz').write_bytes(gzip.compress(b'[' + b','.join(long_lines(3_000)) + b']'))
    (tmp_path / 'members.jsonl.gz').write_bytes(b''.join(gzip.compress(data[at:at + 90_000]) for at in range(0, len(data), 90_000)))
    (tmp_path / 'table.csv.gz').write_bytes(gzip.compress(b'a\n' + data))
    for name in ('small.jsonl.gz', 'list.json.gz', 'members.jsonl.gz', 'table.csv.gz'):
        assert plan_read(str(tmp_path / name), part_bytes=PART, inflates=True).inflated == (), name
    (tmp_path / 'one.jsonl.gz').write_bytes(gzip.compress(data))
    assert plan_read(str(tmp_path / 'one.jsonl.gz'), part_bytes=PART).inflated == ()
    assert plan_read(str(tmp_path / 'one.jsonl.gz'), part_bytes=PART, limit=5, inflates=True).inflated == ()


def test_a_part_holds_blocks_of_one_file_alone(tmp_path):
    for name in ('a.jsonl.gz', 'b.jsonl', 'c.jsonl.gz', 'd.jsonl.gz'):
        data = b'\n'.join(long_lines(600 if name == 'b.jsonl' else 900))
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith('gz') else data[:50_000])
    plan = plan_read(str(tmp_path), part_bytes=PART, inflates=True)
    of_part: dict[int, set] = {}
    for chain in plan.chains:
        for unit in chain.units:
            of_part.setdefault(unit.origin.part, set()).add(unit.file.path if unit.block >= 0 else '')
    assert all(len(files) == 1 for files in of_part.values()) and len(plan.inflated) == 3


def test_of_many_files_none_is_inflated(tmp_path, monkeypatch):
    """They keep all workers busy as they are; where one has most of the bytes it is."""
    monkeypatch.setattr('transforms.read_hf.plan._LEAST_PART', 100_000)
    for name in 'abcdef':
        (tmp_path / f'{name}.jsonl.gz').write_bytes(gzip.compress(b'\n'.join(long_lines(1_200))))
    assert plan_read(str(tmp_path), inflates=True).inflated == ()
    assert len(plan_read(str(tmp_path), part_bytes=PART, inflates=True).inflated) == 6
    (tmp_path / 'z.jsonl.gz').write_bytes(gzip.compress(b'\n'.join(long_lines(6_000))))
    assert [units[0].file.path for units in plan_read(str(tmp_path), inflates=True).inflated] == ['z.jsonl.gz']


def test_blocks_of_another_cut_are_not_taken(tmp_path):
    """As of a run that was given up, and begun again with shards of another size."""
    (tmp_path / 'train.jsonl.gz').write_bytes(gzip.compress(b'\n'.join(long_lines(3_000))))
    for size in (PART, 3 * PART, PART):
        units = plan_read(str(tmp_path), part_bytes=size, inflates=True).inflated[0]
        inflate(units, str(tmp_path / 'work'))
        rows = [item for unit in units for item in read_block(unit, str(tmp_path / 'work'), LIMITS)]
        assert [values['id'] for _, values in rows] == list(range(3_000))
