"""MakeThumbnail: an image decoded and shrunk, as an operation of the sandbox."""

from __future__ import annotations

import io

from transforms.image.check_image import ImageLimits
from transforms.image.pillow import load_pillow
from transforms.sandbox.operation import ErrorNames, Operation, OperationError

_QUALITY = 72


class MakeThumbnail(Operation):
    """Answers with the payload as a JPEG, gray or RGB, whose longest side has at most `side` pixels."""

    Settings = ImageLimits
    errors = ErrorNames(timeout='ImageTimeout', out_of_memory='ImageOutOfMemory', crash='DecoderCrash', damaged='DamagedImage')

    def load(self) -> None:
        load_pillow()

    def run(self, task: dict, payload: bytes) -> tuple[dict, bytes]:
        from PIL import Image

        Image.MAX_IMAGE_PIXELS = self.settings.max_pixels
        out = io.BytesIO()
        try:
            with Image.open(io.BytesIO(payload)) as image:
                image.thumbnail((task['side'], task['side']))
                image.convert('L' if image.mode == 'L' else 'RGB').save(out, 'JPEG', quality=_QUALITY)
        except Image.DecompressionBombError as error:
            raise OperationError('ImageTooBig', str(error)) from None
        return {}, out.getvalue()
