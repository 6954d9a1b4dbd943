"""The features of a dataset's card (`dataset_info` in its README) as one Arrow schema, which decides types for all formats.

Syntax after `datasets` 5.2 (features/features.py, `_from_yaml_list`).
"""

from __future__ import annotations

import json
import re

import pyarrow as pa

LABELS = b'labels'
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
    infos = card.get('dataset_info')
    infos = infos if isinstance(infos, list) else [infos]
    for info in infos:
        if isinstance(info, dict) and str(info.get('config_name') or 'default') == subset:
            features = info.get('features')
            if isinstance(features, list) and features and all(
                    isinstance(f, dict) and isinstance(f.get('name'), str) for f in features):
                return pa.schema([_field(feature) for feature in features])
    return None


def _field(feature: dict) -> pa.Field:
    kind = feature.get('dtype')
    if isinstance(kind, dict) and isinstance(kind.get('class_label'), dict):
        names = kind['class_label'].get('names')
        names = list(names.values()) if isinstance(names, dict) else names
        if isinstance(names, list):
            return pa.field(feature['name'], pa.int64(), metadata={LABELS: json.dumps([str(n) for n in names])})
    return pa.field(feature['name'], _type(feature))


def _type(feature: dict) -> pa.DataType:
    """The Arrow type of a feature, null where values are to be left as they are."""
    for word in ('list', 'sequence', 'large_list'):
        if word in feature:
            inner = feature[word]
            kind = _PLAIN.get(inner) if isinstance(inner, str) else None
            return pa.list_(kind) if kind is not None else pa.null()
    kind = feature.get('dtype')
    if not isinstance(kind, str):
        return pa.null()
    if found := _TIMESTAMP.match(kind):
        return pa.timestamp(found[1], tz=found[2])
    return _PLAIN.get(kind, pa.null())
