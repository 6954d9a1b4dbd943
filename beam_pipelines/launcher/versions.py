"""Versions of everything that may decide bytes, for run.json."""

from __future__ import annotations

import platform

from transforms.run.versions import package_version, versions_of

_PACKAGES = ('apache-beam', 'beam-training-data', 'pyarrow', 'orjson', 'psutil')


def versions(byte_packages: tuple[str, ...]) -> dict[str, str]:
    """Of Python, the machine's kind, and all packages that matter, those among them that decide bytes."""
    return {'python': platform.python_version(), 'platform': f'{platform.system()} {platform.machine()}',
            **{package: package_version(package) for package in _PACKAGES}, **versions_of(byte_packages)}
