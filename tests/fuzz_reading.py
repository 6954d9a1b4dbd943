"""Reads damaged files of every layout, one after the other, in one process: `python -m tests.fuzz_reading FOLDER FIRST LAST`.

Each number stands for one file: a layout, and 1 to 8 bytes overwritten in it; of Parquet, half of them in the footer. The
number is written to FOLDER/at before the file is read, so that whoever finds the process dead knows of which.
"""

from __future__ import annotations

import random
import struct
import sys
import warnings
from pathlib import Path

from tests.transforms.read_hf.layout_files import LAYOUTS, encrypted_parquet
from transforms.files.parquet import read_footer
from transforms.files.parquet_footer import FooterError
from transforms.olmocr.discover import RowFile
from transforms.olmocr.read_rows import read_raw_rows
from transforms.read_hf.card import DatasetError
from transforms.read_hf.describe import describe
from transforms.read_hf.plan import plan_read
from transforms.read_hf.read_unit import read_unit
from transforms.read_hf.rows import UnitFault

# Parquet, Arrow and Avro go through native readers; they are every second file.
_ENCRYPTED = {'hidden.parquet': encrypted_parquet(False), 'partly.parquet': encrypted_parquet(True)}
_NATIVE = [*_ENCRYPTED, *(name for name in LAYOUTS if name.endswith(('.parquet', '.arrow', '.avro')))]


def damaged(number: int, contents: dict[str, bytes]) -> tuple[str, bytes]:
    """(file name, content) of one number."""
    noise = random.Random(number)
    name = noise.choice(_NATIVE if number % 2 else list(contents))
    data = bytearray(contents[name])
    start = 0
    if name.endswith('.parquet') and noise.random() < 0.5:
        start = len(data) - 8 - struct.unpack('<I', data[-8:-4])[0]
    for _ in range(noise.randint(1, 8)):
        data[noise.randrange(start, len(data))] = noise.randrange(256)
    return name, bytes(data)


def main(folder: Path, first: int, last: int) -> None:
    warnings.simplefilter('ignore')
    contents = {**_ENCRYPTED, **{name: made() for name, (made, _) in LAYOUTS.items()}}
    for number in range(first, last):
        (folder / 'at').write_text(str(number))
        name, data = damaged(number, contents)
        place = folder / 'data'
        place.mkdir(exist_ok=True)
        (place / name).write_bytes(data)
        if name.endswith('.parquet'):
            _read_footer_and_rows(place / name)
        try:
            for chain in plan_read(str(place), columns=('id',) if number % 3 == 0 else ()).chains:
                for unit in chain.units:
                    try:
                        for _ in read_unit(unit):
                            pass
                    except UnitFault:
                        pass
            if number % 10 == 0:
                describe(str(place))
        except DatasetError:
            pass
        (place / name).unlink()


def _read_footer_and_rows(path: Path) -> None:
    """The ways of the Hub (ranges of column chunks) and of olmOCR-mix."""
    size = path.stat().st_size
    try:
        with path.open('rb') as source:
            read_footer(source, size).ranges()
    except FooterError:
        pass
    for _ in read_raw_rows(RowFile(str(path), path.name, 'c', 'train', 'train', 300, size, 0.0, '1025')):
        pass


if __name__ == '__main__':
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.write('all read\n')
