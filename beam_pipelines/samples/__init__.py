"""Small datasets in the layout of the real ones, as package data, and the scripts that made them."""

from pathlib import Path


def sample_folder(pipeline: str) -> Path | None:
    """The embedded sample of a pipeline, None when it has none."""
    folder = Path(__file__).resolve().parent / pipeline
    return folder if folder.is_dir() else None
