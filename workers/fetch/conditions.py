"""Asking for a file only if it is another than an earlier census saw. RFC 9110, section 13."""

from __future__ import annotations

import re

from aiohttp import ClientResponse, hdrs

from imaging.facts import ImageInfo
from workers.changes import Earlier, same_tag
from workers.fetch.lanes import Ticket

__all__ = ["conditions", "tells_nothing", "unchanged"]

#: What may be sent back: one entity tag and a date, as the standard has them. Anything else might
#: mean another thing in a request (`*`, a list), or be none.
_TAG = re.compile(r'(?:W/)?"[ !#-~]{0,512}"')
_DATE = re.compile(r"[A-Za-z0-9 ,:+-]{1,64}")
_NOT_MODIFIED = 304
#: What a host that cannot answer a condition to a GET may say instead of the file.
_FAILED = 412


def conditions(before: Earlier | None, *, whole: bool = False) -> dict[str, str]:
    """The header fields; none where the file is asked for whatever it is.

    So it is with *whole* where its bytes were never hashed, and where the host had opted out: what
    it says now must be heard, and a 304 need not repeat it.
    """
    found: dict[str, str] = {}
    if before is None or not isinstance(before.outcome, ImageInfo) or before.opt_out:
        return found
    if whole and before.outcome.sha256 is None:
        return found
    if before.etag is not None and _TAG.fullmatch(before.etag):
        found[hdrs.IF_NONE_MATCH] = before.etag
    # Beside a tag as well: hosts that know tags leave it aside, the others know dates.
    if before.last_modified is not None and _DATE.fullmatch(before.last_modified):
        found[hdrs.IF_MODIFIED_SINCE] = before.last_modified
    return found


def unchanged(ticket: Ticket, response: ClientResponse) -> ImageInfo | None:
    """The earlier facts where *response* says that they still hold; None where it does not.

    `fetch` keeps the validators that a 304 does not repeat.
    """
    before, fetch = ticket.row.before, ticket.fetch
    if response.status != _NOT_MODIFIED or before is None:
        return None
    if fetch.final_url != before.final_url and not same_tag(before.etag, fetch.etag):
        # Led elsewhere: any other file may be older than a date, such as the one that stands for
        # all that was removed.
        return None
    fetch.etag = fetch.etag or before.etag
    fetch.last_modified = fetch.last_modified or before.last_modified
    return before.outcome if isinstance(before.outcome, ImageInfo) else None


def tells_nothing(response: ClientResponse) -> bool:
    """Whether the file is to be asked for again without conditions: they alone got this answer."""
    return response.status in (_NOT_MODIFIED, _FAILED)
