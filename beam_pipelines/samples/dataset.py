"""Writes pages and labels in exactly the layout of allenai/olmOCR-mix-1025: Parquet per split, PDFs in tarballs."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_COLUMNS = (('url', pa.string()), ('page_number', pa.int64()), ('pdf_relpath', pa.string()),
            ('primary_language', pa.string()), ('is_rotation_valid', pa.bool_()), ('rotation_correction', pa.int64()),
            ('is_table', pa.bool_()), ('is_diagram', pa.bool_()), ('natural_text', pa.string()),
            ('extras', pa.string()), ('id', pa.string()))
_FLAGS = ('is_rotation_valid', 'is_table', 'is_diagram')


@dataclass(frozen=True)
class Page:
    """One labelled page.

    Attributes:
        id: as in the dataset, may hold '/' and ':'.
        pdf: the document's bytes; None leaves it out of the tarball.
        text: its text; None for a blank page.
        language: ISO 639-1.
        rotation: clockwise degrees that turn the page upright.
        is_table: label flag.
        is_diagram: label flag.
        chunk: number of the tarball.
    """

    id: str
    pdf: bytes | None
    text: str | None
    language: str | None = 'en'
    rotation: int = 0
    is_table: bool = False
    is_diagram: bool = False
    chunk: int = 0


def write_split(root: Path, config: str, split: str, pages: Iterable[Page], text_flags: bool = False,
                extra_members: dict[str, bytes] | None = None, row_group: int = 8) -> None:
    """Writes `{config}_{split}.parquet` and its tarballs under `root`.

    Args:
        root: dataset folder.
        config: such as '00_documents'.
        split: 'train' or 'eval'.
        pages: rows in order.
        text_flags: flags as the strings "True"/"False" and languages None as "None", as some subsets have them.
        extra_members: members of the first tarball that no row names.
        row_group: rows of a row group.
    """
    pages = list(pages)
    (root / 'pdf_tarballs').mkdir(parents=True, exist_ok=True)
    rows = [_row(page, i, config, split) for i, page in enumerate(pages)]
    schema = pa.schema([(n, pa.string() if text_flags and n in _FLAGS else t) for n, t in _COLUMNS])
    if text_flags:
        for row in rows:
            row.update({flag: str(row[flag]) for flag in _FLAGS}, primary_language=str(row['primary_language']))
    pq.write_table(pa.Table.from_pylist(rows, schema), root / f'{config}_{split}.parquet', row_group_size=row_group)
    for chunk in sorted({page.chunk for page in pages}):
        members = {f'{p.id}.pdf': p.pdf for p in pages if p.chunk == chunk and p.pdf is not None}
        if chunk == 0:
            members.update(extra_members or {})
        write_tarball(root / tarball_name(config, split, chunk), members)


def tarball_name(config: str, split: str, chunk: int) -> str:
    """A tarball's path relative to the dataset."""
    return f'pdf_tarballs/{config}_{split}_{chunk:05d}.tar.gz'


def _row(page: Page, number: int, config: str, split: str) -> dict:
    return {'url': f'https://example.org/{number}.pdf' if number % 3 else None,
            'page_number': number % 7 + 1 if number % 4 else None,
            'pdf_relpath': f'{tarball_name(config, split, page.chunk)}:{page.id}.pdf',
            'primary_language': page.language, 'is_rotation_valid': page.rotation == 0,
            'rotation_correction': page.rotation, 'is_table': page.is_table, 'is_diagram': page.is_diagram,
            'natural_text': page.text, 'extras': None, 'id': page.id}


def write_tarball(path: Path, members: dict[str, bytes]) -> None:
    """A tar.gz with the members sorted by name and no clock in it."""
    with open(path, 'wb') as raw, gzip.GzipFile(fileobj=raw, mode='wb', mtime=0, filename='') as packed, \
            tarfile.open(fileobj=packed, mode='w') as archive:
        for name in sorted(members):
            info = tarfile.TarInfo(name)
            info.size = len(members[name])
            archive.addfile(info, io.BytesIO(members[name]))
