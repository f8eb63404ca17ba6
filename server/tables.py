"""Records → a table as the answer, where the client asks for CSV or Parquet.

Rows are gathered as text and written a row group at a time, in a thread. What could not be
completed is cut off, so that no client takes a part for the whole: CSV has no place for a summary,
and a Parquet file is none without the footer behind its last row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, ParamSpec, TypeVar

from aiohttp import web

from server.accepted import accepted
from server.ndjson import CONTENT_TYPE, HEADERS, IDLE_SECONDS, log_end, write_ndjson
from server.problems import RequestError
from server.streams import OpenStream
from workers.errors import TableError
from workers.summary import Answering
from workers.tables.formats import MEDIA_TYPES, Format, check_writable
from workers.tables.writing import GROUP_CHARACTERS, GROUP_ROWS, TableWriter, open_table

__all__ = ["TableAnswer", "table_asked", "write_table", "writing"]

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R", bound=Answering)

#: Rows wait no longer to be written, full group or not: a proxy may cut what is silent.
GROUP_SECONDS = 30.0

_CONTENT_TYPES = {
    Format.PARQUET: MEDIA_TYPES[Format.PARQUET],
    Format.CSV: "text/csv; charset=utf-8; header=present",
}
_NAMES = {"images_info": "facts", "batch_predict": "predictions"}


def table_asked(request: web.Request) -> Format | None:
    """The table that the client asks for by name and wants no less than other answers.

    NDJSON is what it gets where it wants that as much, or names nothing.

    Raises:
        RequestError: 406 where what writes tables is not installed.
    """
    wanted = accepted(request)
    lines = wanted.get(CONTENT_TYPE, 0.0)
    known = {MEDIA_TYPES[table]: table for table in Format}
    named = {kind: wanted[kind] for kind in wanted if kind in (*known, "application/json")}
    most = max(named, key=named.__getitem__, default=None)  # the first, of several
    if most not in known or wanted[most] <= lines:
        return None
    try:
        check_writable()
    except TableError as exc:
        raise RequestError(406, str(exc), fields=[("Accept", str(exc))]) from exc
    return known[most]


class TableAnswer:
    """A table being written to a client. It is to be closed, whatever happens."""

    def __init__(
        self, request: web.Request, table: Format, kind: str, *, job: str | None = None
    ) -> None:
        """Of records of one *kind*, or of a *job* of that."""
        self._request = request
        self._table = table
        self._kind = kind
        name = _NAMES[kind] if job is None else f"{_NAMES[kind]}-{job}"
        self.response = web.StreamResponse(
            headers={
                **HEADERS,
                "Content-Type": _CONTENT_TYPES[table],
                "Content-Disposition": f'attachment; filename="{name}.{table}"',
            }
        )
        self._start = b""
        self._lines: list[bytes] = []
        self._rows = self._bytes = 0
        self._sent = 0.0
        self._writer: TableWriter | None = None
        self._work: asyncio.Future[Any] | None = None

    async def begin(self, start: bytes) -> None:
        """Send what stands before the rows. Raises ConnectionError where the client is gone."""
        self._start = start
        self._writer = await self._in_thread(open_table, self._table, self._kind)
        await self.response.prepare(self._request)
        await self._pass_on(self._writer)

    async def write(self, lines: Sequence[bytes], rows: int) -> None:
        """Take whole lines of so many *rows*, and send a row group where it is due.

        Raises:
            ConnectionError: the client is gone.
            ResultError: a line is no record.
        """
        self._lines += lines
        self._rows += rows
        self._bytes += sum(map(len, lines))
        late = asyncio.get_running_loop().time() - self._sent >= GROUP_SECONDS
        if self._rows >= GROUP_ROWS or self._bytes >= GROUP_CHARACTERS or late:
            await self._send()

    async def progress(self, line: bytes) -> None:  # noqa: ARG002 - a table has no place for it
        """Send rows that waited long."""
        await self.write((), 0)

    async def finish(self, summary: bytes, reason: str | None) -> None:
        """Send the rest, or cut it off where there is a *reason* why it is not all.

        Raises:
            ConnectionError, ResultError: as `write`.
        """
        if reason is not None:
            if self._request.transport is not None:
                self._request.transport.abort()
            return
        await self._send()
        writer = self._opened()
        await self._in_thread(writer.finish, self._start, summary)
        await self._pass_on(writer)

    def close(self) -> None:
        """Let go of it; a thread that still writes is not waited for."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        loop = asyncio.get_running_loop()
        if self._work is None or self._work.done():
            self._work = loop.run_in_executor(None, writer.close)
            return

        def written(work: asyncio.Future[Any]) -> None:
            if not work.cancelled():
                work.exception()  # nobody else will ask
            self._work = loop.run_in_executor(None, writer.close)

        self._work.add_done_callback(written)

    async def _send(self) -> None:
        writer = self._opened()
        lines, self._lines = self._lines, []
        self._rows = self._bytes = 0
        if lines:
            await self._in_thread(_write, writer, lines)
            await self._pass_on(writer)

    async def _pass_on(self, writer: TableWriter) -> None:
        if data := writer.take():
            await self.response.write(data)
        self._sent = asyncio.get_running_loop().time()

    def _opened(self) -> TableWriter:
        assert self._writer is not None  # noqa: S101 - it was begun
        return self._writer

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A thread cannot be cancelled: `close` has to know of it."""
        call = partial(work, *args, **kwargs)
        self._work = asyncio.get_running_loop().run_in_executor(None, call)
        return await asyncio.shield(self._work)


def writing(table: Format | None, kind: str) -> Callable[..., Awaitable[web.StreamResponse]]:
    """What writes a stream of that *kind* as the *table* asked for, or as NDJSON."""
    return write_ndjson if table is None else partial(write_table, table=table, kind=kind)


async def write_table(
    request: web.Request,
    stream: OpenStream[R],
    *,
    table: Format,
    kind: str,
    start: bytes,
    sha256: Callable[[], str | None],
    provenance: dict[str, Any] | None = None,
) -> web.StreamResponse:
    """Write the whole stream, of one *kind*, as a *table*; else as `ndjson.write_ndjson` does.

    Raises:
        ConnectionError: the client is gone.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    answer = TableAnswer(request, table, kind)
    summary = stream.summary
    try:
        await answer.begin(start)
        async with aclosing(stream.batches(idle=IDLE_SECONDS)) as batches:
            async for records in batches:
                lines = [record.line() for record in records]
                await answer.write(lines, sum(record.width for record in records))
        line = summary.line(
            seconds=loop.time() - began,
            manifest_sha256=sha256(),
            provenance=provenance,
            reason=stream.reason,
        )
        await answer.finish(line, stream.reason)
    finally:
        answer.close()
    log_end(summary, stream.reason)
    return answer.response


def _write(writer: TableWriter, lines: list[bytes]) -> None:
    for text in lines:  # each of one line or of several
        writer.write(text)
    writer.flush()
