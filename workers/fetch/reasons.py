"""Why something failed, in our words: what libraries say quotes hosts, addresses and objects."""

from __future__ import annotations

import errno
import os
import re
import ssl

__all__ = ["DESCRIPTORS", "broken_rule", "one_line", "system_reason", "tls_reason"]

DESCRIPTORS = "this machine is out of file descriptors"

_NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})

#: What the parser (llhttp, and the library around it) calls it → what we call it. The first that
#: fits counts, so the order goes from the particular to the general.
_RULES = (
    ("Received HTTPS traffic", "it is TLS"),
    ("chunk ext", "bad chunk extensions"),
    ("hunk size", "a bad chunk size"),
    ("chunk data", "a chunk is not as long as it says"),
    ("Transfer-Encoding can't", "both a Content-Length and a Transfer-Encoding"),
    ("Content-Length can't", "both a Content-Length and a Transfer-Encoding"),
    ("Transfer-Encoding", "a bad Transfer-Encoding"),
    ("Duplicate", "a header that may stand once stands twice"),
    ("Content-Length", "a bad Content-Length"),
    ("Got more than", "a line of its head is too long"),
    ("Too many headers", "too many headers"),
    ("eader", "a bad header"),
    ("Expected HTTP/", "it does not begin with HTTP/"),
    ("ersion", "a bad HTTP version"),
    ("tatus", "a bad status line"),
    ("Data after", "more bytes than announced"),
)
#: Where the library begins to quote the host.
_QUOTE = re.compile(r"\n\n|[:;,] ?(?:b?['\"]|bytearray|<)| when reading")


def broken_rule(said: str) -> str | None:
    """Which rule of HTTP an answer broke, from what the library says; None where it is not told."""
    quoted = _QUOTE.search(said)
    told = said[: quoted.start()] if quoted else said
    return next((ours for theirs, ours in _RULES if theirs in told), None)


def system_reason(error: OSError) -> str | None:
    """What an error number stands for: `error` itself may name the address dialled."""
    if error.errno in _NO_DESCRIPTORS:
        return DESCRIPTORS
    if isinstance(error.errno, int) and error.errno in errno.errorcode:
        return os.strerror(error.errno)
    return None


def tls_reason(error: BaseException) -> str | None:
    """Why a certificate or a handshake was no good, as OpenSSL names it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return one_line(error.verify_message, 120) or None
    reason = getattr(error, "reason", None)
    return one_line(reason.replace("_", " ").lower(), 120) if isinstance(reason, str) else None


def one_line(text: str, most: int = 200) -> str:
    """At most *most* characters of what others wrote, in one line, nothing in it that acts on a
    terminal.
    """
    line = " ".join(text[: 4 * most].split())
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    return shown if len(shown) <= most else shown[: most - 1] + "…"
