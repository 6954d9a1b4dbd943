"""Ranks: a seeded hash of an element's identity, by which samples are the same however a pipeline runs."""

from __future__ import annotations

import hashlib
import json
import math
import struct

import numpy as np

_TWO_64 = 2.0 ** 64
_SIGN = 1 << 63


def rank_secret(seed: int, key: str = '') -> bytes:
    """The key of the hashes of one sample."""
    return hashlib.blake2b(f'{seed} {key}'.encode('utf-8', 'surrogatepass'), digest_size=32, person=b'sample').digest()


def rank_of(identity: str | int | bytes, secret: bytes) -> tuple[int, int]:
    """Two independent uniform 64-bit integers of an identity: its rank, and what decides between equal ranks.

    Raises:
        TypeError: it is neither text, integer nor bytes.
    """
    if isinstance(identity, str):
        data = b's' + identity.encode('utf-8', 'surrogatepass')
    elif isinstance(identity, int) and not isinstance(identity, bool):
        data = b'i%d' % identity
    elif isinstance(identity, bytes):
        data = b'b' + identity
    else:
        raise TypeError(f'an id is {type(identity).__name__}, it must be text, an integer or bytes')
    rank, rest = struct.unpack('<QQ', hashlib.blake2b(data, digest_size=16, key=secret).digest())
    return rank, rest


def weighted_rank(rank: int, weight: float) -> int:
    """A rank by which the n smallest are a sample with probabilities proportional to weights.

    The rank becomes an exponential variable with rate `weight`, as by Efraimidis and Spirakis ("Weighted random sampling with a
    reservoir", 2006; their key u ** (1 / weight) has the same order), and its bits an integer of the same order.
    """
    wait = -math.log1p(-rank / _TWO_64) / weight if rank < 0xFFFFFFFFFFFFFC00 else math.inf  # above it the quotient would be 1
    return struct.unpack('<Q', struct.pack('<d', wait))[0] | _SIGN


def checked_weight(weight: object) -> float:
    """The weight of an element; one of weight 0 is never drawn.

    Raises:
        ValueError: it is no finite number of at least 0.
    """
    if isinstance(weight, bool) or not isinstance(weight, (int, float, np.number)) or not 0 <= weight < math.inf:
        raise ValueError(f'a weight is {weight!r}, it must be a finite number of at least 0')
    return float(weight)


def row_key(seed: int, *names: str | int) -> int:
    """The key of the ranks of the rows of one file, 64 bits: of the seed and of what names the file, such as source and path."""
    text = json.dumps([seed, *names], separators=(',', ':'))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8, person=b'rows').digest(), 'little')


def row_ranks(key: int, first: int, count: int) -> np.ndarray:
    """Ranks of the rows [first, first + count), uint64: splitmix64(row xor key), so no two rows of a key have the same.

    SplitMix64 is of Steele, Lea and Flood ("Fast splittable pseudorandom number generators", 2014); 10^8 ranks take about a second.
    """
    ranks = np.arange(first, first + count, dtype=np.uint64) ^ np.uint64(key)
    ranks += np.uint64(0x9E3779B97F4A7C15)
    ranks = (ranks ^ (ranks >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    ranks = (ranks ^ (ranks >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ranks ^ (ranks >> np.uint64(31))
