"""Makes a large dataset in the olmOCR-mix layout by repeating the pages of a small one under new ids.

python benchmarks/make_large.py --source data/olmOCR-mix --output /tmp/large --pages 5000
"""

from __future__ import annotations

import argparse
import gzip
import io
import itertools
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from beam_pipelines.samples import sample_folder


def good_pages(source: Path) -> list[tuple[dict, bytes]]:
    """Rows with text, and their documents."""
    pages = []
    for parquet in sorted(source.glob('*.parquet')):
        rows = {r['pdf_relpath']: r for r in pq.read_table(parquet).to_pylist() if (r['natural_text'] or '').strip()}
        for name in sorted({relpath.partition('.tar.gz:')[0] + '.tar.gz' for relpath in rows}):
            with tarfile.open(source / name) as archive:
                for member in archive:
                    row = rows.get(f'{name}:{member.name}')
                    if row and '</s>' not in row['natural_text']:
                        pages.append((row, archive.extractfile(member).read()))
    return [(row, data) for row, data in pages if data[:5] == b'%PDF-']


def make(source: Path, output: Path, count: int, tarballs: int, text_factor: int, level: int) -> None:
    """Writes `count` pages in `tarballs` tarballs; texts repeated `text_factor` times (then not compressed)."""
    pages = itertools.cycle(good_pages(source))
    (output / 'pdf_tarballs').mkdir(parents=True)
    rows = []
    for number in range(tarballs):
        name = f'pdf_tarballs/00_documents_train_{number:05d}.tar.gz'
        with open(output / name, 'wb') as raw, gzip.GzipFile(fileobj=raw, mode='wb', compresslevel=level, mtime=0,
                                                             filename='') as packed, \
                tarfile.open(fileobj=packed, mode='w') as archive:
            for i in range(number * count // tarballs, (number + 1) * count // tarballs):
                row, data = next(pages)
                page_id = f'{i % 997:04x}/{i:07d}'
                info = tarfile.TarInfo(f'{page_id}.pdf')
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
                rows.append({'id': page_id, 'pdf_relpath': f'{name}:{page_id}.pdf', 'primary_language': 'en',
                             'is_rotation_valid': True, 'rotation_correction': 0, 'is_table': False,
                             'is_diagram': False,
                             'natural_text': '\n'.join([f'{page_id} {row["natural_text"]}'] * text_factor)})
    pq.write_table(pa.Table.from_pylist(rows), output / '00_documents_train.parquet', row_group_size=max(1, len(rows)),
                   compression='none' if text_factor > 1 else 'snappy')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--source', type=Path, default=sample_folder('olmocr'))
    parser.add_argument('--output', type=Path, required=True)
    parser.add_argument('--pages', type=int, default=5000)
    parser.add_argument('--tarballs', type=int, default=4)
    parser.add_argument('--text_factor', type=int, default=1)
    parser.add_argument('--gzip_level', type=int, default=1)
    flags = parser.parse_args()
    make(flags.source, flags.output, flags.pages, flags.tarballs, flags.text_factor, flags.gzip_level)


if __name__ == '__main__':
    main()
