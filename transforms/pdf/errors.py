"""Why a page could not be rendered: the closed list of error classes, in the order that decides between two.

The order and the meaning follow the project's decisions for olmOCR-mix; the first class that applies names
the outcome of a record.
"""

from __future__ import annotations

from transforms.sandbox.operation import ErrorNames, OperationError

ERROR_ORDER = (
    'PdfMissing',        # the archive or folder is there, the file is not
    'NotAPdf',           # the first bytes are no PDF (or, for an image, no PNG or JPEG)
    'EncryptedPdf',      # a password is needed, or the encryption is not supported
    'DamagedPdf',        # no engine asked for can read it
    'RepairedPdf',       # only MuPDF's repair can read it; the page may be nearly empty
    'EmptyPdf',          # no page
    'PageTimeout',       # CPU limit
    'PageTooBig',        # pixel limit or file size limit
    'ImageTooSmall',     # shorter side under the limit; counts as dropped, image_too_small
    'PageOutOfMemory',   # memory limit
    'RenderCrash',       # the engine killed its process
    'FontMissing',       # letters of a font that is not embedded, which no engine asked for has glyphs for
    'BlankRender',       # no mark of ink although the label has text
    'BlankPage',         # no mark of ink, and pages without are not wanted; counts as dropped, blank_page
)
FINAL_ERRORS = frozenset({'NotAPdf', 'BlankPage', 'PageTimeout', 'PageTooBig', 'ImageTooSmall', 'PageOutOfMemory', 'RenderCrash'})


SANDBOX_ERRORS = ErrorNames(timeout='PageTimeout', out_of_memory='PageOutOfMemory', crash='RenderCrash', damaged='DamagedPdf')


class PageError(OperationError):
    """A page that could not be rendered: `name` is one of ERROR_ORDER, the text says what happened."""


def deciding_error(first: PageError, second: PageError) -> PageError:
    """Which of two engines' errors on one page becomes its outcome."""
    if second.name in FINAL_ERRORS:
        return second
    if first.name == 'DamagedPdf' and second.name != 'DamagedPdf':
        return second
    return min(first, second, key=lambda error: ERROR_ORDER.index(error.name))
