"""Strangers' files: one record or one part is reported, the rest is read, memory stays bounded."""

import gzip
import io
import json
import subprocess
import sys
import tarfile
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.read_hf import faults, read_rows

ROOT_CODE = """
import re, sys
from tests.read_hf import read_rows, faults
rows = read_rows(sys.argv[1])
print(len([r for r in rows if isinstance(r[2], dict)]), faults(rows)[:3],
      int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) // 1024)
"""


def lines(count, start=0) -> bytes:
    return b''.join(json.dumps({'id': i}).encode() + b'\n' for i in range(start, start + count))


def ids(rows) -> list[int]:
    return [values['id'] for _, _, values in rows if isinstance(values, dict)]


def in_a_process(path) -> tuple[int, str, int]:
    """(rows read, faults, peak memory in MiB) of reading in a process of its own."""
    done = subprocess.run([sys.executable, '-c', ROOT_CODE, str(path)], capture_output=True, text=True, check=False,
                          timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    count, rest = done.stdout.strip().split(' ', 1)
    words, peak = rest.rsplit(' ', 1)
    return int(count), words, int(peak)


@pytest.mark.parametrize('name', ['train.jsonl', 'train.jsonl.gz'])
def test_a_line_of_100_mb_is_one_record(tmp_path, name):
    data = lines(5) + b'{"id": "' + b'x' * (100 << 20) + b'"}\n' + lines(5, 5)
    (tmp_path / name).write_bytes(gzip.compress(data, 1) if name.endswith('gz') else data)
    count, words, peak = in_a_process(tmp_path)
    assert (count, 'LineTooLong' in words) == (10, True)
    assert peak < 400


def test_lines_that_are_no_json_or_no_utf8(tmp_path):
    (tmp_path / 'train.jsonl').write_bytes(lines(2) + b'{"id": \n' + b'{"id": "\xff"}\n' + b'[1]\n' + b'null\n'
                                           + b'\x00\x00\n' + b'[' * 5000 + b'\n' + lines(2, 2) + b'{"id": 4')
    rows = read_rows(tmp_path)
    assert ids(rows) == [0, 1, 2, 3]
    assert faults(rows) == [(2, 'InvalidJson'), (3, 'InvalidUtf8'), (4, 'NotARecord'), (5, 'NotARecord'),
                            (6, 'InvalidJson'), (7, 'TooDeep'), (10, 'InvalidJson')]


def test_text_that_is_no_utf8(tmp_path):
    (tmp_path / 'train.txt').write_bytes(b'one\n\xff\xfe\nthree\n')
    rows = read_rows(tmp_path)
    assert [v.get('text') for _, _, v in rows if isinstance(v, dict)] == ['one', 'three']
    assert faults(rows) == [(1, 'InvalidUtf8')]


def test_a_gzip_that_is_cut_or_damaged(tmp_path):
    packed = gzip.compress(lines(20_000))
    (tmp_path / 'train.jsonl.gz').write_bytes(packed[:len(packed) * 2 // 3])
    rows = read_rows(tmp_path)
    found = ids(rows)
    assert found == list(range(len(found))) and 10_000 < len(found) < 20_000
    assert faults(rows)[-1] == (None, 'DamagedFile')
    (tmp_path / 'train.jsonl.gz').write_bytes(b'\x1f\x8b' + b'garbage' * 10)
    assert faults(read_rows(tmp_path)) == [(None, 'DamagedFile')]


@pytest.mark.parametrize('name', ['train.jsonl.zst', 'train.jsonl.bz2', 'train.jsonl.xz', 'train.csv', 'train.json',
                                  'train.arrow', 'train.avro', 'train.parquet', 'train.zip', 'train.tar', 'train.tar.gz'])
@pytest.mark.parametrize('data', [b'', b'garbage garbage garbage \xff\x00' * 40, b'{"', b'PAR1' + b'\xff' * 50 + b'PAR1'])
def test_garbage_of_every_name_is_reported_or_read(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    rows = read_rows(tmp_path)
    wrong = faults(rows)
    if data and name != 'train.csv':
        assert wrong and all(error.isidentifier() for _, error in wrong)


def test_parquet_with_a_wrong_footer_loses_that_file_alone(tmp_path):
    for i in range(3):
        pq.write_table(pa.table({'id': list(range(i * 10, i * 10 + 10))}), tmp_path / f'train-{i}.parquet')
    data = bytearray((tmp_path / 'train-1.parquet').read_bytes())
    data[-60:-12] = b'\xff' * 48
    (tmp_path / 'train-1.parquet').write_bytes(data)
    rows = read_rows(tmp_path)
    assert ids(rows) == [*range(10), *range(20, 30)] and faults(rows) == [(None, 'DamagedFile')]


def test_parquet_with_corrupt_pages_loses_that_row_group_alone(tmp_path):
    path = tmp_path / 'train.parquet'
    pq.write_table(pa.table({'id': list(range(4000))}), path, row_group_size=1000, compression='snappy',
                   use_dictionary=False)
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(0)
    data = bytearray(path.read_bytes())
    at = chunk.data_page_offset
    data[at:at + chunk.total_compressed_size] = b'\xff' * chunk.total_compressed_size
    path.write_bytes(data)
    rows = read_rows(tmp_path)
    assert ids(rows) == [*range(1000), *range(2000, 4000)]
    assert faults(rows) == [(None, 'DamagedRowGroup')]


@pytest.mark.acceptance
def test_parquet_with_a_million_columns_is_refused_before_it_is_parsed(tmp_path):
    import struct

    path = tmp_path / 'train.parquet'
    pq.write_table(pa.table({f'c{i}': [i] for i in range(60_000)}), path)
    footer = struct.unpack('<I', path.read_bytes()[-8:-4])[0]
    data = path.read_bytes()
    # As large as a million columns would make it.
    path.write_bytes(data[:-8] + bytes(17 * footer) + struct.pack('<I', 18 * footer) + b'PAR1')
    count, words, peak = in_a_process(tmp_path)
    assert (count, 'DamagedFile' in words) == (0, True) and peak < 400


def test_parquet_values_that_are_no_utf8_cost_their_row(tmp_path):
    column = pa.array([b'one', b'\xff\xfe', b'three']).view(pa.string())
    pq.write_table(pa.table({'id': [0, 1, 2], 'text': column}), tmp_path / 'train.parquet')
    rows = read_rows(tmp_path)
    assert ids(rows) == [0, 2] and faults(rows) == [(1, 'UnreadableValue')]


def a_tar(members, mode='w') -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        for info, data in members:
            info = tarfile.TarInfo(info) if isinstance(info, str) else info
            if data is not None:
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data) if data is not None else None)
    return out.getvalue()


def special(name, kind, target='') -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_tar_with_links_devices_and_paths_that_leave(tmp_path):
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'train.tar').write_bytes(a_tar([
        ('a.txt', b'one'), (special('b.txt', tarfile.SYMTYPE, '/etc/passwd'), None),
        (special('c.txt', tarfile.LNKTYPE, '../../etc/passwd'), None), (special('d.txt', tarfile.CHRTYPE), None),
        (special('e.txt', tarfile.FIFOTYPE), None), ('../../f.txt', b'outside'), ('/g.txt', b'rooted'), ('h.txt', b'last')]))
    rows = read_rows(tmp_path / 'in')
    assert [v['txt'] for _, _, v in rows if isinstance(v, dict)] == ['one', 'outside', 'rooted', 'last']
    assert [error for _, error in faults(rows)] == ['OddMember'] * 4
    assert sorted(p.name for p in tmp_path.rglob('*')) == ['in', 'train.tar']  # nothing is ever extracted


@pytest.mark.acceptance
def test_tar_of_many_members(tmp_path):
    (tmp_path / 'train.tar').write_bytes(a_tar([(f'{i:06d}.cls', str(i).encode()) for i in range(100_000)]))
    count, words, peak = in_a_process(tmp_path)
    assert (count, words) == (100_000, '[]') and peak < 900  # the rows are held by the test


def test_tar_samples_with_a_member_twice_or_a_wrong_class(tmp_path):
    (tmp_path / 'train.tar').write_bytes(a_tar([
        ('a.txt', b'1'), ('a.cls', b'1'), ('b.txt', b'2'), ('b.txt', b'2'), ('c.cls', b'no number'), ('d.json', b'{"'),
        ('e.txt', b'5')]))
    rows = read_rows(tmp_path)
    assert [v['__key__'] for _, _, v in rows if isinstance(v, dict)] == ['a', 'e']
    assert faults(rows) == [(1, 'DuplicateMember'), (2, 'InvalidField'), (3, 'InvalidField')]


def test_a_tar_that_is_cut(tmp_path):
    data = a_tar([(f'{i}.txt', b'x' * 5000) for i in range(10)])
    (tmp_path / 'train.tar').write_bytes(data[:len(data) // 2])
    rows = read_rows(tmp_path)
    assert len([v for _, _, v in rows if isinstance(v, dict)]) >= 4
    assert [error for _, error in faults(rows)] in (['DamagedArchive'], ['IncompleteSample', 'DamagedArchive'])


def test_zip_members_that_are_damaged_linked_or_bombs(tmp_path):
    with zipfile.ZipFile(tmp_path / 'train.zip', 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('a.jsonl', lines(3))
        link = zipfile.ZipInfo('b.jsonl')
        link.external_attr = 0o120777 << 16
        archive.writestr(link, '/etc/passwd')
        archive.writestr('../c.jsonl', lines(3, 100))
        archive.writestr('d.jsonl', bytes(300 << 20))
        archive.writestr('e.jsonl', lines(3, 3))
    rows = read_rows(tmp_path)
    assert ids(rows) == [0, 1, 2, 3, 4, 5]
    assert [error for _, error in faults(rows)] == ['OddMember', 'OddMember', 'OddMember']


@pytest.mark.acceptance
def test_a_gzip_bomb(tmp_path):
    (tmp_path / 'train.jsonl.gz').write_bytes(gzip.compress(bytes(1 << 30), 9))
    count, words, peak = in_a_process(tmp_path)
    assert count == 0 and 'LineTooLong' in words and peak < 400


def test_a_csv_whose_line_never_ends(tmp_path):
    (tmp_path / 'train.csv').write_bytes(b'a,b\n1,2\n' + b'"' + b'x' * (80 << 20))
    count, words, peak = in_a_process(tmp_path)
    assert 'LineTooLong' in words and peak < 400


def test_arrow_with_offsets_that_point_anywhere(tmp_path):
    import struct

    table = pa.table({'id': list(range(6)), 'text': [f'text {i}' for i in range(6)]})
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, table.schema) as writer:
        for start in (0, 3):
            writer.write_batch(table.slice(start, 3).to_batches()[0])
    data = bytearray(out.getvalue().to_pybytes())
    at = data.find(struct.pack('<4i', 0, 6, 12, 18))
    data[at + 4:at + 8] = struct.pack('<i', 0x7fffff00)
    (tmp_path / 'train.arrow').write_bytes(data)
    count, words, _ = in_a_process(tmp_path)
    assert (count, 'DamagedBatch' in words) == (3, True)


def test_a_byte_order_mark_moves_no_border(tmp_path):
    from transforms.read_hf import units
    from transforms.read_hf.plan import plan_read
    from transforms.read_hf.read_unit import read_unit

    (tmp_path / 'train.jsonl').write_bytes(b'\xef\xbb\xbf' + lines(60))
    plan = plan_read(str(tmp_path))
    for size in range(14, 90):
        chains = units.plan_units(plan.splits[0], plan.root, 's', '', split_bytes=size)
        assert [v['id'] for c in chains for u in c.units for _, v in read_unit(u)] == list(range(60)), size


def test_a_document_over_many_lines_is_never_cut(tmp_path):
    from transforms.read_hf.plan import plan_read

    (tmp_path / 'train.json').write_text(json.dumps({'data': [{'id': i} for i in range(100)]}, indent=1))
    assert len(plan_read(str(tmp_path), part_bytes=64).chains) == 1
    rows = read_rows(tmp_path)
    assert (len(rows), faults(rows)) == (1, [])


def test_avro_that_is_damaged_in_its_blocks_or_schema(tmp_path):
    import fastavro

    schema = {'type': 'record', 'name': 'r', 'fields': [{'name': 'id', 'type': 'long'}]}
    for codec in ('null', 'deflate', 'xz', 'bzip2'):
        out = io.BytesIO()
        fastavro.writer(out, schema, [{'id': i} for i in range(500)], codec=codec)
        for at in range(20, len(out.getvalue()), 37):
            data = bytearray(out.getvalue())
            data[at] ^= 0x55
            (tmp_path / 'train.avro').write_bytes(data)
            assert all(error.isidentifier() for _, error in faults(read_rows(tmp_path)))


def test_parquet_with_too_many_columns(tmp_path):
    pq.write_table(pa.Table.from_arrays([pa.array([1])] * 21_000, names=[f'c{i}' for i in range(21_000)]),
                   tmp_path / 'train.parquet', write_statistics=False)
    assert faults(read_rows(tmp_path)) == [(None, 'TooManyColumns')]
