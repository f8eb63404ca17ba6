"""What an answer's headers say about use for machine learning.

`X-Robots-Tag` with `noai` or `noimageai` (not standardised; the syntax is the one search engines
document: comma lists, and a bot's name before a colon limits what follows to that bot), and
`tdm-reservation: 1` of the TDM Reservation Protocol (W3C Community Group, section "HTTP headers"),
with its `tdm-policy`. The IETF's `Content-Usage` is a draft whose words still change: not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from multidict import CIMultiDictProxy

from imaging.facts import ErrorCode, Failure
from workers.fetch.reasons import one_line
from workers.fetch.targets import without_userinfo

__all__ = ["OptOutError", "OptOuts"]

_REFUSALS = frozenset({"noai", "noimageai"})
#: A bot's name is one word; what else stands before a colon is part of a date.
_BOT = re.compile(r"\s*(?:\*|[A-Za-z][\w.-]*)\s*", re.ASCII)
#: Directives that have a value, which is no bot's.
_VALUED = frozenset({"max-image-preview", "max-snippet", "max-video-preview", "unavailable_after"})
#: Of a host that sends a great many: so much is read.
_HEADERS, _CHARS = 16, 4096


class OptOutError(Exception):
    """The answer opts out, and is not to be read; `failure` says by which rule."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.failure = Failure(
            ErrorCode.OPTED_OUT, one_line(f"{ErrorCode.OPTED_OUT.sentence}: {rule}")
        )


class OptOuts:
    """Reads headers as the bot whose User-Agent is *user_agent*."""

    def __init__(self, user_agent: str, *, skip: bool) -> None:
        self._ours = frozenset({"*", user_agent.split("/")[0].split(" ")[0].lower()})
        self._skip = skip

    def rule(self, headers: CIMultiDictProxy[str]) -> str | None:
        """What refuses us, as the host wrote it, in one line of at most 200 characters.

        Raises:
            OptOutError: where such answers are skipped.
        """
        found = []
        if "X-Robots-Tag" in headers:
            for value in headers.getall("X-Robots-Tag")[:_HEADERS]:
                found += [f"X-Robots-Tag: {rule}" for rule in self._refusals(value[:_CHARS])]
        if headers.get("tdm-reservation", "").strip() == "1":
            policy = without_userinfo(headers.get("tdm-policy", "").strip())
            found.append(f"tdm-reservation: 1{policy and f', tdm-policy: {policy}'}")
        if not found:
            return None
        rule = one_line("; ".join(dict.fromkeys(found)))
        if self._skip:
            raise OptOutError(rule)
        return rule

    def _refusals(self, value: str) -> Iterator[str]:
        lowered = value.lower()
        if not any(word in lowered for word in _REFUSALS):
            return
        ours, bot = True, ""
        for part in value.split(","):
            name, colon, rest = part.partition(":")
            directive = part
            if colon and _BOT.fullmatch(name) and name.strip().lower() not in _VALUED:
                bot, directive = f"{name.strip()}: ", rest
                ours = name.strip().lower() in self._ours
            if ours and directive.strip().lower() in _REFUSALS:
                yield f"{bot}{directive.strip()}"
