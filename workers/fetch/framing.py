"""How much of what a host sends may be something else than its answer's body.

The library bounds one head line and the number of fields; it does not bound interim answers, empty
lines before a head, extensions of chunks, or chunks of one byte. Each costs far more to read than
to send, so a connection that sends too much of them is ended.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import ClientError, StreamReader
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage

__all__ = ["MAX_FRAMING_BYTES", "MAX_HEAD_BYTES", "MAX_INTERIM", "BoundedAnswers", "FramingError"]

#: Bytes before an answer's head is complete: 60 cookies of 4 KB are seen in the wild.
MAX_HEAD_BYTES = 512 * 1024
#: Interim answers (1xx, RFC 9110 section 15.2) to one question.
MAX_INTERIM = 32
#: Of a chunked body (RFC 9112 section 7.1), so much may be framing beyond the size of the body.
MAX_FRAMING_BYTES = 256 * 1024
#: While a head is awaited, so much is parsed before it is looked at: thousands of interim answers
#: fit into one packet, and cost milliseconds. A head and the first range are not cut.
_SLICE = 32 * 1024


class FramingError(ClientError):
    """A host sends what no answer needs; the message says what."""


class BoundedAnswers(ResponseHandler):
    """One connection, as the library reads it, ended once framing outweighs what it frames."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._awaited = False  # a question is asked, the head of its answer is not complete
        self._interim = 0
        self._came = 0  # bytes: before the head, then of a chunked body
        self._chunked: StreamReader | None = None
        self._refused = False

    def set_response_params(self, **given: Any) -> None:
        """A question is about to be asked."""
        self._awaited, self._interim, self._came, self._chunked = True, 0, 0, None
        super().set_response_params(**given)

    def data_received(self, data: bytes) -> None:
        """What came, parsed; of a body that is as long as it says, without a look."""
        if self._refused:
            return
        if not self._awaited and self._chunked is None:
            super().data_received(data)
            return
        at = 0
        while self._awaited and len(data) - at > _SLICE and self.exception() is None:
            self._read(data[at : at + _SLICE])
            at += _SLICE
        if self.exception() is None:  # a parser that failed is not asked again
            self._read(data[at:] if at else data)

    def _read(self, data: bytes) -> None:
        self._came += len(data)
        super().data_received(data)
        if self._awaited:
            if self._came > MAX_HEAD_BYTES:
                self._refuse(f"more than {MAX_HEAD_BYTES} bytes before the end of its head")
        elif self._chunked is not None:
            broken = self.exception()  # of trailers, say: the library tells no reader of the body
            if broken is not None and self._chunked.exception() is None:
                self._parser = None  # and the connection's end would take its place
                self._chunked.set_exception(broken)
                return
            size = self._chunked.total_bytes
            if self._came - size > size + MAX_FRAMING_BYTES:
                self._refuse("far more chunk framing than body")

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """A head is complete: an interim answer's, or the answer's own."""
        if self._refused:
            return
        message, payload = data
        if not self._awaited:
            self._refuse("an answer nobody asked for")
            return
        if 100 <= message.code < 200 and message.code != 101:
            self._interim += 1
            if self._interim > MAX_INTERIM:
                self._refuse(f"more than {MAX_INTERIM} interim answers")
                return
        else:
            self._awaited, self._came = False, 0
            self._chunked = payload if message.chunked else None
        super().feed_data(data, size)

    def close(self) -> None:
        """At once. What was asked has been sent, and a TLS farewell would be waited for, with a
        descriptor, as long as the host likes.
        """
        self.abort()

    def _refuse(self, what: str) -> None:
        """End the connection and tell whoever waits for it why."""
        self._refused = True
        error = FramingError(what)
        payload, transport = self._chunked, self.transport
        # Nothing is parsed any more, and the end of the connection is no other error.
        self._payload = self._parser = None
        self.set_exception(error)
        if payload is not None and not payload.is_eof():
            payload.set_exception(error)
        if transport is not None:
            transport.abort()
