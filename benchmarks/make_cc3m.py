"""A LLaVA-CC3M-like set of any size: `python -m benchmarks.make_cc3m --output DIR --records 60000 [--images FOLDER]`.

The images of a folder (else of the embedded sample) are shrunk to 336 pixels and repeated under new names.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from pathlib import Path

import orjson
from PIL import Image

from beam_pipelines.samples.make_llava_cc3m import picture, record


def make(output: Path, records: int, images: Path | None) -> None:
    """Writes chat.json and images.zip."""
    pictures = [_small(p) for p in sorted(images.rglob('*.jpg'))] if images else \
        [picture(c, s) for c in ('red', 'blue') for s in ('circle', 'square')]
    output.mkdir(parents=True, exist_ok=True)
    chat = [record(i, '<image>\nWhat is this?' if i % 2 else 'What is this?\n<image>', f'a scene of number {i} .')
            for i in range(records)]
    with zipfile.ZipFile(output / 'images.zip', 'w') as archive:
        for i, one in enumerate(sorted(chat, key=lambda r: r['id'][::-1])):
            archive.writestr(one['image'], pictures[i % len(pictures)])
    (output / 'chat.json').write_bytes(orjson.dumps(chat))


def _small(path: Path) -> bytes:
    out = io.BytesIO()
    with Image.open(path) as image:
        image.convert('RGB').resize((336, 336)).save(out, 'JPEG', quality=80)
    return out.getvalue()


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--output', type=Path, required=True)
    parser.add_argument('--records', type=int, default=60_000)
    parser.add_argument('--images', type=Path)
    flags = parser.parse_args()
    make(flags.output, flags.records, flags.images)
