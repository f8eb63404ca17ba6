"""Routes that do work: each request for one holds a place from its head to the end of its answer.

Where all places are taken a request is answered at once: nothing of its body is read, and a client
that asks first (`Expect: 100-continue`) never sends it.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from server import keys
from server.problems import RequestError

__all__ = ["working"]


def working(path: str, handler: Handler) -> list[web.RouteDef]:
    """`POST` *path*, with and without a slash behind it, answered within a place."""

    async def admitted(request: web.Request) -> web.StreamResponse:
        with request.app[keys.STREAMS].admitted():
            return await handler(request)

    return [web.post(name, admitted, expect_handler=_expected) for name in (path, f"{path}/")]


async def _expected(request: web.Request) -> None:
    """Answer `Expect` (RFC 9110, 10.1.1): go on only where there is a place for what comes."""
    if request.version < (1, 1):
        return
    if request.headers["Expect"].lower() != "100-continue":
        raise RequestError(417, "the only expectation met is 100-continue")
    request.app[keys.STREAMS].check()
    request.app[keys.STREAMS].check_room()
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # nothing of the answer itself was sent
