"""Pages that are images: PNG and JPEG to pixels, upright, on white, 8 bits deep. Runs inside a child process only."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np

from transforms.pdf.errors import PageError
from transforms.pdf.settings import RenderSettings
from transforms.pdf.sizes import check_size, output_size


def render_image(data: bytes | str, rotation: int, settings: RenderSettings) -> np.ndarray:
    """A PNG or JPEG, turned by its EXIF tag and the label, shrunk to `max_size`, and enlarged to it with `enlarge='yes'` alone."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = settings.max_pixels * 4
    try:
        with Image.open(data if isinstance(data, str) else io.BytesIO(data), formats=('PNG', 'JPEG')) as image:
            if image.width * image.height > settings.max_pixels * 4:
                raise PageError('PageTooBig', f'{image.width} x {image.height} pixels of input')
            image.draft('RGB', (settings.max_size, settings.max_size)) if image.format == 'JPEG' else None
            upright = ImageOps.exif_transpose(image)
            flat = _on_white(upright)
    except Image.DecompressionBombError as error:
        raise PageError('PageTooBig', str(error)) from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        raise PageError('DamagedPdf', f'image: {" ".join(str(error).split())[:200]}') from None
    if rotation:
        flat = flat.rotate(-rotation, expand=True)
    if settings.enlarge == 'yes' and max(flat.size) < settings.max_size:
        w, h = flat.size
        flat = flat.resize(output_size(w, h, replace(settings, dpi=0.0)), Image.Resampling.LANCZOS)
    flat.thumbnail((settings.max_size, settings.max_size), Image.Resampling.LANCZOS)
    check_size(*flat.size, settings)
    return np.asarray(flat)


def _on_white(image: object) -> object:
    from PIL import Image

    if image.mode in ('L', 'RGB') and 'transparency' not in image.info:
        return image.copy()
    if image.mode.startswith('I'):
        # 16 bits a pixel: Pillow's convert('L') would clip them at 255, and a scan would come out white.
        deep = np.asarray(image).astype(np.int64).clip(0, 0xFFFF)
        flat = (deep // 257).astype(np.uint8)
        if isinstance(clear := image.info.get('transparency'), int):
            flat[deep == clear] = 255
        return Image.fromarray(flat)
    if image.mode in ('1', 'F'):
        return image.convert('L')
    if 'A' in image.getbands() or 'transparency' in image.info:
        rgba = image.convert('RGBA')
        white = Image.new('RGBA', rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert('RGB')
    return image.convert('RGB')
