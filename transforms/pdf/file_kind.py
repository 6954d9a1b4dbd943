"""What a document is by its first bytes."""

from __future__ import annotations

import os

from transforms.pdf.errors import PageError

_MAGIC_WINDOW = 1024


def file_kind(source: bytes | str, name: str, limit: int) -> str:
    """'pdf' or 'image' by the first bytes, which must agree with what the name promises.

    MuPDF opens HTML, JPEG and SVG as documents when asked for a PDF, hence the check before any engine.

    Args:
        source: its bytes or a local path.
        name: file name; an ending .png, .jpg or .jpeg says that it is an image.
        limit: bytes that it may have.

    Raises:
        PageError: 'PdfMissing', 'PageTooBig' or 'NotAPdf'.
    """
    if isinstance(source, str):
        try:
            size = os.path.getsize(source)
            with open(source, 'rb') as file:
                head = file.read(_MAGIC_WINDOW)
        except OSError as error:
            raise PageError('PdfMissing', f'the file cannot be read: {error.strerror}') from None
    else:
        size, head = len(source), source[:_MAGIC_WINDOW]
    if size > limit:
        raise PageError('PageTooBig', f'the file has {size} bytes, over the limit of {limit}')
    if name.lower().endswith(('.png', '.jpg', '.jpeg')):
        if head.startswith((b'\x89PNG\r\n\x1a\n', b'\xff\xd8\xff')):
            return 'image'
        raise PageError('NotAPdf', 'neither PNG nor JPEG by its first bytes')
    if b'%PDF' in head:
        return 'pdf'
    raise PageError('NotAPdf', f'no %PDF in the first {_MAGIC_WINDOW} bytes (they begin {head[:12]!r})')
