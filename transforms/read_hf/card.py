"""The README of a dataset: the YAML at its head, and what its `configs:` say of data files."""

from __future__ import annotations

import codecs
import re
from functools import cache

from transforms.files import storage
from transforms.files.lfs import IS_POINTER, is_lfs_pointer
from transforms.files.storage import FileInfo

_FRONT_MATTER = re.compile(rb'\A(?:\xef\xbb\xbf)?\s*---[ \t]*\r?\n(.*?)\r?\n---', re.DOTALL)
# What a config may say of its files, by format. The rest that changes rows is refused by name.
CSV_PARAMS = ('sep', 'delimiter', 'names', 'column_names', 'header', 'usecols', 'nrows', 'skiprows', 'skipinitialspace',
              'quotechar', 'quoting', 'escapechar', 'doublequote', 'comment', 'thousands', 'decimal', 'na_values',
              'keep_default_na', 'na_filter', 'true_values', 'false_values', 'skip_blank_lines', 'lineterminator',
              'float_precision', 'encoding', 'encoding_errors')
_TEXT_PARAMS = ('encoding', 'encoding_errors')
_MEDIA_PARAMS = ('drop_labels', 'drop_metadata', 'metadata_filenames')
_PARAMS = {'csv': CSV_PARAMS, 'tsv': CSV_PARAMS, 'json': _TEXT_PARAMS, 'text': _TEXT_PARAMS, 'image': _MEDIA_PARAMS, 'audio': _MEDIA_PARAMS,
           'zip': _MEDIA_PARAMS}
_MEDIA = frozenset({'image', 'audio', 'zip'})
_FOR_ALL = ('columns',)
# What is said of the config itself.
_OF_THE_CONFIG = frozenset({'config_name', 'data_files', 'data_dir', 'default', 'description', 'version', 'license'})
# What changes how files are read, and not which rows and values come out, by format (the builders' configs of `datasets` 5.2).
_CSV_INDIFFERENT = frozenset({'chunksize', 'date_format', 'engine', 'low_memory', 'mangle_dupe_cols', 'memory_map', 'verbose', 'warn_bad_lines'})
_INDIFFERENT = {
    'csv': _CSV_INDIFFERENT, 'tsv': _CSV_INDIFFERENT,
    'json': frozenset({'block_size', 'chunksize', 'newlines_in_values', 'on_mixed_types', 'parse_agent_traces', 'use_threads'}),
    'text': frozenset({'chunksize'}), 'parquet': frozenset({'batch_size', 'fragment_scan_options', 'on_bad_files'}),
    'image': frozenset({'decode_num_threads'}), 'audio': frozenset({'decode_num_threads'}), 'zip': frozenset({'decode_num_threads'})}
_DEFAULTS = {'on_bad_lines': 'error', 'sample_by': 'line', 'keep_linebreaks': False, 'skipfooter': 0, 'error_bad_lines': True, 'drop_labels': None}
_LISTS, _FLAGS = ('columns', 'metadata_filenames'), ('drop_labels', 'drop_metadata')
_MAX_README = 4 << 20
README = 'README.md'
CARD_FILES = (README, '.huggingface.yaml')


class DatasetError(ValueError):
    """The dataset cannot be read as asked; the message says why and what there is."""


def read_card(root: str, infos: dict[str, FileInfo]) -> dict:
    """The YAML at the head of the root's README.md and that of its .huggingface.yaml, whose keys count more; {} without both.

    Raises:
        DatasetError: it is no YAML, with the line.
    """
    card: dict = {}
    for name in CARD_FILES:
        if name in infos and infos[name].size <= _MAX_README:
            card.update(_read_yaml(root, name))
    configs = card.get('configs')
    if configs is not None and not (isinstance(configs, list) and all(isinstance(c, dict) for c in configs)):
        raise DatasetError(f'the README.md of {root} has configs that are no list of configs, each with config_name and data_files')
    card['configs'] = configs or []
    _check_names(root, card['configs'])
    return card


def config_name(config: dict) -> str:
    """The name of a config of a card, or of an entry of its dataset_info; 'default' where it has none."""
    name = config.get('config_name')
    return 'default' if name is None or name == '' else str(name)


def _check_names(root: str, configs: list[dict]) -> None:
    """Refuses names that YAML takes for something else, and two defaults.

    Raises:
        DatasetError: there is one.
    """
    for config in configs:
        files = config.get('data_files')
        splits = files if isinstance(files, dict) else [item.get('split') for item in files if isinstance(item, dict)] \
            if isinstance(files, list) else ()
        for what, name in (('config_name', config.get('config_name')), *(('split', split) for split in splits)):
            if isinstance(name, (bool, float)):
                raise DatasetError(f'the README.md of {root} has a {what} that YAML reads as {str(name).lower()}: put it in quotes')
    if sum(bool(config.get('default')) for config in configs) > 1:
        raise DatasetError(f'the README.md of {root} calls several configs the default one: leave one')


def _read_yaml(root: str, name: str) -> dict:
    import yaml

    data, first = storage.read_bytes(storage.join(root, name)), 1
    if is_lfs_pointer(data):
        raise DatasetError(f'the {name} of {root}: {IS_POINTER}')
    if data.startswith((b'\xff\xfe', b'\xfe\xff')):
        raise DatasetError(f'the {name} of {root} is UTF-16: save it as UTF-8')
    if name == README:
        match = _FRONT_MATTER.match(data)
        data, first = (match.group(1) if match else b''), 2
    try:
        content = yaml.load(data, Loader=_loader())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = getattr(getattr(error, 'problem_mark', None), 'line', None)
        where = f' at line {line + first}' if line is not None else ''
        raise DatasetError(f'the {name} of {root} has broken YAML{where} '
                           f"({str(getattr(error, 'problem', error)).splitlines()[0][:100]})") from None
    return content if isinstance(content, dict) else {}


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
    passed_over = _OF_THE_CONFIG | _INDIFFERENT.get(format_, frozenset()) | (frozenset() if format_ in _MEDIA else {'features'})
    refused = sorted(str(k) for k, value in config.items() if k not in followed and k not in passed_over
                     and value is not None and value != _DEFAULTS.get(k, ...)) if format_ else []
    if refused:
        raise DatasetError(f'the README.md of {root} gives {", ".join(refused)} for {name}, which is not followed '
                           f'here for {format_ or "these"} files: name the files by a pattern and read them yourself')
    config = {**config, 'metadata_filenames': [config['metadata_filenames']]} if isinstance(config.get('metadata_filenames'), str) else config
    for k in _LISTS:
        if config.get(k) is not None and not (isinstance(config[k], list) and all(isinstance(v, str) for v in config[k])):
            raise DatasetError(f'the README.md of {root} gives {k} for {name}, which must be a list of texts')
    for k in _FLAGS:
        if config.get(k) is not None and not isinstance(config[k], bool):
            raise DatasetError(f'the README.md of {root} gives {k} for {name}, which must be true or false')
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
