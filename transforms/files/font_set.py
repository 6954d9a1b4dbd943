"""Which fonts are installed: pages that do not embed theirs are rendered with them."""

from __future__ import annotations

import hashlib
import os
from functools import cache

# Where pdfium looks for fonts on Linux (core/fxge/linux/fx_linux_impl.cpp) and macOS (core/fxge/apple).
_FOLDERS = ('/usr/share/fonts', '/usr/share/X11/fonts/Type1', '/usr/share/X11/fonts/TTF', '/usr/local/share/fonts',
            '/Library/Fonts', '/System/Library/Fonts')
_ENDINGS = ('.ttf', '.ttc', '.otf', '.pfb')


@cache
def font_files() -> dict[str, int]:
    """Size in bytes by path of each font file that is installed where pdfium looks."""
    paths = (os.path.join(base, name) for folder in _FOLDERS for base, _, names in os.walk(folder) for name in names)
    return {path: os.stat(path).st_size for path in sorted(paths)
            if path.lower().endswith(_ENDINGS) and os.path.isfile(path)}


@cache
def font_set() -> str:
    """The number of installed font files and a fingerprint of their paths and sizes, for run.json."""
    files = font_files()
    return f'{len(files)} files, {hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:12]}'
