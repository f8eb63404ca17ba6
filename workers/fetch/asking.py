"""One question to a host: sent, redirects followed, and what the answer says of itself noted."""

from __future__ import annotations

import asyncio
from time import monotonic

from aiohttp import ClientError, ClientResponse, ClientSession, hdrs
from multidict import CIMultiDict

from imaging.facts import ErrorCode, Failure
from workers.fetch.connections import DIALLED
from workers.fetch.deadlines import Watched
from workers.fetch.failures import header_text, status_failure
from workers.fetch.lanes import Ticket
from workers.fetch.opt_out import OptOuts
from workers.fetch.redirects import MovedError, RedirectError, next_target
from workers.fetch.retries import retry_after
from workers.fetch.targets import without_userinfo
from workers.metrics.instruments import Timings

__all__ = ["DRAIN_BYTES", "Asking"]

#: So much of a body nobody needs is read to keep its connection.
DRAIN_BYTES = 128 * 1024
DRAIN_SECONDS = 1.0


class Asking:
    """Asks through one session."""

    def __init__(
        self,
        session: ClientSession,
        *,
        max_redirects: int,
        opt_outs: OptOuts | None,
        timings: Timings,
    ) -> None:
        self.timings = timings  #: by which what is asked is timed
        self._session = session
        self._max_redirects = max_redirects
        self._opt_outs = opt_outs

    async def ask(
        self, ticket: Ticket, watched: Watched, headers: CIMultiDict[str] | None
    ) -> ClientResponse:
        """Ask, and note what the answer says of itself. The caller releases it, which closes the
        connection unless the body was read to its end.

        Raises:
            MovedError: a redirect leads to another host.
            OptOutError: the answer, or a redirect on the way, says not to use it.
            RedirectError: a redirect is not followed.
        """
        fetch, url, hops = ticket.fetch, ticket.place.url, ticket.hops
        while True:
            if watched.response is not None:  # another question: the last was heard until now
                watched.response, watched.heard_at = None, asyncio.get_running_loop().time()
            fetch.requests += 1
            asked = monotonic()
            response = await self._session.get(url, headers=headers, allow_redirects=False)
            self.timings.first_byte.observe(monotonic() - max(asked, DIALLED.get()))
            watched.response, watched.heard_bytes, ticket.answered = response, -1, True
            said = response.headers
            fetch.status = response.status
            fetch.content_type = header_text(said.get(hdrs.CONTENT_TYPE))
            fetch.etag = header_text(said.get(hdrs.ETAG))
            fetch.last_modified = header_text(said.get(hdrs.LAST_MODIFIED))
            if response.status >= 400:
                return response
            try:
                if self._opt_outs is not None and (rule := self._opt_outs.rule(said)):
                    fetch.opt_out = fetch.opt_out or rule
                if response.status < 300:
                    return response
                onward = next_target(url, response.status, said)
                if onward is None:
                    return response
                if hops == self._max_redirects:
                    raise RedirectError(Failure(ErrorCode.TOO_MANY_REDIRECTS))
                await self.drain(ticket, response)
            except BaseException:
                response.release()
                raise
            response.release()
            url, hops = onward.url, hops + 1
            fetch.final_url = without_userinfo(str(url))
            if onward.origin != ticket.place.origin:
                ticket.hops = hops
                raise MovedError(onward)

    async def refused(self, ticket: Ticket, response: ClientResponse) -> Failure:
        """An answer that is not the file: its status, and when the host wants to be asked again."""
        await self.drain(ticket, response)
        ticket.retry_after = retry_after(response.headers.get(hdrs.RETRY_AFTER))
        return status_failure(response.status, response.reason)

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
