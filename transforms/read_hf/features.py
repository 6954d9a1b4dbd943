"""The features of a dataset's card (`dataset_info` in its README) as one Arrow schema, which decides types for all formats.

Syntax after `datasets` 5.2 (features/features.py, `_from_yaml_list`).
"""

from __future__ import annotations

import json
import re

import pyarrow as pa

from transforms.read_hf.card import DatasetError, config_name

LABELS = b'labels'
_LISTS = ('list', 'sequence', 'large_list')
_PLAIN = {'bool': pa.bool_(), 'string': pa.string(), 'large_string': pa.string(), 'binary': pa.binary(),
          'large_binary': pa.binary(), 'float': pa.float64(), 'double': pa.float64(), 'float16': pa.float32(), 'float32': pa.float64(), 'float64': pa.float64(),
          'date32': pa.date32(), 'date64': pa.date64(),
          **{f'{sign}int{bits}': pa.int64() if sign == '' or bits < 64 else pa.uint64()
             for sign in ('', 'u') for bits in (8, 16, 32, 64)}}
# What values are left as they are for: a schema of the file itself, or what `datasets` decodes.
_LEFT = re.compile(r'(null|time(32|64)\[|duration\[|decimal(32|64|128|256)\(|string_view|binary_view|float8|halffloat|dictionary'
                   r'|image|audio|video|pdf|nifti|mesh|array[2-5]d|translation)')
_TIMESTAMP = re.compile(r'timestamp\[(s|ms|us|ns)(?:,\s*tz=(.+))?\]\Z')


def card_features(card: dict, subset: str) -> pa.Schema | None:
    """The features that a card gives for a subset, None when it gives none.

    Numbers are as wide as Python's. A field of a kind that is left as it is (an image, anything unknown) has type null;
    a class label has type int64, and its names as JSON under `LABELS` in the field's metadata.
    """
    for config in card.get('configs', ()):
        if config_name(config) == subset and (features := _features(config.get('features'))):
            return pa.schema(map(_field, features))
    infos = card.get('dataset_info')
    infos = infos if isinstance(infos, list) else [infos]
    for info in infos:
        if isinstance(info, dict) and config_name(info) == subset and (features := _features(info.get('features'))):
            return pa.schema(map(_field, features))
    return None


def _features(features: object) -> list[dict]:
    """The features that a card lists, [] for none.

    Raises:
        DatasetError: they are no list of features with names.
    """
    if not features or not isinstance(features, list):
        return []
    if wrong := [f for f in features if not (isinstance(f, dict) and isinstance(f.get('name'), str))]:
        name = wrong[0].get('name') if isinstance(wrong[0], dict) else wrong[0]
        raise DatasetError(f'the README.md has a feature whose name is no text: {str(name)[:60]}; put it in quotes')
    return features


def _field(feature: dict) -> pa.Field:
    for word in ('dtype', *_LISTS):
        if names := _label_names(feature.get(word)):
            kind = pa.int64() if word == 'dtype' else pa.list_(pa.int64())
            return pa.field(feature['name'], kind, metadata={LABELS: json.dumps(names)})
    return pa.field(feature['name'], _type(feature))


def _label_names(kind: object) -> list[str]:
    """The names of a class label in the order of their numbers, [] for another kind."""
    names = kind['class_label'].get('names') if isinstance(kind, dict) and isinstance(kind.get('class_label'), dict) else None
    if isinstance(names, dict):
        try:
            names = [names[key] for key in sorted(names, key=int)]
        except (TypeError, ValueError):
            return []
    return [str(name) for name in names] if isinstance(names, list) else []


def _type(feature: dict) -> pa.DataType:
    """The Arrow type of a feature, null where values are to be left as they are."""
    for word in _LISTS:
        if word in feature:
            inner = feature[word]
            kind = _PLAIN.get(inner) if isinstance(inner, str) else None
            return pa.list_(kind) if kind is not None else pa.null()
    kind = feature.get('dtype')
    if not isinstance(kind, str):
        return pa.null()
    if match := _TIMESTAMP.match(kind):
        return pa.timestamp(match[1], tz=match[2])
    if kind not in _PLAIN and not _LEFT.match(kind):
        raise DatasetError(f"the README.md gives {feature['name']} the dtype {kind[:60]}, which `datasets` does not have")
    return _PLAIN.get(kind, pa.null())
