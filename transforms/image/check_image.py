"""CheckImage: whether an image file can be decoded whole, as an operation of the sandbox."""

from __future__ import annotations

import io
from dataclasses import dataclass

from transforms.files.lfs import IS_POINTER, is_lfs_pointer
from transforms.image.pillow import load_pillow
from transforms.sandbox.operation import ErrorNames, Operation, OperationError

_FORMATS = ('JPEG', 'PNG', 'WEBP', 'GIF', 'BMP', 'TIFF')
_END_OF_JPEG = b'\xff\xd9'


@dataclass(frozen=True)
class ImageLimits:
    """What one image may cost.

    Attributes:
        max_bytes: size of its file; who reads it sees to that.
        max_pixels: width times height.
        min_side: a shorter side than this makes no image; the usual image processors of trainers crash on one pixel.
        cpu_seconds: CPU time to decode it.
        memory_bytes: address space of a child process.
    """

    max_bytes: int = 64 << 20
    max_pixels: int = 64_000_000
    min_side: int = 3
    cpu_seconds: float = 20.0
    memory_bytes: int = 2 << 30

    def __post_init__(self) -> None:
        for name, low, high in (('max_bytes', 1, 1 << 46), ('max_pixels', 1, 1 << 46), ('min_side', 1, 1024),
                                ('cpu_seconds', 0.1, 86400), ('memory_bytes', 256 << 20, 1 << 46)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f'{name} is {getattr(self, name)}, must be {low} to {high}')


class CheckImage(Operation):
    """Decodes the payload, and answers with `format`, `width` and `height` (pixels)."""

    Settings = ImageLimits
    errors = ErrorNames(timeout='ImageTimeout', out_of_memory='ImageOutOfMemory', crash='DecoderCrash', damaged='DamagedImage')

    def load(self) -> None:
        load_pillow()

    def run(self, task: dict, payload: bytes) -> tuple[dict, bytes]:
        return check_image(payload, self.settings), b''


def check_image(data: bytes, limits: ImageLimits) -> dict[str, object]:
    """Format and size of an image whose every pixel could be decoded.

    Raises:
        OperationError: 'TruncatedImage' (it ends too early), 'ImageTooBig', 'ImageTooSmall', or 'DamagedImage'.
    """
    from PIL import Image, UnidentifiedImageError

    if is_lfs_pointer(data):
        raise OperationError('DamagedImage', IS_POINTER)
    if not data:
        raise OperationError('TruncatedImage', 'the file is empty')
    Image.MAX_IMAGE_PIXELS = limits.max_pixels
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > limits.max_pixels:
                raise OperationError('ImageTooBig', f'{image.width} x {image.height} pixels')
            if min(image.size) < limits.min_side:
                raise OperationError('ImageTooSmall', f'{image.width} x {image.height} pixels; the shorter side must have '
                                                 f'{limits.min_side}')
            facts = {'format': image.format, 'width': image.width, 'height': image.height}
            image.load()
    except Image.DecompressionBombError as error:
        raise OperationError('ImageTooBig', str(error)) from None
    except UnidentifiedImageError:  # its text holds an address
        raise OperationError('DamagedImage',
                        f'no {", ".join(_FORMATS)} (it begins {data[:12]!r})') from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, ArithmeticError) as error:
        text = ' '.join(str(error).split())[:200]
        name = 'TruncatedImage' if 'truncated' in text.lower() or not data else 'DamagedImage'
        raise OperationError(name, text or type(error).__name__) from None
    # Pillow bears a JPEG whose last bytes are missing when every block came before them. What lies behind its end
    # (the video of a motion photo) is no part of it.
    if facts['format'] == 'JPEG' and _END_OF_JPEG not in data[-64 << 10:] and not _has_end(data):
        raise OperationError('TruncatedImage', 'the JPEG has no end')
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
