"""What a document is by its first bytes."""

from __future__ import annotations

import os
import re

from transforms.files.lfs import IS_POINTER, is_lfs_pointer
from transforms.pdf.errors import PageError

_HEAD = 1024
_HEADER = re.compile(rb'%PDF-\d')
_BLOCK = 1 << 20


def file_kind(source: bytes | str, name: str, limit: int) -> str:
    """'pdf' or 'image' by the first bytes, which must agree with what the name promises.

    MuPDF opens HTML, JPEG and SVG as documents when asked for a PDF, hence the check before any engine. pdfium takes a header that
    begins within the first 1,025 bytes; MuPDF repairs a file whose header comes later, as behind the headers of a mail or of a
    printer's job, wherever it is: so it is searched to the end.

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
                head = file.read(_HEAD)
        except OSError as error:
            raise PageError('PdfMissing', f'the file cannot be read: {error.strerror}') from None
    else:
        size, head = len(source), source[:_HEAD]
    if size > limit:
        raise PageError('PageTooBig', f'the file has {size} bytes, over the limit of {limit}')
    if is_lfs_pointer(head):
        raise PageError('NotAPdf', IS_POINTER)
    if name.lower().endswith(('.png', '.jpg', '.jpeg')):
        if head.startswith((b'\x89PNG\r\n\x1a\n', b'\xff\xd8\xff')):
            return 'image'
        raise PageError('NotAPdf', 'neither PNG nor JPEG by its first bytes')
    if b'%PDF' in head or (not head.lstrip().startswith(b'<') and _has_header(source)):
        return 'pdf'
    if not size:
        raise PageError('NotAPdf', 'the file is empty')
    raise PageError('NotAPdf', f'it has no %PDF header (it begins {head[:12]!r})')


def _has_header(source: bytes | str) -> bool:
    if not isinstance(source, str):
        return bool(_HEADER.search(source))
    with open(source, 'rb') as file:
        tail = b''
        while block := file.read(_BLOCK):
            if _HEADER.search(tail + block):
                return True
            tail = block[-6:]
    return False
