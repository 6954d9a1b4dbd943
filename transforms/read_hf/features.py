"""The features of a dataset's card (`dataset_info` in its README) as one Arrow schema, which decides types for all formats.

Syntax after `datasets` 5.2 (features/features.py, `_from_yaml_list`).
"""

from __future__ import annotations

import json
import re

import pyarrow as pa

LABELS = b'labels'
_LISTS = ('list', 'sequence', 'large_list')
_PLAIN = {'bool': pa.bool_(), 'string': pa.string(), 'large_string': pa.string(), 'binary': pa.binary(),
          'large_binary': pa.binary(), 'float16': pa.float32(), 'float32': pa.float64(), 'float64': pa.float64(),
          'date32': pa.date32(), 'date64': pa.date64(),
          **{f'{sign}int{bits}': pa.int64() if sign == '' or bits < 64 else pa.uint64()
             for sign in ('', 'u') for bits in (8, 16, 32, 64)}}
_TIMESTAMP = re.compile(r'timestamp\[(s|ms|us|ns)(?:,\s*tz=(.+))?\]\Z')


def card_features(card: dict, subset: str) -> pa.Schema | None:
    """The features that a card gives for a subset, None when it gives none.

    Numbers are as wide as Python's. A field of a kind that is left as it is (an image, anything unknown) has type null;
    a class label has type int64, and its names as JSON under `LABELS` in the field's metadata.
    """
    for config in card.get('configs', ()):
        if str(config.get('config_name') or 'default') == subset and _is_features(config.get('features')):
            return pa.schema([_field(feature) for feature in config['features']])
    infos = card.get('dataset_info')
    infos = infos if isinstance(infos, list) else [infos]
    for info in infos:
        if isinstance(info, dict) and str(info.get('config_name') or 'default') == subset:
            if _is_features(info.get('features')):
                return pa.schema([_field(feature) for feature in info['features']])
    return None


def _is_features(features: object) -> bool:
    return isinstance(features, list) and bool(features) and all(
        isinstance(f, dict) and isinstance(f.get('name'), str) for f in features)


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
    return _PLAIN.get(kind, pa.null())
