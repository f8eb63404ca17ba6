"""Manifests that lie elsewhere, for tests: a host that gives a file as it is told to."""

from __future__ import annotations

import re
import ssl
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
import trustme

from tests.workers.fetch.raw_hosts import head

__all__ = ["Shelf", "lines", "trusted"]


def lines(count: int) -> bytes:
    """A manifest of so many rows, as TSV without header."""
    return b"".join(b"%d\thttp://h/%d\n" % (n, n) for n in range(count))


class Shelf:
    """A file on a host: called with the head of a request, it gives the bytes of an answer.

    *cuts* are how many bytes of a body come before the connection ends, request by request; after
    them all bodies come whole. No range has more than *most* bytes, whatever was asked for.
    """

    def __init__(
        self,
        data: bytes,
        *,
        cuts: Sequence[int] = (),
        ranges: bool = True,
        sized: bool = True,
        most: int = sys.maxsize,
        **fields: object,
    ) -> None:
        self.data = data
        self.fields = fields
        self.ranges = ranges
        self._cuts = list(cuts)
        self._sized = sized
        self._most = most

    def __call__(self, asked: bytes) -> bytes:
        found = re.search(rb"\r\nRange: bytes=(\d+)-\r\n", asked)
        start, fields = 0, dict(self.fields)
        if found is None or not self.ranges or not self._same(asked):
            status, body = "200 OK", self.data
        elif (start := int(found[1])) >= len(self.data):
            return head("416 No", Content_Range=f"bytes */{len(self.data)}", Content_Length=0)
        else:
            status, body = "206 Partial Content", self.data[start : start + self._most]
            last = start + len(body) - 1
            fields["Content_Range"] = f"bytes {start}-{last}/{len(self.data)}"
        if self._sized:
            fields["Content_Length"] = len(body)
        else:
            fields["Transfer_Encoding"] = "chunked"
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        return head(status, **fields) + body[: self._cuts.pop(0) if self._cuts else len(body)]

    def _same(self, asked: bytes) -> bool:
        """Whether an If-Range, if there is one, means this version."""
        found = re.search(rb"\r\nIf-Range: ([^\r]*)\r\n", asked)
        mine = (self.fields.get("ETag"), self.fields.get("Last_Modified"))
        return found is None or found[1].decode() in mine


@contextmanager
def trusted(*names: str) -> Iterator[ssl.SSLContext]:
    """What a host of these names shows, signed by somebody whom all downloads trust meanwhile."""
    authority = trustme.CA()
    ours = ssl.create_default_context()
    authority.configure_trust(ours)
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(theirs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", ours)
        yield theirs
