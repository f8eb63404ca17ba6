"""A manifest by its name: a file, or a URL."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from aiohttp.abc import AbstractResolver

from workers.errors import ManifestError, ManifestNotFound
from workers.fetch.session import open_session
from workers.manifest.addresses import Address, is_url, parse_address, shown_manifest
from workers.manifest.files import FileSource
from workers.manifest.rows import Source
from workers.manifest.s3 import open_object
from workers.manifest.web import WebSource
from workers.settings import WorkSettings

__all__ = ["NamedSource", "open_source", "read_address"]


class NamedSource(Source, Protocol):
    """A manifest that lies somewhere, and can be read again."""

    @property
    def size(self) -> int | None:
        """Bytes as stored, where that is known."""
        ...

    @property
    def stamp(self) -> str | None:
        """Of the state it was in when it was opened: another is another manifest.

        None where nothing tells states apart.
        """
        ...

    @property
    def plain(self) -> bool | None:
        """Whether offsets of rows are offsets in what is stored; None until it was read."""
        ...

    async def whole_sha256(self) -> str | None:
        """As `sha256`, reading all of it once more where that does not know it.

        None where what lies elsewhere is not to be had any more. Raises ManifestError.
        """
        ...


@asynccontextmanager
async def open_source(
    settings: WorkSettings,
    name: str,
    *,
    anywhere: bool = False,
    retries: int | None = None,
    resolver: AbstractResolver | None = None,
) -> AsyncIterator[NamedSource]:
    """Open the manifest *name*: below the data root, or at a URL that `MANIFEST_URLS` opens.

    With *anywhere*, as the operator names them: any path, through links too, and any URL. A host
    that fails in passing is asked again, *retries* times (the setting); *resolver* stands in for
    the system's.

    Raises:
        ManifestNotFound: it is not there, or not one that may be read.
        ManifestAway: its host is not reached, or does not give it, just now.
        ManifestError: it cannot be opened; what reads it is not installed.
    """
    if not is_url(name):
        file = _file(name) if anywhere else _below(settings, name)
        try:
            yield file
        finally:
            file.close()
        return
    address = read_address(settings, name, anywhere=anywhere)
    if address.target is None:
        async with open_object(settings, address.host, address.key, address.shown) as found:
            yield found
        return
    async with open_session(settings, resolver=resolver) as session:
        source = WebSource(session, settings, address.target, address.shown)
        try:
            await source.open(settings.retries if retries is None else retries)
            yield source
        finally:
            source.close()


def read_address(settings: WorkSettings, url: str, *, anywhere: bool = False) -> Address:
    """Where *url* leads, which `MANIFEST_URLS` opens, or *anywhere*.

    Raises:
        ManifestNotFound: it is no URL of a manifest, or not opened. Which are is not told.
    """
    try:
        address = parse_address(url)
    except ValueError as exc:
        raise ManifestNotFound(f"cannot open {shown_manifest(url)[:200]!r}: {exc}") from exc
    if address.scheme == "s3" and not address.key:
        raise ManifestNotFound(f"cannot open {address.shown[:200]!r}: it names no key")
    if not anywhere and not any(prefix.holds(address) for prefix in settings.manifest_urls):
        told = f": {address.odd}" if address.odd is not None else ""
        raise ManifestNotFound(
            f"no manifest is taken from {address.shown[:200]!r}{told};"
            " CENSUS_MANIFEST_URLS opens prefixes of URLs"
        )
    return address


def _below(settings: WorkSettings, name: str) -> FileSource:
    # What lies below the data root was put there by the operator: of any size.
    return FileSource(Path(settings.data_root), name, max_bytes=sys.maxsize)


def _file(name: str) -> FileSource:
    """Any regular file."""
    shown = repr(name[:200])
    try:
        # NONBLOCK: a FIFO that nobody writes to would be waited for.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        file = os.open(name, flags)
    except (OSError, ValueError) as exc:
        if not isinstance(exc, OSError) or exc.errno in (errno.ENOENT, errno.ENOTDIR):
            raise ManifestNotFound(f"there is no manifest {shown}") from exc
        raise ManifestError(f"cannot open the manifest {shown}: {exc.strerror}") from exc
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise ManifestError(f"the manifest {shown} is not a file; what comes by a pipe is named -")
    return FileSource.opened(file, name, max_bytes=sys.maxsize)
