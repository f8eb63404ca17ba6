"""A file of lines opened for reading, compressed or not."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import zstandard

from scripts.cli.exits import Refused
from workers.manifest.gunzip import GZIP_MAGIC
from workers.manifest.unzstd import ZSTD_MAGICS

__all__ = ["reading"]

_BLOCK = 1024 * 1024


@contextmanager
def reading(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of *path*, inflated. Raises Refused where it cannot be read, or is damaged."""
    try:
        with path.open("rb", buffering=_BLOCK) as file:
            head = file.read(4)
            file.seek(0)
            if head.startswith(GZIP_MAGIC):
                yield cast(IO[bytes], gzip.GzipFile(fileobj=file))
            elif head.startswith(ZSTD_MAGICS):
                reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
                yield io.BufferedReader(cast(io.RawIOBase, reader), _BLOCK)
            else:
                yield file
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as exc:
        told = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        raise Refused(f"cannot read {path}: {told}") from exc
