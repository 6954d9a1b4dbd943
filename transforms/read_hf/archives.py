"""Archives: WebDataset samples, and tar or zip files whose members are data files."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import BinaryIO

from transforms.files.decompress import DecompressionBomb
from transforms.files.json_values import loads
from transforms.files.lfs import IS_POINTER, is_lfs_pointer
from transforms.files.storage import FileInfo, is_unsafe
from transforms.files.tar_stream import ArchiveDamaged, Member, TrailingData, stream_members
from transforms.files.zip_index import BadZip, ZipIndex, hash_name
from transforms.files.zip_names import is_rubbish
from transforms.read_hf.data_files import main_layout
from transforms.read_hf.layouts import AUDIO, IMAGES, is_metadata, layout_of
from transforms.read_hf.rows import BadRow, LostPart, ReadLimits, Rows, UnitFault
from transforms.read_hf.units import ReadUnit

# webdataset's rule: the key ends at the first dot of the base name (webdataset/tariterators.py, base_plus_ext).
_KEY = re.compile(r'((?:.*/|)[^.]+)[.]([^/]*)\Z', re.DOTALL)
_MAX_ZIP_RATIO, _FREE_BYTES = 200, 1 << 30
MEMBER_ROW_SHIFT = 32
# Reads an open data file of any format: `read_unit.read_data`, which knows all formats and archives too.
ReadData = Callable[[ReadUnit, BinaryIO, ReadLimits], Rows]


def read_webdataset(unit: ReadUnit, source: BinaryIO, limits: ReadLimits, read_data: ReadData) -> Rows:
    """Samples of a tar: members of one key that follow each other.

    A field is the member's bytes, or what its extension says: text, JSON, a class number, an image or audio as
    {'path', 'bytes'}. A member of a data format (JSONL, CSV, Parquet, text) at the head of a packed tar makes it an
    archive of data files instead.
    """
    row, sample, bad, first, keys = 0, {}, None, True, set()
    try:
        for member in stream_members(source, lambda name: True, limits.member_bytes):
            if member.irregular == 'folder':
                continue
            if is_rubbish(member.name):
                continue
            if first and _is_document(member.name):
                continue
            if first and unit.layout.compression and _is_data(member.name):
                source.seek(0)
                yield from read_members(unit, source, limits, _tar_members, read_data)
                return
            first = False
            match = _KEY.match(member.name)
            if not match or member.name.rpartition('/')[2].startswith('.'):
                continue
            key, extension = match[1], match[2]
            if sample and sample['__key__'] != key:
                yield row, bad or _finished(sample, unit)
                row, sample, bad = row + 1, {}, None
            if not sample:
                bad = _is_new(key, keys)
            sample.setdefault('__key__', key)
            bad = bad or _add(sample, extension, member)
    except TrailingData as error:
        if sample:
            yield row, bad or _finished(sample, unit)
        yield LostPart('behind the end of the archive', 'TrailingData', str(error))
        return
    except (ArchiveDamaged, DecompressionBomb) as error:
        if sample:
            yield row, BadRow('IncompleteSample', f"the archive breaks off in sample {sample['__key__']}")
            row += 1
        yield LostPart(f'from row {row}', 'DamagedArchive', str(error))
        return
    if sample:
        yield row, bad or _finished(sample, unit)


def _is_new(key: str, keys: set[int]) -> BadRow | None:
    """Says of a sample whose key came before that it is a part of that one, which went out without it."""
    mark = hash_name(key)
    if mark in keys:
        return BadRow('DividedSample', f'members of sample {key} come in several places of the archive: sort it by name')
    keys.add(mark)
    return None


def _is_document(name: str) -> bool:
    """Whether a member at the head of an archive says nothing of what the archive is."""
    base = name.rpartition('/')[2].upper()
    return base.startswith(('README', 'LICENSE', 'LICENCE', 'COPYING', 'NOTICE')) or base.endswith('.MD')


def _is_data(name: str) -> bool:
    layout = layout_of(name)
    return layout is not None and layout.format in ('json', 'csv', 'tsv', 'parquet', 'avro', 'arrow') \
        and not name.lower().endswith('.json')


def _add(sample: dict, extension: str, member: Member) -> BadRow | None:
    """Adds a member to its sample, or says what is wrong with it."""
    if member.irregular:
        return BadRow('OddMember', f'{member.name} is {member.irregular.replace("_", " ")}')
    if is_lfs_pointer(member.data):
        return BadRow('LfsPointer', f'{member.name}: {IS_POINTER}')
    if extension in sample:
        return BadRow('DuplicateMember', f'{extension} comes twice in sample {sample["__key__"]}')
    try:
        sample[extension] = _decoded(sample['__key__'], extension, member.data)
    except ValueError as error:
        return BadRow('InvalidField', f'{member.name}: {str(error)[:160]}')
    return None


def _decoded(key: str, extension: str, data: bytes) -> object:
    kind = extension.rpartition('.')[2].lower()
    if kind in IMAGES or kind in AUDIO:
        return {'path': f'{key}.{extension}', 'bytes': data}
    if kind in ('txt', 'text', 'transcript'):
        return data.decode()
    if kind in ('cls', 'cls2', 'class', 'count', 'index', 'inx', 'id'):
        return int(data)
    if kind in ('json', 'jsn'):
        return loads(data)
    return data


def _finished(sample: dict, unit: ReadUnit) -> dict:
    sample = {**sample, '__url__': unit.origin.file}
    return {name: sample.get(name) for name in unit.columns} if unit.columns else sample


def read_members(unit: ReadUnit, source: BinaryIO, limits: ReadLimits,
                 members: Callable[[BinaryIO, ReadLimits], Iterator[Member | LostPart]], read_data: ReadData) -> Rows:
    """Rows of the data files in an archive, in the archive's order.

    Row numbers are ordered, not counted: the member's number shifted by 32 bits, plus the row in it.
    """
    number, seen = 0, set()
    for member in members(source, limits):
        if isinstance(member, LostPart):
            yield member
            continue
        layout = layout_of(member.name)
        if member.irregular == 'folder' or layout is None or _is_hidden(member.name) or _is_document(member.name):
            continue
        if member.irregular or is_unsafe(member.name):
            yield LostPart(member.name[:200], 'OddMember', member.irregular.replace('_', ' ') or 'its path leaves the archive')
            continue
        if is_lfs_pointer(member.data):
            yield LostPart(member.name[:200], 'LfsPointer', IS_POINTER)
            continue
        if (mark := hash_name(member.name)) in seen:
            yield LostPart(member.name[:200], 'DuplicateMember', 'it comes twice, and the last counts for tar: unpack the archive')
            continue
        seen.add(mark)
        base, number = number << MEMBER_ROW_SHIFT, number + 1
        if layout.format in ('image', 'audio'):
            yield base, {layout.format: {'path': member.name, 'bytes': member.data}}
            continue
        inner = replace(unit, root='', file=FileInfo(member.name, len(member.data), 0.0), layout=layout, start=0,
                        end=len(member.data))
        try:
            for item in read_data(inner, io.BytesIO(member.data), limits):
                yield replace(item, where=f'{member.name} {item.where}') if isinstance(item, LostPart) \
                    else (base + item[0], item[1])
        except UnitFault as fault:
            yield LostPart(member.name, fault.error, str(fault))


def _is_hidden(name: str) -> bool:
    return any(part.startswith(('.', '__')) and set(part) != {'.'} for part in name.split('/'))


def _tar_members(source: BinaryIO, limits: ReadLimits) -> Iterator[Member | LostPart]:
    try:
        yield from stream_members(source, lambda name: layout_of(name) is not None, limits.member_bytes)
    except (ArchiveDamaged, DecompressionBomb) as error:
        yield LostPart('rest of the archive', 'DamagedArchive', str(error))


def zip_members(source: BinaryIO, limits: ReadLimits) -> Iterator[Member | LostPart]:
    """Members of a zip with the bytes of data files, bounded in size and in what they expand to.

    Raises:
        UnitFault: the list of members cannot be read.
    """
    try:
        ZipIndex(source, source.seek(0, io.SEEK_END))  # it counts the members, which zipfile does not
        archive = zipfile.ZipFile(source)
    except (BadZip, zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise UnitFault('DamagedArchive', f'{type(error).__name__}: {str(error)[:160]}') from None
    made = packed = 0
    last = {i.filename: i for i in archive.infolist()}  # of several members of one name the last counts, as for unzip
    wanted = [i for name, i in last.items() if name and not i.is_dir() and layout_of(name) and not _is_hidden(name)]
    keep = main_layout([i.filename for i in wanted])
    for info in sorted(wanted, key=lambda i: i.filename.split('/')):
        name = info.filename
        if is_metadata(name) and layout_of(wanted[0].filename).format in ('image', 'audio'):
            yield LostPart(name[:200], 'MetadataNotRead', 'metadata within an archive is not joined to its images')
            continue
        if not keep(name):
            if _is_data(name):
                yield LostPart(name[:200], 'OtherFormat', 'most data files of the archive have another format')
            continue
        if (info.external_attr >> 16) & 0o170000 == 0o120000:
            yield Member(name, 0, b'', 'link')
            continue
        if info.flag_bits & 1:
            yield Member(name, 0, b'', 'encrypted')
            continue
        made, packed = made + info.file_size, packed + info.compress_size
        if info.file_size > limits.member_bytes or made > _FREE_BYTES + _MAX_ZIP_RATIO * packed:
            yield Member(name, info.file_size, b'', 'too_big')
            continue
        try:
            with archive.open(info) as member:
                data = member.read(limits.member_bytes + 1)
        except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, zlib.error) as error:
            yield LostPart(name[:200], 'DamagedMember', f'{type(error).__name__}: {str(error)[:160]}')
            continue
        yield Member(name, len(data), data, 'too_big' if len(data) > limits.member_bytes else '')
