"""Images with their text as lines of metadata, from which `datasets`, the Hub's viewer and pandas read them."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from transforms.accounting.product import JoinedFile

METADATA = {'train': 'metadata.jsonl', 'eval': 'metadata_eval.jsonl'}
IMAGES = 'images'


def metadata_line(image: str, values: Mapping[str, object]) -> bytes:
    """A line of the metadata: `image` is relative to the output, '' for none; the file becomes the column `image` when it is loaded."""
    return orjson.dumps({'file_name': image or None, **values})


def metadata_file(split: str) -> JoinedFile:
    """The product of the metadata lines of a split, which are payloads of the kind of its path."""
    return JoinedFile(METADATA[split], METADATA[split], separator=b'\n', tail=b'\n')
