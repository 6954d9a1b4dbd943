"""Versions of everything that may decide bytes, for run.json."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ('apache-beam', 'beam-training-data', 'pyarrow', 'orjson', 'psutil')
_BYTE_PACKAGES = ('isal', 'numpy', 'pillow', 'pymupdf', 'pypdfium2')


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return 'not installed'


def byte_versions() -> dict[str, str]:
    """Of the libraries that draw and encode: an unfinished run is not continued with others."""
    return {package: _version(package) for package in _BYTE_PACKAGES}


def versions() -> dict[str, str]:
    """Of Python, the machine's kind, and all packages that matter."""
    return {'python': platform.python_version(), 'platform': f'{platform.system()} {platform.machine()}',
            **{package: _version(package) for package in _PACKAGES}, **byte_versions()}
