"""The README of a dataset: the YAML at its head, and what its `configs:` say of data files."""

from __future__ import annotations

import codecs
import re
from functools import cache

from transforms.files import storage
from transforms.files.storage import FileInfo

_FRONT_MATTER = re.compile(rb'\A(?:\xef\xbb\xbf)?\s*---[ \t]*\r?\n(.*?)\r?\n---', re.DOTALL)
# What a config may say of its files, by format. The rest that changes rows is refused by name.
CSV_PARAMS = ('sep', 'delimiter', 'names', 'column_names', 'header', 'usecols', 'nrows', 'skiprows', 'skipinitialspace',
              'quotechar', 'quoting', 'escapechar', 'doublequote', 'comment', 'thousands', 'decimal', 'na_values',
              'keep_default_na', 'na_filter', 'true_values', 'false_values', 'skip_blank_lines', 'lineterminator',
              'float_precision', 'encoding', 'encoding_errors')
_TEXT_PARAMS = ('encoding', 'encoding_errors')
_PARAMS = {'csv': CSV_PARAMS, 'tsv': CSV_PARAMS, 'json': _TEXT_PARAMS, 'text': _TEXT_PARAMS}
_FOR_ALL = ('columns', 'drop_labels', 'metadata_filenames')
# Of the config itself, and what does not change which rows and values are read.
_PASSED_OVER = frozenset({
    'config_name', 'data_files', 'data_dir', 'default', 'description', 'version', 'features', 'drop_metadata', 'license',
    'batch_size', 'chunksize', 'block_size', 'use_threads', 'memory_map', 'low_memory', 'verbose', 'engine',
    'mangle_dupe_cols', 'warn_bad_lines', 'error_bad_lines', 'fragment_scan_options', 'on_bad_files', 'on_mixed_types',
    'parse_agent_traces', 'date_format'})
_DEFAULTS = {'on_bad_lines': 'error', 'sample_by': 'line', 'keep_linebreaks': False, 'skipfooter': 0}
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
    match = _FRONT_MATTER.match(storage.read_bytes(storage.join(root, 'README.md')))
    if not match:
        return {}
    try:
        card = yaml.load(match.group(1), Loader=_loader())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = getattr(getattr(error, 'problem_mark', None), 'line', None)
        where = f' at line {line + 2}' if line is not None else ''
        raise DatasetError(f'the README.md of {root} has broken YAML{where} '
                           f"({str(getattr(error, 'problem', error)).splitlines()[0][:100]})") from None
    card = card if isinstance(card, dict) else {}
    configs = card.get('configs')
    if configs is not None and not (isinstance(configs, list) and all(isinstance(c, dict) for c in configs)):
        raise DatasetError(f'the README.md of {root} has configs that are no list of configs, each with config_name and data_files')
    card['configs'] = configs or []
    return card


@cache
def _loader() -> type:
    """A safe YAML loader that refuses a key given twice: YAML would keep the last, and lose the files of the first."""
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != '<<']
            for i, key in enumerate(keys):
                if key in keys[:i]:
                    raise yaml.constructor.ConstructorError(problem=f'the key {key!r} is given twice',
                                                            problem_mark=node.start_mark)
            return super().construct_mapping(node, deep)

    return Loader


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
        patterns: dict[str, list[str]] = {}
        for item in given:  # a split may be listed several times
            patterns.setdefault(str(item['split']), []).extend(listed(item['path']))
        return patterns
    return {'train': listed(given)}


def params_of(root: str, name: str, config: dict, format_: str) -> dict[str, object]:
    """What a config says of how its files, all of one format, are read.

    Raises:
        DatasetError: it says what is not followed here.
    """
    followed = (*_PARAMS.get(format_, ()), *_FOR_ALL)
    refused = sorted(k for k, value in config.items()
                     if k not in followed and k not in _PASSED_OVER and value is not None and value != _DEFAULTS.get(k, ...))
    if refused:
        raise DatasetError(f'the README.md of {root} gives {", ".join(map(str, refused))} for {name}, which is not followed '
                           f'here for {format_ or "these"} files: name the files by a pattern and read them yourself')
    params = {k: config[k] for k in followed if config.get(k) is not None or (k == 'header' and k in config)}
    if encoding := params.get('encoding'):
        try:
            codecs.lookup(encoding)
        except (LookupError, TypeError):
            raise DatasetError(f'the README.md of {root} gives the encoding {encoding!r} for {name}, which nobody knows') from None
    if format_ in ('csv', 'tsv'):
        _try_csv(root, name, params)
    return params


def _try_csv(root: str, name: str, params: dict[str, object]) -> None:
    """Lets pandas look at the parameters for CSV before any file is read with them."""
    import io

    import pandas as pd

    given = {k: v for k, v in params.items() if k in CSV_PARAMS and k not in ('column_names', 'delimiter', 'usecols', 'names')}
    try:
        pd.read_csv(io.BytesIO(b''), **given)
    except (pd.errors.EmptyDataError, UnicodeError):
        return  # they are in order, and there are no rows
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise DatasetError(f'the README.md of {root} gives parameters of CSV for {name} that pandas does not take '
                           f'({str(error).splitlines()[0][:120]})') from None
