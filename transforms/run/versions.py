"""Versions of what decides bytes: a worker must have the launcher's, and a resumed run those that it began with."""

from importlib.metadata import PackageNotFoundError, version

from transforms.files.font_set import font_set

_BYTE_PACKAGES = ('isal', 'numpy', 'pillow', 'pymupdf', 'pypdfium2')


def byte_versions() -> dict[str, str]:
    """Versions of the libraries that render and encode, and the fonts that are installed: they decide bytes."""
    return {**{package: package_version(package) for package in _BYTE_PACKAGES}, 'fonts': font_set()}


def package_version(package: str) -> str:
    """The installed version, or 'not installed'."""
    try:
        return version(package)
    except PackageNotFoundError:
        return 'not installed'
