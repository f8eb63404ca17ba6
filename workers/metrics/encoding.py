"""What a scrape's `Accept` asks for → the part of it that the Prometheus library can be given.

The library compares versions of any length and form, and fails over one that is no number; one of
the future it takes for its own, and says so in `Content-Type`.
"""

from __future__ import annotations

__all__ = ["readable"]

#: Versions of each text that the library writes; without one, the last.
_VERSIONS = {
    "application/openmetrics-text": frozenset({"1.0.0"}),
    "text/plain": frozenset({"0.0.4", "1.0.0"}),
}


def readable(accept: str) -> str:
    """The media types of *accept* that can be had. Where none is left it is plain text 0.0.4."""
    return ",".join(part for part in accept.split(",") if _written(part))


def _written(part: str) -> bool:
    media_type, *parameters = (word.strip() for word in part.split(";"))
    pairs = [parameter.split("=", 1) for parameter in parameters if "=" in parameter]
    versions = {value for name, value in pairs if name == "version"}
    return versions <= _VERSIONS.get(media_type, frozenset()) and media_type in _VERSIONS
