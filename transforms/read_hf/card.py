"""The README of a dataset: the YAML at its head, and what its `configs:` say of data files."""

from __future__ import annotations

import re

from transforms.files import storage
from transforms.files.storage import FileInfo

_FRONT_MATTER = re.compile(rb'\A\s*---[ \t]*\r?\n(.*?)\r?\n---', re.DOTALL)
# What a config may say of its CSV files is handed to pandas, as `datasets` does; what else changes rows is refused.
CSV_PARAMS = ('sep', 'delimiter', 'names', 'header', 'skiprows', 'quotechar', 'quoting', 'escapechar', 'doublequote',
              'comment', 'thousands', 'decimal', 'na_values', 'keep_default_na', 'skip_blank_lines', 'encoding')
_UNREAD = frozenset({'field', 'sample_by', 'keep_linebreaks', 'column_names', 'filters', 'converters'})
_MAX_README = 4 << 20


class DatasetError(ValueError):
    """The dataset cannot be read as asked; the message says why and what there is."""


def read_card(root: str, infos: dict[str, FileInfo]) -> dict:
    """The YAML at the head of the root's README.md, {} when there is none.

    Raises:
        DatasetError: it is no YAML, with the line.
    """
    import yaml

    if 'README.md' not in infos or infos['README.md'].size > _MAX_README:
        return {}
    found = _FRONT_MATTER.match(storage.read_bytes(storage.join(root, 'README.md')))
    if not found:
        return {}
    try:
        card = yaml.safe_load(found.group(1))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = getattr(getattr(error, 'problem_mark', None), 'line', None)
        where = f' at line {line + 2}' if line is not None else ''
        raise DatasetError(f'the README.md of {root} has broken YAML{where} '
                           f"({str(getattr(error, 'problem', error)).splitlines()[0][:100]})") from None
    card = card if isinstance(card, dict) else {}
    configs = card.get('configs')
    card['configs'] = [c for c in configs if isinstance(c, dict)] if isinstance(configs, list) else []
    return card


def patterns_of(root: str, name: str, given: object) -> dict[str, list[str]]:
    """`data_files` of a config as patterns by split."""
    def listed(value: object) -> list[str]:
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(v, str) for v in values):
            raise DatasetError(f'the README.md of {root} has data_files of {name} that are no texts')
        return values

    if isinstance(given, dict):
        return {str(split): listed(of) for split, of in given.items()}
    if isinstance(given, list) and any(isinstance(item, dict) for item in given):
        if not all(isinstance(item, dict) and 'split' in item and 'path' in item for item in given):
            raise DatasetError(f'the README.md of {root} has data_files of {name} without split and path')
        return {str(item['split']): listed(item['path']) for item in given}
    return {'train': listed(given)}


def params_of(root: str, name: str, config: dict) -> dict[str, object]:
    """What a config says of how its files are read.

    Raises:
        DatasetError: it says what is not followed here.
    """
    if refused := sorted(k for k in config if k in _UNREAD):
        raise DatasetError(f'the README.md of {root} gives {", ".join(refused)} for {name}, which is not read here: give '
                           'the files by a pattern and read them yourself')
    return {k: config[k] for k in (*CSV_PARAMS, 'drop_labels') if k in config}
