"""One row of olmOCR-mix, normalized: the 1025 schema, the older 0225 schema, and our own annotations.json.

Types in the published files vary between subsets (flags as bool or as the strings "True"/"False", language as
null or "None"), so every value is coerced and no Arrow type is asserted.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from dataclasses import dataclass

from transforms.files.json_values import JsonError, has_lone_surrogate, loads
from transforms.files.storage import is_unsafe
from transforms.files.tar_stream import clean_member

_NULLS = frozenset({'', 'none', 'null', 'nan'})
_TRUE = frozenset({'true', '1', '1.0', 'yes', 'y'})
_FALSE = frozenset({'false', '0', '0.0', 'no', 'n'})
_RESPONSE_FIELDS = ('primary_language', 'is_rotation_valid', 'rotation_correction', 'is_table', 'is_diagram',
                    'natural_text')
# As in 00_documents_eval, 00_documents_eval_s2pdf, eval-s2pdf.
_SPLIT = re.compile(r'_(train|eval)(?:_(?:s2pdf|iabooks))?$|^(train|eval)-')
COLUMNS_1025 = ('id', 'pdf_relpath', *_RESPONSE_FIELDS)
COLUMNS_0225 = ('id', 'response')
ARCHIVE_ENDINGS = ('.tar.gz', '.tgz', '.tar', '.tar.zst', '.tar.xz', '.tar.bz2')
_ARCHIVE_END = re.compile(rf"(?:{'|'.join(map(re.escape, ARCHIVE_ENDINGS))}):")

# Columns of the records table that come from the label, with their Arrow types.
LABEL_COLUMNS = (('label_split', 'string'), ('archive', 'string'), ('member', 'string'), ('language', 'string'),
                 ('rotation', 'int16'), ('is_table', 'bool'), ('is_diagram', 'bool'), ('text_chars', 'int64'))


@dataclass(frozen=True)
class OlmocrRow:
    """A labelled page before it is rendered.

    Attributes:
        part: of the accounts; with `file` and `row` its identity.
        file: Parquet file (or annotations.json) relative to the input.
        row: 0-based row in it.
        id: record id, `{config}_{split}/{id}`.
        archive: tarball relative to the input, '' when the row names none.
        member: path of the document inside the archive or the extracted folder.
        output: path of the image (or, when extracting, of the document) relative to the output.
        text: the page's text, None when the label has none.
        language: ISO 639-1 code, None when unknown.
        rotation: clockwise degrees that turn the page upright: 0, 90, 180 or 270.
        rotation_valid: False when the label calls the page askew.
        is_table: mostly a table.
        is_diagram: mostly a diagram.
        split: 'train' or 'eval'.
        wanted: False for a row that was dropped: its document is known, not an orphan, and not needed.
    """

    part: int
    file: str
    row: int
    id: str
    archive: str = ''
    member: str = ''
    output: str = ''
    text: str | None = None
    language: str | None = None
    rotation: int = 0
    rotation_valid: bool = True
    is_table: bool = False
    is_diagram: bool = False
    split: str = 'train'
    wanted: bool = True

    def details(self) -> dict[str, object]:
        """The columns of the records table that come from the label."""
        return {'label_split': self.split, 'archive': self.archive, 'member': self.member, 'language': self.language,
                'rotation': self.rotation, 'is_table': self.is_table, 'is_diagram': self.is_diagram,
                'text_chars': len(self.text or '')}


class BadRow(ValueError):
    """A row that cannot be read as a label."""


def to_flag(value: object, default: bool) -> bool:
    """A flag from bool, number or text; anything unclear is the default."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    return True if text in _TRUE else False if text in _FALSE else default


def to_rotation(value: object) -> int:
    """Degrees from number or text; anything but 0, 90, 180, 270 is 0, as olmocr's own reader has it."""
    try:
        degrees = int(float(str(value)))
    except (ValueError, OverflowError):
        return 0
    return degrees if degrees in (90, 180, 270) else 0


def to_language(value: object) -> str | None:
    """A language code, or None for null, "None" and what YAML made of Norwegian (`no` became False)."""
    if value is None or isinstance(value, bool) or str(value).strip().lower() in _NULLS:
        return None
    return str(value).strip().lower()


def to_text(value: object, name: str = 'natural_text') -> str | None:
    """A text, or None for null and NaN.

    Raises:
        BadRow: it is no UTF-8, or a list, an object, a flag or the like, whose Python form no page shows.
    """
    if value is None or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise BadRow(f'{name} is not UTF-8: {error.reason} at byte {error.start}') from None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise BadRow(f'{name} is no text but {type(value).__name__}')
    if isinstance(value, str) and has_lone_surrogate(value):
        raise BadRow(f'{name} holds half of a surrogate pair')
    return str(value)


def split_relpath(relpath: str) -> tuple[str, str]:
    """(archive, member) of a `pdf_relpath`, split behind the first `.tar.gz` or the like, because members may hold ':'."""
    match = _ARCHIVE_END.search(relpath)
    return (relpath[:match.end() - 1], clean_member(relpath[match.end():])) if match else ('', clean_member(relpath))


def image_path(folder: str, record_id: str, own_id: str, extension: str) -> str:
    """`images/{folder}/{hh}/{slug}-{hash}.{extension}`: safe on every disk, unique by the hash of the record id."""
    digest = hashlib.sha256(record_id.encode()).hexdigest()[:12]
    slug = re.sub(r'[^a-z0-9._-]', '-', own_id.lower())[:80]
    return f'images/{folder}/{digest[:2]}/{slug}-{digest}.{extension}'


def label_of(raw: dict) -> dict:
    """The six label fields of a raw row: columns, or the JSON text or struct in `response` (0225)."""
    response = raw.get('response')
    if isinstance(response, (str, bytes)):
        try:
            response = loads(response.encode('utf-8', 'surrogatepass') if isinstance(response, str) else response)
        except JsonError as error:
            raise BadRow(f'response: {error}') from None
        if not isinstance(response, dict):
            raise BadRow('response is no JSON object')
    return response if isinstance(response, dict) else raw


def parse_row(raw: dict, part: int, file: str, row: int, config: str, split_name: str, extension: str,
              split: str) -> OlmocrRow:
    """A row of either published schema. `extension` is that of the output, '' to keep the document's own.

    Raises:
        BadRow: the id is missing, or the text is no UTF-8.
    """
    own_id = to_text(raw.get('id'), 'id')
    if not own_id:
        raise BadRow('id is missing')
    label = label_of(raw)
    folder = re.sub(r'[^A-Za-z0-9._-]', '-', f'{config}_{split_name}')
    record_id = f'{config}_{split_name}/{own_id}'
    archive, member = split_relpath(to_text(raw.get('pdf_relpath'), 'pdf_relpath') or f'{own_id}.pdf')
    if member.startswith('pdf_tarballs/') and not archive:
        member = member[len('pdf_tarballs/'):]
    return OlmocrRow(
        part=part, file=file, row=row, id=record_id, archive=archive, member=member,
        output=image_path(folder, record_id, own_id, extension or extension_of(member)),
        text=to_text(label.get('natural_text')), language=to_language(_plain(label.get('primary_language'))),
        rotation=to_rotation(_plain(label.get('rotation_correction'))),
        rotation_valid=to_flag(_plain(label.get('is_rotation_valid')), True),
        is_table=to_flag(_plain(label.get('is_table')), False),
        is_diagram=to_flag(_plain(label.get('is_diagram')), False), split=split)


def _plain(value: object) -> object:
    return value.decode(errors='replace') if isinstance(value, bytes) else value


def extension_of(member: str) -> str:
    """'png', 'jpg' or 'pdf', by the document's name."""
    ending = member.rpartition('.')[2].lower()
    return {'png': 'png', 'jpg': 'jpg', 'jpeg': 'jpg'}.get(ending, 'pdf')


def parse_annotation(raw: dict, part: int, file: str, row: int, extension: str) -> OlmocrRow:
    """A record of annotations.json: ours, or anybody's with at least id, image and text.

    Raises:
        BadRow: a field is missing or not text.
    """
    record_id, image = raw.get('id'), raw.get('image')
    if not isinstance(record_id, str) or not record_id or not isinstance(image, str) or not image:
        raise BadRow('id and image must be texts that are not empty')
    member = clean_member(image)
    safe = re.fullmatch(r'[A-Za-z0-9._/-]{1,240}', member) and not is_unsafe(member) \
        and posixpath.normpath(member) == member == image.removeprefix('./')
    stem = member.rpartition('.')[0] or member
    output = f'{stem}.{extension}' if safe else image_path('other', record_id, record_id, extension)
    return OlmocrRow(
        part=part, file=file, row=row, id=record_id, member=member,
        output=output if output.startswith('images/') else f'images/{output}',
        text=to_text(raw.get('text')), language=to_language(raw.get('language')),
        rotation=to_rotation(raw.get('rotation')), is_table=to_flag(raw.get('is_table'), False),
        is_diagram=to_flag(raw.get('is_diagram'), False), split=_split_of(raw, record_id))


def _split_of(raw: dict, record_id: str) -> str:
    """'eval' when the record's source file, or else the head of its id, is named like an eval split."""
    source = raw.get('source')
    names = (str(source.get('file', '')).removesuffix('.parquet') if isinstance(source, dict) else '',
             record_id.partition('/')[0])
    match = next((m for name in names if (m := _SPLIT.search(name))), None)
    return 'eval' if match and 'eval' in match.groups() else 'train'


def annotation_of(row: OlmocrRow) -> dict:
    """The record of annotations.json for an extracted row."""
    return {'id': row.id, 'image': row.output, 'text': row.text, 'language': row.language, 'rotation': row.rotation,
            'is_table': row.is_table, 'is_diagram': row.is_diagram, 'source': {'file': row.file, 'row': row.row}}
