"""What a data file is by its name: its format and how it is packed."""

from __future__ import annotations

from dataclasses import dataclass

FORMATS = {
    'parquet': 'parquet', 'geoparquet': 'parquet', 'gpq': 'parquet', 'jsonl': 'json', 'ndjson': 'json', 'json': 'json',
    'csv': 'csv', 'tsv': 'tsv', 'txt': 'text', 'arrow': 'arrow', 'avro': 'avro', 'tar': 'webdataset',
}
COMPRESSIONS = {'gz': 'gz', 'zst': 'zst', 'bz2': 'bz2', 'xz': 'xz', 'lz4': 'lz4'}
IMAGES = frozenset('bmp gif jpeg jpg jp2 png tif tiff webp ppm pgm ico jfif avif'.split())
AUDIO = frozenset('aiff au flac m4a mp3 ogg opus wav'.split())
SPLITTABLE = frozenset({('parquet', ''), ('json', ''), ('text', ''), ('json', 'gz'), ('text', 'gz')})
METADATA_NAMES = ('metadata.csv', 'metadata.jsonl', 'metadata.parquet')


def is_metadata(path: str, names: tuple[str, ...] = ()) -> bool:
    """Whether a file holds the metadata of a folder of images or sounds; `names` are other names that a card gives."""
    return path.rpartition('/')[2] in (names or METADATA_NAMES)


@dataclass(frozen=True)
class Layout:
    """How a file is read.

    Attributes:
        format: 'parquet', 'json', 'csv', 'tsv', 'text', 'arrow', 'avro', 'webdataset', 'zip', 'tar' (members are data
            files), 'image' or 'audio'.
        compression: 'gz', 'zst', 'bz2', 'xz', 'lz4' or ''.
    """

    format: str
    compression: str = ''

    @property
    def is_splittable(self) -> bool:
        """Whether several workers can share one file."""
        return (self.format, self.compression) in SPLITTABLE


def layout_of(path: str) -> Layout | None:
    """The layout that a file's name says, None when it is no data file.

    A .tar is taken for WebDataset, as `datasets` does; a .tar.gz (or .tgz) may hold either, which is decided by its
    members.
    """
    words = path.rpartition('/')[2].lower().split('.')[1:]
    if not words:
        return None
    compression = ''
    if words[-1] == 'tgz':
        return Layout('webdataset', 'gz')
    if words[-1] in COMPRESSIONS and len(words) > 1:
        compression = COMPRESSIONS[words.pop()]
    last = words[-1]
    if last in FORMATS:
        return Layout(FORMATS[last], compression)
    if compression:
        return None
    if last == 'zip':
        return Layout('zip')
    if last in IMAGES:
        return Layout('image')
    return Layout('audio') if last in AUDIO else None
