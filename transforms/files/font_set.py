"""Which fonts are installed: pages that do not embed theirs are drawn with them."""

from __future__ import annotations

import hashlib
import os
from functools import cache

# Where pdfium looks for fonts on Linux (core/fxge/linux/fx_linux_impl.cpp) and macOS (core/fxge/apple).
_FOLDERS = ('/usr/share/fonts', '/usr/share/X11/fonts/Type1', '/usr/share/X11/fonts/TTF', '/usr/local/share/fonts',
            '/Library/Fonts', '/System/Library/Fonts')
_FONT_FILES = ('.ttf', '.ttc', '.otf', '.pfb')


@cache
def font_set() -> str:
    """A short fingerprint of the fonts that are installed where pdfium looks: pages without embedded fonts depend on it."""
    found = []
    for folder in _FOLDERS:
        for base, _, names in os.walk(folder):
            found += [(os.path.join(base, n), os.stat(os.path.join(base, n)).st_size) for n in names
                      if n.lower().endswith(_FONT_FILES) and os.path.isfile(os.path.join(base, n))]
    return f'{len(found)} files, {hashlib.sha256(repr(sorted(found)).encode()).hexdigest()[:12]}'
