"""Versions of everything that may decide bytes, for run.json."""

from __future__ import annotations

import platform

from transforms.run.versions import byte_versions, package_version

_PACKAGES = ('apache-beam', 'beam-training-data', 'pyarrow', 'orjson', 'psutil')


def versions() -> dict[str, str]:
    """Of Python, the machine's kind, and all packages that matter."""
    return {'python': platform.python_version(), 'platform': f'{platform.system()} {platform.machine()}',
            **{package: package_version(package) for package in _PACKAGES}, **byte_versions()}
