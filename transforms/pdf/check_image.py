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
        PageError: 'TruncatedImage' (it ends too early), 'PageTooBig', or 'DamagedImage'.
    """
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = settings.max_pixels
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > settings.max_pixels:
                raise PageError('PageTooBig', f'{image.width} x {image.height} pixels')
            found = {'format': image.format, 'width': image.width, 'height': image.height}
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
    # Pillow bears a JPEG whose last bytes are missing when every block came before them.
    if found['format'] == 'JPEG' and _END_OF_JPEG not in data[-64 << 10:]:
        raise PageError('TruncatedImage', 'the JPEG has no end')
    return found
