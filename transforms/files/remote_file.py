"""Files in object stores, which appear whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import BinaryIO

_HELD_BYTES = 8 << 20


@contextmanager
def remote_writer(path: str) -> Iterator[BinaryIO]:
    """Yields a file that appears when the block ends well.

    On S3 Beam's own file would appear cut off when its writer fails, and cannot be empty: there the bytes wait on the local disk, and
    boto3 uploads them in one go.
    """
    if path.startswith('s3://'):
        from apache_beam.io.aws.s3io import parse_s3_path

        bucket, name = parse_s3_path(path)
        with tempfile.SpooledTemporaryFile(_HELD_BYTES) as target:
            yield target
            target.seek(0)
            _s3_client().upload_fileobj(target, bucket, name)
        return
    from apache_beam.io.filesystem import CompressionTypes
    from apache_beam.io.filesystems import FileSystems

    with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as target:
        yield target


@cache
def _s3_client() -> object:
    """boto3's client with the pipeline's options; Beam makes one for every file, which takes 0.2 s."""
    from apache_beam.io.aws.s3io import S3IO
    from apache_beam.io.filesystems import FileSystems

    return S3IO(options=FileSystems._pipeline_options).client.client
