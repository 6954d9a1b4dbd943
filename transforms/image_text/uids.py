"""Uids of samples, as arrays: DataComp's 128-bit numbers, two halves of 64 bits in each element."""

from __future__ import annotations

import binascii

import numpy as np
import pyarrow as pa

UID = np.dtype('u8,u8')  # of the published uid files: f0 is the first 16 hexadecimal digits, f1 the last
UID_DIGITS = 32
_DIGITS = np.full(256, 255, np.uint8)
_DIGITS[np.frombuffer(b'0123456789abcdef', np.uint8)] = np.arange(16)
_DIGITS[np.frombuffer(b'ABCDEF', np.uint8)] = np.arange(10, 16)


def parse_uids(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Uids of texts of 32 hexadecimal digits.

    Returns:
        `UID`, shape (n,), 0 where the text is none; bool, shape (n,): whether it is one.
    """
    texts = texts.cast(pa.large_string())
    uids, valid = np.zeros(len(texts), UID), np.zeros(len(texts), bool)
    offsets = np.frombuffer(texts.buffers()[1], np.int64, len(texts) + 1, texts.offset * 8)
    valid[:] = np.diff(offsets) == UID_DIGITS
    if texts.null_count:
        valid &= texts.is_valid().to_numpy(zero_copy_only=False)
    data = np.frombuffer(texts.buffers()[2] or b'', np.uint8)
    places = offsets[:-1][valid]
    if not len(places):
        return uids, valid
    whole = len(places) == len(texts) and places[-1] - places[0] == UID_DIGITS * (len(texts) - 1)
    digits = data[places[0]:places[0] + UID_DIGITS * len(places)].reshape(-1, UID_DIGITS) if whole else data[places[:, None] + np.arange(UID_DIGITS)]
    try:
        halves = np.frombuffer(binascii.unhexlify(np.ascontiguousarray(digits)), '>u8').reshape(-1, 2)
    except binascii.Error:
        nibbles = _DIGITS[digits]
        right = (nibbles < 16).all(1)
        valid[valid] = right
        halves = np.ascontiguousarray(nibbles[right, 0::2] << 4 | nibbles[right, 1::2]).view('>u8')
    uids['f0'][valid], uids['f1'][valid] = halves[:, 0], halves[:, 1]
    return uids, valid


def format_uids(uids: np.ndarray) -> list[str]:
    """32 lower-case hexadecimal digits for each."""
    data = np.stack([uids['f0'], uids['f1']], 1).astype('>u8').tobytes().hex()
    return [data[i:i + UID_DIGITS] for i in range(0, len(data), UID_DIGITS)]


def sort_uids(uids: np.ndarray) -> np.ndarray:
    """In ascending order."""
    return uids[order_of(uids)]


def order_of(uids: np.ndarray) -> np.ndarray:
    """The stable order of uids, as np.argsort gives it; by their first halves, and by the second where those are equal, which is rare."""
    high = np.ascontiguousarray(uids['f0'])
    order = np.argsort(high, kind='stable')
    high = high[order]
    same = high[1:] == high[:-1]
    if same.any():
        tied = np.zeros(len(high), bool)
        tied[1:] |= same
        tied[:-1] |= same
        some = order[tied]
        order[tied] = some[np.lexsort((uids['f1'][some], high[tied]))]
    return order


def follows(uids: np.ndarray) -> np.ndarray:
    """How each but the first stands to the one before: 1 larger, 0 equal, -1 smaller; int8, shape (n - 1,)."""
    a, b = uids[:-1], uids[1:]
    high = (b['f0'] > a['f0']).astype(np.int8) - (b['f0'] < a['f0'])
    low = (b['f1'] > a['f1']).astype(np.int8) - (b['f1'] < a['f1'])
    return np.where(high, high, low)


def places_of(uids: np.ndarray, wanted: np.ndarray, side: str = 'left') -> np.ndarray:
    """Where `wanted` belong in sorted uids, as np.searchsorted gives it."""
    high, low = np.ascontiguousarray(uids['f0']), uids['f1']
    first, last = np.searchsorted(high, wanted['f0'], 'left'), np.searchsorted(high, wanted['f0'], 'right')
    single = last - first == 1
    theirs = low[first[single]]
    places = first.copy()
    places[single] += theirs < wanted['f1'][single] if side == 'left' else theirs <= wanted['f1'][single]
    for i in np.flatnonzero(last - first > 1):  # copies of one uid, or uids that share a half
        places[i] += np.searchsorted(low[first[i]:last[i]], wanted['f1'][i], side)
    return places
