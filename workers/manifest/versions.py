"""What a host says of a manifest: which version it is, and whether asking again may help."""

from __future__ import annotations

from typing import NamedTuple, Self

from aiohttp import ClientResponse, hdrs

from imaging.facts import ErrorCode, Failure
from workers.fetch.failures import header_text

__all__ = ["Version", "lasting"]

#: Nothing to be had later either: what was asked for is wrong.
_LASTING = frozenset(
    {
        ErrorCode.BAD_REDIRECT,
        ErrorCode.BAD_SCHEME,
        ErrorCode.BAD_URL,
        ErrorCode.BLOCKED_ADDRESS,
        ErrorCode.DNS_NOT_FOUND,
        ErrorCode.TOO_MANY_REDIRECTS,
    }
)


class Version(NamedTuple):
    """What tells one state of a file from another."""

    etag: str | None
    changed: str | None  #: Last-Modified
    size: int | None  #: in bytes, of the whole

    @classmethod
    def of(cls, response: ClientResponse, size: int | None) -> Self:
        """The version that *response* is of, in all *size* bytes."""
        said = response.headers
        etag, changed = said.get(hdrs.ETAG), said.get(hdrs.LAST_MODIFIED)
        return cls(header_text(etag) or None, header_text(changed) or None, size)

    @property
    def stamp(self) -> str | None:
        """The version as text; None where the host tells none."""
        told = self.etag or self.changed
        return None if told is None else f"{told}:{'' if self.size is None else self.size}"

    @property
    def validator(self) -> str | None:
        """What `If-Range` may carry."""
        told = self.etag if self.etag and not self.etag.startswith("W/") else self.changed
        return told if told and told.isascii() and told.isprintable() else None

    def is_other(self, later: Version) -> bool:
        """Whether *later* is surely not the same; by its date only where a tag is missing."""
        if None not in (self.size, later.size) and self.size != later.size:
            return True
        if self.etag is not None and later.etag is not None:
            return self.etag.removeprefix("W/") != later.etag.removeprefix("W/")
        if self.stamp is not None and self.validator is None and later.stamp is None:
            return True  # a weak tag alone sets no condition, and nothing says that it still holds
        return self.stamp is not None and self.changed != later.changed


def lasting(failure: Failure) -> bool:
    """Whether asking later would be of no use either."""
    if failure.http_status is not None:
        return not failure.retryable
    return failure.code in _LASTING
