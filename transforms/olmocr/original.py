"""The published converter's files, quirks included, for `--preset=original`.

Its first script concatenates the train Parquets with pandas and dumps the rows; the second renders page 1 of each
document at 144 dpi with MuPDF. Observed by running both: the Parquet index is lost; a nullable integer becomes a
float, a missing one NaN; ids are `pdf_tarballs/` plus the member; images have no `images/` prefix; `<image>` comes
last; a text of blanks is kept.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

import transforms.hub.filesystem  # noqa: F401 - registers hf:// with Beam
from transforms.accounting.outcome import OutputFile, Payload
from transforms.accounting.product import Chunk, JoinedFile
from transforms.files import storage
from transforms.files.columns import column_values
from transforms.files.paths import is_unsafe
from transforms.image.image_folder import METADATA, metadata_line
from transforms.olmocr.discover import RowFile
from transforms.olmocr.rows import BadRow, OlmocrRow, label_of, split_relpath, to_text
from transforms.pdf.pages import PageImage
from transforms.shards.card import OutputCard, image_folder

COMBINED = 'combined_train_data.json'
TRANSFORMED = {'pdf': 'transformed_data_pdf.json', 'png': 'transformed_data_png.json'}
_IMAGES = 'png_tarballs'
_PROMPT = 'Free OCR.\n<image>'
_BATCH_ROWS = 512
_MAX_NAME_BYTES = 240


def parse_original(raw: dict, part: int, file: str, row: int) -> OlmocrRow:
    """A row as the published converter sees it: ids and paths from `pdf_relpath` alone, split at the first ':'."""
    relpath = to_text(raw.get('pdf_relpath'), 'pdf_relpath') or ''
    _, colon, rest = relpath.partition(':')
    image, record_id = (rest, f'pdf_tarballs/{rest}') if colon else (relpath, relpath)
    if is_unsafe(image) or any(len(part.encode()) > _MAX_NAME_BYTES for part in image.split('/')):
        raise BadRow('pdf_relpath leaves the folder, or has a name that no disk takes')
    archive, member = split_relpath(relpath)
    return OlmocrRow(part=part, file=file, row=row, id=record_id, archive=archive, member=member,
                     output=f'{_IMAGES}/' + image.replace('.pdf', '.png'),
                     text=to_text(label_of(raw).get('natural_text')), split='train')


def to_original(image: PageImage) -> Iterator[Payload]:
    """The record's samples: for the file of PDFs, for the file of PNGs, and for `datasets`."""
    if image.error:
        return
    row: OlmocrRow = image.context
    path = row.id.removeprefix('pdf_tarballs/') if row.id.startswith('pdf_tarballs/') else row.id
    for kind, named in (('pdf', path), ('png', path.replace('.pdf', '.png'))):
        yield Payload(row.part, row.file, row.row, TRANSFORMED[kind], indented(_sample(row, named)))
    yield Payload(row.part, row.file, row.row, METADATA['train'], metadata_line(image.output, {'id': row.id, 'text': row.text}))


def _sample(row: OlmocrRow, image: str) -> dict:
    return {'id': row.id, 'image': image, 'conversations': [{'from': 'human', 'value': _PROMPT},
                                                            {'from': 'gpt', 'value': row.text}]}


def indented(item: object) -> bytes:
    """An item of a list as `json.dump(..., indent=2, ensure_ascii=False)` writes it."""
    text = json.dumps(item, indent=2, ensure_ascii=False, default=_as_text)
    return text.replace('\n', '\n  ').encode()


def _as_text(value: object) -> str:
    """Text for what JSON lacks: bytes, times, values that Python cannot hold."""
    return value.decode(errors='replace') if isinstance(value, bytes) else str(value)


def write_list(path: str, items: Iterator[object]) -> OutputFile:
    """Writes a list exactly as json.dump with indent 2 would, an item at a time."""
    with storage.atomic_writer(path) as target:
        start = b'[\n  '
        for item in items:
            target.write(start + indented(item))
            start = b',\n  '
        target.write(b'[]' if start == b'[\n  ' else b'\n]')
    return OutputFile(path.rpartition('/')[2], target.size, target.sha256)


def combined_rows(files: tuple[RowFile, ...]) -> Iterator[dict]:
    """The rows of all files as pandas would dump them after concatenating."""
    columns = _combined_columns(files)
    for file in files:
        with storage.open_read(file.path) as source:
            for batch in pq.ParquetFile(source).iter_batches(_BATCH_ROWS):
                values = {name: column_values(batch[name]) for name in batch.schema.names if name in columns}
                for i in range(batch.num_rows):
                    yield {name: _as_pandas(values[name][i] if name in values else math.nan, numeric)
                           for name, numeric in columns.items()}


def _combined_columns(files: tuple[RowFile, ...]) -> dict[str, bool]:
    """Column names in order of appearance without the index; True where nulls make numbers floats."""
    columns: dict[str, bool] = {}
    for file in files:
        with storage.open_read(file.path) as source:
            parquet = pq.ParquetFile(source)
            schema = parquet.schema_arrow
            index = (schema.pandas_metadata or {}).get('index_columns', [])
            for field in schema:
                if field.name not in index:
                    number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
                    holes = number and _has_nulls(parquet, field.name)
                    columns[field.name] = columns.get(field.name, False) or holes
    return columns


def _has_nulls(parquet: pq.ParquetFile, name: str) -> bool:
    return any(batch.column(0).null_count for batch in parquet.iter_batches(_BATCH_ROWS, columns=[name]))


def _as_pandas(value: object, float_column: bool) -> object:
    if float_column:
        return math.nan if value is None else float(value)
    return value


@dataclass(frozen=True)
class CombinedRows:
    """The rows of all train files in one list, as a product of the run; it is made from the input, not from records.

    Args:
        files: the train files, in the order of their names.
    """

    files: tuple[RowFile, ...]
    path: str = COMBINED

    def join(self, output: str, chunks: list[Chunk]) -> OutputFile:
        """Writes the list below the output folder."""
        return write_list(storage.join(output, self.path), combined_rows(self.files))


def original_products(files: tuple[RowFile, ...], card: str) -> tuple[CombinedRows | JoinedFile | OutputCard, ...]:
    """The published converter's three JSON files: the combined rows, samples that name PDFs, samples that name PNGs; and what `datasets` reads."""
    samples = tuple(JoinedFile(path, path, b'[\n  ', b',\n  ', b'\n]', b'[]') for path in TRANSFORMED.values())
    return CombinedRows(files), *samples, *image_folder(card, images=_IMAGES)
