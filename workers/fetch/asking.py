"""One question to a host: sent, redirects followed, and what the answer says of itself noted."""

from __future__ import annotations

import asyncio

from aiohttp import ClientError, ClientResponse, ClientSession, hdrs
from multidict import CIMultiDict

from imaging.facts import ErrorCode, Failure
from workers.fetch.deadlines import Watched
from workers.fetch.failures import header_text
from workers.fetch.lanes import Ticket
from workers.fetch.redirects import RedirectError, next_url
from workers.fetch.targets import without_userinfo

__all__ = ["DRAIN_BYTES", "Asking"]

#: So much of a body nobody needs is read to keep its connection.
DRAIN_BYTES = 128 * 1024
DRAIN_SECONDS = 1.0


class Asking:
    """Asks through one session."""

    def __init__(self, session: ClientSession, *, max_redirects: int) -> None:
        self._session = session
        self._max_redirects = max_redirects

    async def ask(
        self, ticket: Ticket, watched: Watched, headers: CIMultiDict[str] | None
    ) -> ClientResponse:
        """Ask, and note what the answer says of itself. The caller releases it, which closes the
        connection unless the body was read to its end.
        """
        fetch, url, hops = ticket.fetch, ticket.target.url, 0
        while True:
            if watched.response is not None:  # another question: the last was heard until now
                watched.response, watched.heard_at = None, asyncio.get_running_loop().time()
            response = await self._session.get(url, headers=headers, allow_redirects=False)
            watched.response, watched.heard_bytes = response, -1
            said = response.headers
            fetch.status = response.status
            fetch.content_type = header_text(said.get(hdrs.CONTENT_TYPE))
            fetch.etag = header_text(said.get(hdrs.ETAG))
            fetch.last_modified = header_text(said.get(hdrs.LAST_MODIFIED))
            if not 300 <= response.status < 400:
                return response
            try:
                onward = next_url(url, response.status, said)
                if onward is None:
                    return response
                if hops == self._max_redirects:
                    raise RedirectError(Failure(ErrorCode.TOO_MANY_REDIRECTS))
                await self.drain(ticket, response)
            except BaseException:
                response.release()
                raise
            response.release()
            url, hops = onward, hops + 1
            fetch.final_url = without_userinfo(str(url))

    async def drain(self, ticket: Ticket, response: ClientResponse) -> None:
        """Read on a little, so that the connection can serve again; never an error."""
        told, count = response.content_length, 0
        if told is not None and told - response.content.total_bytes > DRAIN_BYTES:
            return
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while count <= DRAIN_BYTES and (chunk := await response.content.readany()):
                    count += len(chunk)
        except (ClientError, OSError):
            pass
        finally:
            ticket.fetch.bytes += count
