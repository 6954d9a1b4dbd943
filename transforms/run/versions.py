"""Versions of what decides bytes: a worker must have the launcher's, and a resumed run those that it began with."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from transforms.files.font_set import font_set

FONTS = 'fonts'


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Versions by package; 'fonts' stands for the set of fonts that are installed."""
    return {package: font_set() if package == FONTS else package_version(package) for package in packages}


def package_version(package: str) -> str:
    """The installed version, or 'not installed'."""
    try:
        return version(package)
    except PackageNotFoundError:
        return 'not installed'
