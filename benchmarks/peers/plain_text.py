"""Stage 2 of the text mixture as a plain script: the cleaning and filters of `text_clean`, a process pool, no accounts, no resume.

It is what a careful engineer would write by hand around the same functions: a first pass cleans and spills, one sort of all hashes finds
the duplicates, a second pass writes. Its documents are those of `text_clean`.

    python benchmarks/peers/plain_text.py INPUT WORK WORKERS
"""

import argparse
import os
import pickle
import sys
from multiprocessing import get_context
from pathlib import Path

import lz4.frame
import msgspec
import numpy as np
import orjson
from isal import igzip_lib, isal_zlib

from options.text import load_config, text_settings
from transforms.keys.find_duplicates import hash_text
from transforms.text_mix.clean_document import Cleaner

_FLAGS = argparse.Namespace(preset='default', steps='', quality=None, languages=(), dedup=None, measure='needed', text_field='text', id_field='id')
_BATCH = 1024


def lines_of(path: str) -> object:
    """The lines of a gz file."""
    with open(path, 'rb') as source:
        engine, tail = isal_zlib.decompressobj(wbits=31), b''
        packed = source.read(1 << 20)
        while packed:
            lines = (tail + engine.decompress(packed)).split(b'\n')
            tail = lines.pop()
            yield from lines
            packed = engine.unused_data or source.read(1 << 20)
            if engine.eof:
                engine = isal_zlib.decompressobj(wbits=31)
        if tail:
            yield tail


def clean(task: tuple[int, str, str]) -> np.ndarray:
    """Cleans a file into a spill; the hashes of what stays."""
    number, path, spill = task
    cleaner, decode, hashes, held = Cleaner(text_settings(_FLAGS, load_config('')), 0), msgspec.json.Decoder().decode, [], []
    with open(spill, 'wb') as target:
        for line in lines_of(path):
            cleaned = cleaner.clean(decode(line))
            if cleaned.reason or cleaned.error:
                continue
            hashes.append(hash_text(cleaned.text, b'key'))
            held.append(orjson.dumps(cleaned.values))
            if len(held) == _BATCH:
                pickle.dump(lz4.frame.compress(b'\n'.join(held)), target)
                held = []
        pickle.dump(lz4.frame.compress(b'\n'.join(held)), target)
    return np.frombuffer(b''.join(hashes), np.dtype([('high', '<u8'), ('low', '<u8')]))


def write(task: tuple[str, str, np.ndarray]) -> int:
    """Writes what stays of a spill."""
    spill, path, stays = task
    at, held, size, count = 0, [], 0, int(stays.sum())
    with open(spill, 'rb') as source, open(path, 'wb') as target:
        while at < len(stays):
            for line in lz4.frame.decompress(pickle.load(source)).split(b'\n'):
                if stays[at]:
                    held += (line, b'\n')
                    size += len(line)
                at += 1
            if size >= 4 << 20:
                target.write(igzip_lib.compress(b''.join(held), igzip_lib.ISAL_BEST_COMPRESSION, flag=igzip_lib.COMP_GZIP))
                held, size = [], 0
        target.write(igzip_lib.compress(b''.join(held), igzip_lib.ISAL_BEST_COMPRESSION, flag=igzip_lib.COMP_GZIP))
    return count


def main() -> None:
    """Both passes."""
    source, work, workers = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    (work / 'output').mkdir(parents=True, exist_ok=True)
    paths = sorted(str(path) for path in Path(source).iterdir())
    spills = [str(work / f'{number}.spill') for number in range(len(paths))]
    with get_context('spawn').Pool(workers) as pool:
        hashes = pool.map(clean, [(number, path, spill) for number, (path, spill) in enumerate(zip(paths, spills, strict=True))], 1)
        borders = np.cumsum([0, *map(len, hashes)])
        _, first = np.unique(np.concatenate(hashes), return_index=True)
        stays = np.zeros(borders[-1], bool)
        stays[first] = True
        tasks = [(spill, str(work / 'output' / os.path.basename(path)), stays[borders[i]:borders[i + 1]])
                 for i, (spill, path) in enumerate(zip(spills, paths, strict=True))]
        print(sum(pool.map(write, tasks, 1)), 'documents')


if __name__ == '__main__':
    main()
