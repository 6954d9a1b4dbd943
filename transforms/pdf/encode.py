"""Pixels to image files: ink share, gray test, and a PNG writer that is 10 to 20 times as fast as Pillow's.

The writer uses filter "none" or "up" for the whole image and one IDAT chunk. Adaptive filtering costs about
20 ms a page and makes born-digital pages bigger (measured on 50 pages; docs/performance.md).

zlib-ng is used at level 2: on 56 real pages 2.2 ms and 149 kB where isal's level 3 takes 3.2 ms and 160 kB. Levels 1 to 3 of it give the
same bytes in each process, and from builds with and without a processor's own instructions; level 6 does not. isal is used at level 3:
its levels 1 and 2 are faster, but what they write depends on where their buffers happen to lie: 20 of 12,000 page images came out with
other bytes in another process (isal 1.9.1, measured; with address randomization off: none). Levels 0 and 3: none, and level 0 writes
22 % more.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import partial

import numpy as np

from transforms.pdf.settings import PNG_CODECS, RenderSettings

Buffer = bytes | memoryview
_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_INK_LUMINANCE = 250
_CERTAIN_SHARE, _SMALLEST_MARK, _MARK_PART = 0.002, 3, 320
_TRIAL_BANDS, _TRIAL_ROWS = 8, 6
_GROUP = 8  # pixels, three words of 8 bytes
_WHITE_WORD = np.uint64((1 << 64) - 1)


def measure(pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """(the pixels, as (H, W) when the three channels of (H, W, 3) are equal everywhere; the ink share).

    Most of most pages is white, which is gray and no ink: only groups of eight pixels that are not all white are looked at.
    """
    if pixels.ndim == 2 or not pixels.flags.c_contiguous:
        pixels = to_one_channel(pixels)
        return pixels, ink_share(pixels)
    flat = pixels.reshape(-1)
    whole = flat.size // (3 * _GROUP)
    words = flat[:whole * 3 * _GROUP].view(np.uint64)
    marked = np.flatnonzero((words[0::3] & words[1::3] & words[2::3]) != _WHITE_WORD)
    if len(marked) > whole // 2:
        pixels = to_one_channel(pixels)
        return pixels, ink_share(pixels)
    groups = flat[:whole * 3 * _GROUP].reshape(whole, 3 * _GROUP)[marked]
    rest = flat[whole * 3 * _GROUP:]
    some = np.concatenate((groups.reshape(-1), rest)).reshape(1, -1, 3)
    if is_gray(some):
        ink = int(np.count_nonzero(some[..., 0] < _INK_LUMINANCE))
        gray = np.full(pixels.shape[0] * pixels.shape[1], 255, np.uint8)
        gray[:whole * _GROUP].reshape(whole, _GROUP)[marked] = groups[:, ::3]
        gray[whole * _GROUP:] = rest[::3]
        pixels = gray.reshape(pixels.shape[:2])
    else:
        ink = int(np.count_nonzero(luminance(some) < _INK_LUMINANCE))
    return pixels, round(ink / (pixels.shape[0] * pixels.shape[1]), 6)


def is_gray(pixels: np.ndarray) -> bool:
    """True when the three channels of an (H, W, 3) uint8 array are equal everywhere."""
    # A sparse look first: colour pages mostly show their colour there.
    for view in (pixels[::37], pixels):
        flat = np.ascontiguousarray(view).reshape(-1)
        differ = flat[1:] != flat[:-1]
        differ[2::3] = False  # from one pixel to the next
        if differ.any():
            return False
    return True


def to_mode(pixels: np.ndarray, color: str) -> np.ndarray:
    """(H, W, 3) or (H, W) uint8 to what `color` asks for: (H, W) for gray, (H, W, 3) for RGB."""
    if pixels.ndim == 2:
        return np.repeat(pixels[:, :, None], 3, axis=2) if color == 'rgb' else pixels
    return luminance(pixels) if color == 'gray' else pixels


def to_one_channel(pixels: np.ndarray) -> np.ndarray:
    """(H, W) when the three channels of (H, W, 3) are equal everywhere, else the array as it is.

    Done before anything else looks at the pixels: half of all pages are gray, and a third is looked at faster.
    """
    return np.ascontiguousarray(pixels[..., 0]) if pixels.ndim == 3 and is_gray(pixels) else pixels


def luminance(pixels: np.ndarray) -> np.ndarray:
    """ITU-R 601 luminance of an (H, W, 3) uint8 array, as Pillow's convert('L') gives it."""
    from PIL import Image

    return np.asarray(Image.fromarray(pixels).convert('L'))


def ink_share(pixels: np.ndarray) -> float:
    """The share of pixels with luminance below 250 of 255, rounded to 6 digits."""
    gray = luminance(pixels) if pixels.ndim == 3 else pixels
    return round(int(np.count_nonzero(gray < _INK_LUMINANCE)) / gray.size, 6)


def is_blank(pixels: np.ndarray, share: float) -> bool:
    """Whether an image has no mark of ink: no connected pixels with luminance below 250, as many as a full stop has.

    Measured: a full stop of 8 points has 4 such pixels at 1024 pixels a side, 6 at 1288 and 11 at 2048, a lone 7 of 6
    points 19, 25 and 44; the dust of a scan 1 to 3. So a mark is a 320th of the longest side, and at least 3.

    Args:
        pixels: (H, W) or (H, W, 3) uint8.
        share: its `ink_share`; a page with more than 0.2 % of ink has marks.
    """
    if share > _CERTAIN_SHARE:
        return False
    gray = luminance(pixels) if pixels.ndim == 3 else pixels
    wanted = max(_SMALLEST_MARK, max(gray.shape) // _MARK_PART)
    rows, columns = np.nonzero(gray < _INK_LUMINANCE)
    left = set(zip(rows.tolist(), columns.tolist(), strict=True))
    while left:
        stack, size = [left.pop()], 0
        while stack:
            y, x = stack.pop()
            size += 1
            if size >= wanted:
                return False
            around = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= around
            stack += around
    return True


def encode(pixels: np.ndarray, settings: RenderSettings) -> bytes:
    """Encodes (H, W) gray or (H, W, 3) RGB uint8 pixels in the format that `settings` names."""
    if settings.image_format == 'png':
        return encode_png(pixels, settings.png_codec)
    from PIL import Image

    out = io.BytesIO()
    name, extra = ('JPEG', {}) if settings.image_format == 'jpg' else ('WEBP', {'method': 4})
    Image.fromarray(pixels).save(out, name, quality=settings.quality, **extra)
    return out.getvalue()


def encode_png(pixels: np.ndarray, codec: str = PNG_CODECS[0]) -> bytes:
    """A PNG of 8-bit gray or RGB pixels; `codec` is 'zlib-ng' (level 2), 'isal' (level 3) or 'zlib' (level 1)."""
    deflate = _deflate(codec, trial=False)
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels).reshape(height, -1)
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    if _up_is_smaller(rows, _deflate(codec, trial=True)):
        filtered[:, 0] = 2
        filtered[0, 1:] = rows[0]
        np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    else:
        filtered[:, 0] = 0
        filtered[:, 1:] = rows
    header = struct.pack('>IIBBBBB', width, height, 8, 0 if pixels.ndim == 2 else 2, 0, 0, 0)
    body = deflate(memoryview(filtered).cast('B'))
    return b''.join([_SIGNATURE, *_chunk(b'IHDR', header), *_chunk(b'IDAT', body), *_chunk(b'IEND', b'')])


def _up_is_smaller(rows: np.ndarray, deflate: Callable[[Buffer], bytes]) -> bool:
    """Compresses a few bands of rows both ways; scans shrink with filter "up", rendered text does not."""
    height = rows.shape[0]
    if height < 2 * _TRIAL_BANDS * _TRIAL_ROWS:
        return len(deflate(np.diff(rows, axis=0).tobytes())) < len(deflate(rows[1:].tobytes()))
    starts = np.linspace(1, height - _TRIAL_ROWS, _TRIAL_BANDS).astype(int)
    take = (starts[:, None] + np.arange(_TRIAL_ROWS)).ravel()
    plain = rows[take]
    return len(deflate((plain - rows[take - 1]).tobytes())) < len(deflate(plain.tobytes()))


def load_codec(codec: str) -> None:
    """Imports a codec, before memory is limited and time is counted."""
    _deflate(codec, trial=False)


def _deflate(codec: str, trial: bool) -> Callable[[Buffer], bytes]:
    if codec == 'zlib-ng':
        from zlib_ng import zlib_ng

        return partial(zlib_ng.compress, level=1 if trial else 2)
    if codec == 'isal':
        from isal import isal_zlib

        return partial(isal_zlib.compress, level=0 if trial else 3)
    return partial(zlib.compress, level=1)


def _chunk(name: bytes, body: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    crc = zlib.crc32(body, zlib.crc32(name))
    return struct.pack('>I', len(body)), name, body, struct.pack('>I', crc)
