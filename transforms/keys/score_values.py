"""Scores as numbers, whatever they come as, and why one is none."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from transforms.keys.score_rules import MISSING, NAN, UNPARSABLE

_MAX_DIGITS = 4300  # more are no number for int() either, since Python 3.10.7


def parse_score(text: str) -> float | None:
    """The score that a model wrote, by the rule of Open-Qwen2VL's baselines (Wang et al., 2025): an integer before the first newline.

    Commas around it are stripped, then semicolons, each once. Python's int() decides, so spaces, signs, underscores and other scripts'
    digits are taken; "85.0" is none.
    """
    text = text.split('\n', 1)[0].strip(',').strip(';')
    if len(text) > _MAX_DIGITS:
        return None
    try:
        return float(int(text))
    except OverflowError:
        return math.inf if not text.strip().startswith('-') else -math.inf
    except ValueError:
        return None


def score_values(scores: np.ndarray | pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray, np.dtype]:
    """Scores as float64, a label for each, and the type in which they are compared with a threshold.

    Args:
        scores: numbers, or texts as `parse_score` takes them; in Arrow's arrays perhaps null.

    Returns:
        float64, shape (n,), 0 where there is none; int16, shape (n,): 0, or MISSING, NAN or UNPARSABLE; a numpy type.

    Raises:
        TypeError: they are neither numbers nor texts, or integers that float64 does not hold.
    """
    array = pa.array(scores) if isinstance(scores, np.ndarray) else scores
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_null(kind):
        values, known = np.zeros(len(array)), np.dtype(np.float64)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        values, known = _parsed(array), np.dtype(np.float64)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        known = np.dtype(np.int64) if pa.types.is_integer(kind) else np.dtype(kind.to_pandas_dtype()) if pa.types.is_floating(kind) \
            else np.dtype(np.float64)
        try:
            filled = pc.fill_null(array, pa.scalar(0, kind)) if array.null_count else array
            values = filled.cast(pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid as error:
            raise TypeError(f'scores are {kind}, and not all can be float64: {error}') from None
    else:
        raise TypeError(f'scores are {kind}, they must be numbers or texts')
    labels = np.zeros(len(array), np.int16)
    labels[np.isnan(values)] = UNPARSABLE if pa.types.is_string(kind) or pa.types.is_large_string(kind) else NAN
    if array.null_count:
        labels[pc.is_null(array).to_numpy(zero_copy_only=False)] = MISSING
    return (np.where(labels == 0, values, 0.0) if labels.any() else values), labels, known


def _parsed(texts: pa.Array) -> np.ndarray:
    """Float64, NaN for what is no number; models write few different texts, so each is parsed once."""
    encoded = texts.dictionary_encode()
    numbers = [parse_score(text) for text in encoded.dictionary.to_pylist()]
    found = np.array([math.nan if number is None else number for number in numbers] or [0.0])
    return found[pc.fill_null(encoded.indices, 0).to_numpy(zero_copy_only=False)]
