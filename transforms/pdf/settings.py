"""How a page is rendered and what it may cost: plain values shared by the transforms and the child processes."""

from __future__ import annotations

from dataclasses import dataclass, field

ENGINES = ('auto', 'pdfium', 'mupdf')
IMAGE_FORMATS = ('png', 'jpg', 'webp')
PNG_CODECS = ('zlib-ng', 'isal', 'zlib')
COLORS = ('auto', 'rgb', 'gray')
PAGE_BOXES = ('media', 'crop')
# Whose versions decide the bytes of an image; 'fonts' are those that are installed.
BYTE_PACKAGES = ('isal', 'numpy', 'pillow', 'pymupdf', 'pypdfium2', 'zlib-ng', 'fonts')
# Pixels that a side of an image may have in each format (WebP: 14 bits).
MAX_SIDES = {'png': (1 << 31) - 1, 'jpg': 65_535, 'webp': 16_383}


@dataclass(frozen=True)
class RenderSettings:
    """All that decides the bytes of a page image.

    Attributes:
        engine: 'pdfium', 'mupdf', or 'auto' (pdfium first, MuPDF after an error or a blank render).
        max_size: longest side in pixels. A PDF page gets exactly this, an image at most this (see `enlarge`).
        enlarge: 'yes' enlarges images too, 'no' renders no page at more than a pixel a point; '' enlarges pages and no images.
        dpi: dots per inch; when set it replaces `max_size` for PDF pages.
        image_format: 'png', 'jpg' or 'webp'.
        quality: 1 to 100, for jpg and webp.
        png_codec: deflate library of the PNG writer.
        color: 'auto' (gray when every pixel is), 'rgb' or 'gray'.
        page_box: 'media' (what olmOCR's labels were made from) or 'crop' (what a viewer shows).
        accept_repaired: keep pages of files that MuPDF had to repair.
        drop_blank: whether a page without a mark is refused as BlankPage, where nobody knows whether it has text.
        text_layer: whether the page's own text is read too.
        passwords: tried in turn on files that need one.
        check_fonts: whether a page is refused whose letters an engine could not render.
        min_side: a shorter side than this makes no image; the usual image processors of trainers crash on one pixel.
        cpu_seconds: CPU time for one page, both engines together.
        memory_bytes: address space of a child process.
        max_pixels: pixels of an output image.
        max_input_bytes: size of one PDF or image file.
    """

    engine: str = 'auto'
    max_size: int = 2048
    dpi: float = 0.0
    image_format: str = 'png'
    quality: int = 90
    png_codec: str = 'zlib-ng'
    color: str = 'auto'
    page_box: str = 'media'
    accept_repaired: bool = False
    enlarge: str = ''
    drop_blank: bool = False
    text_layer: bool = False
    passwords: tuple[str, ...] = field(default=(), repr=False)
    check_fonts: bool = True
    min_side: int = 3
    cpu_seconds: float = 20.0
    memory_bytes: int = 2 << 30
    max_pixels: int = 64_000_000
    max_input_bytes: int = 512 << 20

    def __post_init__(self) -> None:
        for name, allowed in (('engine', ENGINES), ('image_format', IMAGE_FORMATS), ('color', COLORS),
                              ('png_codec', PNG_CODECS), ('page_box', PAGE_BOXES), ('enlarge', ('', 'yes', 'no'))):
            if getattr(self, name) not in allowed:
                raise ValueError(f'{name} is {getattr(self, name)!r}, must be one of {", ".join(allowed)}')
        for name, low, high in (('max_size', 16, 16384), ('dpi', 0, 2400), ('quality', 1, 100),
                                ('min_side', 1, 1024), ('cpu_seconds', 0.1, 86400), ('memory_bytes', 256 << 20, 1 << 46)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f'{name} is {getattr(self, name)}, must be {low} to {high}')

        if self.max_size > MAX_SIDES[self.image_format] and not self.dpi:
            raise ValueError(f'max_size is {self.max_size}, a {self.image_format} has at most '
                             f'{MAX_SIDES[self.image_format]} pixels a side')

    @property
    def extension(self) -> str:
        """The file name's ending for images of this format, without the dot."""
        return self.image_format
