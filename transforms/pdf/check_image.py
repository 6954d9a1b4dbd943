"""Whether an image file can be decoded whole; runs in a sandboxed child."""

from __future__ import annotations

import io

from transforms.pdf.errors import PageError
from transforms.pdf.settings import RenderSettings

_FORMATS = ('JPEG', 'PNG', 'WEBP', 'GIF', 'BMP', 'TIFF')
_END_OF_JPEG = b'\xff\xd9'


def check_image(data: bytes, settings: RenderSettings) -> dict[str, object]:
    """Format and size of an image whose every pixel could be decoded.

    Raises:
        PageError: 'TruncatedImage' (it ends too early), 'PageTooBig', 'ImageTooSmall', or 'DamagedImage'.
    """
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = settings.max_pixels
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > settings.max_pixels:
                raise PageError('PageTooBig', f'{image.width} x {image.height} pixels')
            if min(image.size) < settings.min_side:
                raise PageError('ImageTooSmall', f'{image.width} x {image.height} pixels; the shorter side must have '
                                                 f'{settings.min_side}')
            facts = {'format': image.format, 'width': image.width, 'height': image.height}
            image.load()
    except Image.DecompressionBombError as error:
        raise PageError('PageTooBig', str(error)) from None
    except UnidentifiedImageError:  # its text holds an address
        raise PageError('TruncatedImage' if not data else 'DamagedImage',
                        f'no {", ".join(_FORMATS)} (it begins {data[:12]!r})') from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, ArithmeticError) as error:
        text = ' '.join(str(error).split())[:200]
        name = 'TruncatedImage' if 'truncated' in text.lower() or not data else 'DamagedImage'
        raise PageError(name, text or type(error).__name__) from None
    # Pillow bears a JPEG whose last bytes are missing when every block came before them. What lies behind its end
    # (the video of a motion photo) is no part of it.
    if facts['format'] == 'JPEG' and _END_OF_JPEG not in data[-64 << 10:] and not _has_end(data):
        raise PageError('TruncatedImage', 'the JPEG has no end')
    return facts


def _has_end(data: bytes) -> bool:
    """Whether the segments and scans of a JPEG lead to its end marker (ITU-T T.81, B.1)."""
    at, size = 2, len(data)
    while at + 4 <= size:
        if data[at] != 0xFF:
            at = data.find(b'\xff', at)  # inside a scan
            if at < 0:
                return False
        kind = data[at + 1]
        if kind == 0xD9:
            return True
        if kind in (0x00, 0x01, 0xFF) or 0xD0 <= kind <= 0xD8:
            at += 1 if kind == 0xFF else 2
            continue
        at += 2 + int.from_bytes(data[at + 2:at + 4], 'big')
    return data[at:at + 2] == _END_OF_JPEG
