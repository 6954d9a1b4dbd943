"""Other ways to render the same pages, each as a program of its own: `python benchmarks/baselines.py WAY INPUT OUTPUT`.

bare       a plain multiprocessing loop: same tarballs, same limits, same engine and encoder, files and chat.json
published  PyMuPDF to PNG to Pillow to PNG in a multiprocessing pool, as the published converter does it
pdftoppm   pdfinfo and pdftoppm for each page, as the olmocr toolkit does it
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import resource
import signal
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq


def labelled_members(root: Path, limit: int) -> Iterator[tuple[str, bytes, str]]:
    """(id, document, text) of every row, each tarball streamed once."""
    from isal import igzip

    texts: dict[str, dict[str, tuple[str, str]]] = {}
    for parquet in sorted(root.glob('*.parquet')):
        table = pq.read_table(parquet, columns=['id', 'pdf_relpath', 'natural_text']).to_pylist()
        for row in table:
            archive, _, member = row['pdf_relpath'].partition('.tar.gz:')
            if (row['natural_text'] or '').strip():
                texts.setdefault(f'{archive}.tar.gz', {})[member] = (row['id'], row['natural_text'].strip())
    done = 0
    for archive, rows in texts.items():
        with igzip.open(root / archive) as packed, tarfile.open(fileobj=packed, mode='r|', bufsize=1 << 20) as members:
            for member in members:
                if member.name in rows:
                    record_id, text = rows[member.name]
                    yield record_id, members.extractfile(member).read(), text
                    done += 1
                    if limit and done >= limit:
                        return


def image_path(output: Path, record_id: str) -> Path:
    """Where the image of a record goes."""
    path = output / 'images' / (re.sub(r'[^a-z0-9._/-]', '-', record_id.lower()) + '.png')
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def set_limits(max_size: int) -> None:
    """The limits of our child processes, in a pool process."""
    global SETTINGS
    from transforms.pdf.settings import RenderSettings

    SETTINGS = RenderSettings(max_size=max_size)
    import pypdfium2  # noqa: F401

    resource.setrlimit(resource.RLIMIT_AS, (SETTINGS.memory_bytes, SETTINGS.memory_bytes))


def render_bare(task: tuple[str, bytes, str]) -> int:
    """Renders and writes one page with our engine and encoder."""
    from transforms.pdf.encode import encode_png, ink_share, to_one_channel
    from transforms.pdf.engines import PdfiumDocument

    path, data, _ = task
    signal.setitimer(signal.ITIMER_PROF, SETTINGS.cpu_seconds)
    document = PdfiumDocument(data)
    pixels = to_one_channel(document.render(0, 0, SETTINGS))
    ink_share(pixels)
    body = encode_png(pixels)
    document.close()
    signal.setitimer(signal.ITIMER_PROF, 0)
    temp = f'{path}.tmp'
    with open(temp, 'wb') as file:
        file.write(body)
    os.replace(temp, path)
    return len(body)


def render_published(task: tuple[str, bytes, str]) -> int:
    """Renders and writes one page as the published converter does, at the same longest side.

    It encodes a PNG with MuPDF, opens that with Pillow and saves it as PNG again.
    """
    import io

    import pymupdf
    from PIL import Image

    path, data, max_size = task
    document = pymupdf.open(stream=data, filetype='pdf')
    page = document[0]
    zoom = int(max_size) / max(page.rect.width, page.rect.height)
    packed = page.get_pixmap(matrix=pymupdf.Matrix(zoom, zoom), alpha=False).tobytes('png')
    document.close()
    Image.open(io.BytesIO(packed)).save(path, format='PNG')
    return 0


def render_pdftoppm(task: tuple[str, bytes, str]) -> int:
    """Renders one page with the two programs that the olmocr toolkit starts for it."""
    path, data, max_size = task
    with tempfile.NamedTemporaryFile(suffix='.pdf') as file:
        file.write(data)
        file.flush()
        boxes = subprocess.run(['pdfinfo', '-f', '1', '-l', '1', '-box', '-enc', 'UTF-8', file.name],
                               capture_output=True, text=True, check=False).stdout
        found = re.search(r'MediaBox:\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)', boxes)
        x0, y0, x1, y1 = (float(v) for v in found.groups()) if found else (0, 0, 612, 792)
        dpi = int(max_size) * 72 / max(x1 - x0, y1 - y0)
        done = subprocess.run(['pdftoppm', '-png', '-f', '1', '-l', '1', '-r', str(dpi), file.name],
                              capture_output=True, check=False)
    Path(path).write_bytes(done.stdout)
    return len(done.stdout)


def forgiving(render: object, task: tuple[str, bytes, str]) -> int:
    """Renders one page; a page that cannot be rendered counts for nothing (an exception would hang the pool)."""
    try:
        return render(task)
    except Exception:  # a baseline has no accounts
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('way', choices=('bare', 'published', 'pdftoppm'))
    parser.add_argument('input', type=Path)
    parser.add_argument('output', type=Path)
    parser.add_argument('--max_size', type=int, default=2048)
    parser.add_argument('--processes', type=int, default=os.cpu_count())
    parser.add_argument('--limit', type=int, default=0)
    flags = parser.parse_args()
    render = {'bare': render_bare, 'published': render_published, 'pdftoppm': render_pdftoppm}[flags.way]
    room = threading.Semaphore(4 * flags.processes)  # imap would read all tarballs into its queue

    def tasks() -> Iterator[tuple[str, bytes, str]]:
        for record_id, data, text in labelled_members(flags.input, flags.limit):
            room.acquire()
            path = image_path(flags.output, record_id)
            chat.append({'id': record_id, 'image': str(path.relative_to(flags.output)), 'conversations': [
                {'from': 'human', 'value': '<image>\nFree OCR.'}, {'from': 'gpt', 'value': text}]})
            yield str(path), data, str(flags.max_size)

    chat: list[dict] = []
    start = (set_limits, (flags.max_size,)) if flags.way == 'bare' else (None, ())
    with multiprocessing.get_context('spawn').Pool(flags.processes, *start) as pool:
        for _ in pool.imap_unordered(partial(forgiving, render), tasks()):
            room.release()
    with open(flags.output / 'chat.json', 'w', encoding='utf-8') as file:
        json.dump(chat, file, ensure_ascii=False)
    print(len(chat), 'pages')


if __name__ == '__main__':
    main()
