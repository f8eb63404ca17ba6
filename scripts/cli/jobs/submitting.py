"""A manifest and what is asked of it → a job: sent until it is surely handed in, once."""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
import stat
import sys
import tempfile
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Any

import orjson

from scripts.cli.exits import Refused
from scripts.cli.jobs.door import Body, Denied, Door, Unanswered
from scripts.cli.jobs.patience import GoneError
from scripts.cli.saying import say
from workers.manifest.kinds import Kind, LookingReader, kind_of_name
from workers.manifest.lines import Line

__all__ = ["CONTENT_TYPES", "Handed", "submit"]

#: As `server.requests.MANIFEST_TYPES` reads them.
CONTENT_TYPES = {
    Kind.TSV: "text/tab-separated-values",
    Kind.CSV: "text/csv",
    Kind.NDJSON: "application/x-ndjson",
    Kind.PARQUET: "application/vnd.apache.parquet",
}
#: Of a JSON array, which goes as a request: the server takes 16 MiB of one.
LONGEST_ARRAY = 15 * 1024 * 1024
#: Between tries, doubled from the first; a server that names a time is waited for so long at most.
AGAIN_SECONDS = 0.5
LONGEST_ASKED = 60.0

_HEAD = 256 * 1024
_PIECE = 256 * 1024
_GZIP, _ZSTD, _PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Handed:
    """What is handed in: a local file, or the name of one that the server sees."""

    manifest: str | None  #: a path, or `-`
    filepath: str | None
    predict: bool
    options: Mapping[str, Any]  #: of the request, those that were given
    kind: str | None = None  #: of the manifest, where its name does not tell

    @property
    def path(self) -> str:
        """The route that takes it."""
        return f"/api/v1/{'batch_predict' if self.predict else 'images_info'}_async"


async def submit(door: Door, handed: Handed, *, key: str | None, tries: int) -> str:
    """Hand it in; returns the id of the job.

    Raises:
        Refused: there is no such file, or it can be no manifest.
        Denied: the server does not take it.
        GoneError: it could not be handed in, *tries* times; the message tells how to go on.
    """
    headers = {"Idempotency-Key": key or uuid.uuid4().hex}
    if handed.filepath is not None:
        body = orjson.dumps({"filepath": handed.filepath, **handed.options})
        return await _sent(
            door, handed.path, tries, lambda: body, headers={**headers, **_JSON}, query={}
        )
    with ExitStack() as stack:
        file = stack.enter_context(_opened(handed.manifest or "-"))
        kind = _kind(handed, file)
        if kind is Kind.JSON:
            body = _array(file, handed.options)
            return await _sent(
                door, handed.path, tries, lambda: body, headers={**headers, **_JSON}, query={}
            )
        size = os.fstat(file.fileno()).st_size
        headers |= {"Content-Type": CONTENT_TYPES[kind], "Content-Length": str(size)}
        query = {name: _text(value) for name, value in handed.options.items()}
        return await _sent(
            door,
            handed.path,
            tries,
            lambda: _pieces(file.fileno(), size),
            headers=headers,
            query=query,
        )


async def _pieces(descriptor: int, size: int) -> AsyncGenerator[bytes, None]:
    """The file as it was when it was opened; each try reads it on its own."""
    at = 0
    while at < size:
        piece = await asyncio.to_thread(os.pread, descriptor, min(_PIECE, size - at), at)
        if not piece:
            raise OSError("the manifest became shorter while it was sent")
        at += len(piece)
        yield piece


async def _sent(
    door: Door,
    path: str,
    tries: int,
    body: Callable[[], Body],
    *,
    headers: Mapping[str, str],
    query: Mapping[str, str],
) -> str:
    """Send until it is answered. The key in the head makes it one job however often it arrives."""
    pause = AGAIN_SECONDS
    for left in reversed(range(tries)):
        try:
            said = await door.ask("POST", path, query=query, headers=headers, body=body())
        except Unanswered as exc:
            if not left:
                told = f"{exc}. Tried {tries} times; the job may have been handed in: with"
                told += f" --idempotency-key {headers['Idempotency-Key']} it is not made twice"
                raise GoneError(str(exc) if exc.refused else told) from exc
            pause, wait = 2 * pause, max(pause, min(exc.after or 0.0, LONGEST_ASKED))
            say(f"{exc}; it is sent again in {wait:g} seconds")
            await asyncio.sleep(wait)
            continue
        if isinstance(job := said.get("job"), str):
            return job
        raise Denied(f"{door.url} is no imagecensus server: its answer names no job", 0)
    raise AssertionError("there is a last try")


def _opened(manifest: str) -> IO[bytes]:
    """The manifest as a file that can be read again. Raises Refused."""
    try:
        if manifest == "-":
            return _kept(sys.stdin.buffer)
        file = open(manifest, "rb")  # noqa: PTH123, SIM115 - the caller closes it
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file
        with file:
            return _kept(file)
    except OSError as exc:
        told = "what is on standard input" if manifest == "-" else manifest
        hint = ""
        if isinstance(exc, FileNotFoundError):
            hint = "; for a file that the server sees, or a URL, there is --filepath"
        raise Refused(f"cannot read {told}: {exc.strerror}{hint}") from exc


def _kept(pipe: IO[bytes]) -> IO[bytes]:
    """What comes through a pipe, as it may have to be sent twice."""
    kept = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    shutil.copyfileobj(pipe, kept, 1024 * 1024)
    kept.seek(0)
    return kept


def _kind(handed: Handed, file: IO[bytes]) -> Kind:
    """By what was given, by the name, else by how it begins. Raises Refused."""
    if handed.kind is not None:
        return Kind(handed.kind)
    named = kind_of_name(handed.manifest or "")
    if named is not None and named is not Kind.JSON:
        return named
    head = _head(file)
    if head.startswith(_PARQUET):
        return Kind.PARQUET
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        return Kind.JSON
    if named is Kind.JSON:
        return Kind.NDJSON
    looking = LookingReader()
    for line in head.removeprefix(b"\xef\xbb\xbf").splitlines()[:100]:
        looking.read(Line(line, 0))
        if looking.kind is not None:
            return looking.kind
    return Kind.TSV


def _head(file: IO[bytes]) -> bytes:
    """How it begins, inflated. Raises Refused where it cannot be read."""
    from zstandard import ZstdDecompressor, ZstdError

    head = file.read(_HEAD)
    try:
        file.seek(0)
        if head.startswith(_GZIP):
            with gzip.open(file) as inflated:
                head = inflated.read(_HEAD)
        elif head.startswith(_ZSTD):
            with ZstdDecompressor().stream_reader(file, closefd=False) as reader:
                head = reader.read(_HEAD)
    except (OSError, EOFError, ZstdError) as exc:
        raise Refused(f"what the manifest is cannot be seen: {exc}; --type says it") from exc
    file.seek(0)
    return head


def _array(file: IO[bytes], options: Mapping[str, Any]) -> bytes:
    """A request with the rows in it. Raises Refused where they are too many."""
    rows = file.read(LONGEST_ARRAY + 1)
    if rows[:2] == _GZIP or rows[:4] == _ZSTD or len(rows) > LONGEST_ARRAY:
        raise Refused(
            "a JSON array is sent as it is, up to 15 MiB and not compressed; `jq -c '.[]'` makes"
            " NDJSON of it, which may have any size"
        )
    beginning = orjson.dumps(dict(options)).removesuffix(b"}")
    comma = b"," if options else b""
    return beginning + comma + b'"images":' + rows.removeprefix(b"\xef\xbb\xbf") + b"}"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
