"""What a run over olmOCR-mix will write, from the first rows of each file and the first pages of a few tarballs."""

from __future__ import annotations

import itertools

from transforms.files import storage
from transforms.files.decompress import DecompressionBomb
from transforms.files.json_values import JsonItem
from transforms.files.tar_stream import ArchiveDamaged, Member, stream_members
from transforms.olmocr.discover import OlmocrInput, extracted_path
from transforms.olmocr.filters import RowRules, apply_text_rules, filter_reason
from transforms.olmocr.read_rows import read_raw_rows
from transforms.olmocr.rows import BadRow, parse_annotation, parse_row
from transforms.pdf.estimate import SAMPLED_PAGES, mean_image_bytes
from transforms.pdf.settings import RenderSettings
from transforms.report.summary import UnitError

_ROWS, _ARCHIVES, _LOOKED_AT = 200, 8, 2 << 20


def wanted_rows(found: OlmocrInput, rules: RowRules, limit: int) -> tuple[float, float, set[str]]:
    """(how many rows pass the filters, mean bytes of their texts, names of documents), about: by the first 200 rows of each file."""
    wanted = texts = kept = 0.0
    documents: set[str] = set()
    for file in found.files:
        rows = min(file.rows, limit or file.rows)
        seen = passed = 0
        for item in itertools.islice(read_raw_rows(file), min(rows, _ROWS)):
            if isinstance(item, UnitError):
                break
            seen += 1
            raw = item[1].value if isinstance(item[1], JsonItem) else item[1]
            try:
                row = parse_annotation(raw, 0, file.name, item[0], '') if file.kind == 'annotations' else \
                    parse_row(raw, 0, file.name, item[0], file.config, file.split_name, '', file.split)
            except (BadRow, AttributeError, TypeError):
                continue
            reason = '' if rules.verbatim else filter_reason(row, rules)
            row, reason = (row, reason) if reason else apply_text_rules(row, rules)
            if not reason:
                passed += 1
                documents.add(row.member)
                texts += len((row.text or '').encode('utf-8', 'replace'))
        wanted += rows * passed / seen if seen else 0
        kept += passed
    return wanted, texts / kept if kept else 0.0, documents


def image_bytes(found: OlmocrInput, wanted: set[str], settings: RenderSettings) -> float:
    """Mean size of an image, by some of the documents at the beginning of a few tarballs; 0.0 where there are none to look at.

    Of these the `wanted` ones are looked at, where any of them is there. Without tarballs, by files that were extracted.
    """
    if not found.archives:
        names = sorted(wanted)
        paths = [(name, path, b'', 0) for name in names[::-(-len(names) // SAMPLED_PAGES)] if (path := extracted_path(found.root, name))] if names else []
        return mean_image_bytes(paths, settings) if paths else 0.0
    names = sorted(found.archives)
    chosen = names[::-(-len(names) // _ARCHIVES)] if names else []
    documents = [member for name in chosen for member in _first_documents(found.archives[name])]
    documents = [member for member in documents if member.name in wanted] or documents
    if not documents:
        return 0.0
    shown = documents[::-(-len(documents) // SAMPLED_PAGES)]
    return mean_image_bytes([(member.name, '', member.data, 0) for member in shown], settings)


def _first_documents(file: storage.FileInfo) -> list[Member]:
    """The documents in the first few MB of a tarball; those before the damage of a damaged one."""
    members: list[Member] = []
    size = 0
    try:
        with storage.open_info('', file) as source:
            for member in stream_members(source, _is_document):
                if member.data:
                    members.append(member)
                    size += len(member.data)
                if size > _LOOKED_AT:
                    break
    except (ArchiveDamaged, DecompressionBomb, OSError):
        pass
    return members


def _is_document(name: str) -> bool:
    return name.lower().endswith(('.pdf', '.png', '.jpg', '.jpeg'))
