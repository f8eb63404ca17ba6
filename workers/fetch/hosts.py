"""Hosts: how many downloads each may have at once, and whether it fell silent."""

from __future__ import annotations

import logging

from imaging.facts import ErrorCode, Failure
from workers.fetch.targets import Origin

__all__ = ["PROBE_SECONDS", "SILENT_AFTER", "Host", "Hosts"]

logger = logging.getLogger(__name__)

#: So many timeouts in a row, without an answer between, and a host is held to be silent.
SILENT_AFTER = 8
#: A silent host is tried again with one download each time this has passed.
PROBE_SECONDS = 30.0

_REMEMBERED = 10_000


class Host:
    """One origin: permits given out, timeouts in a row."""

    __slots__ = ("answered_at", "busy", "lines", "origin", "permits", "probe_at", "timeouts")

    def __init__(self, origin: Origin, permits: int) -> None:
        self.origin = origin
        self.permits = permits
        self.busy = 0
        self.lines = 0  # of tickets that wait for it
        self.timeouts = 0
        self.answered_at = 0.0
        self.probe_at = 0.0

    def refuses(self, now: float) -> bool:
        """Whether a download must fail at once. Lets one through each time a probe is due."""
        if self.timeouts < SILENT_AFTER:
            return False
        if now < self.probe_at:
            return True
        self.probe_at = now + PROBE_SECONDS
        return False

    def heard(self, *, silent: bool, now: float, since: float | None = None) -> None:
        """Note the end of an attempt that began at *since*.

        One that heard nothing does not count where another has been answered meanwhile.
        """
        if not silent:
            self.timeouts, self.answered_at = 0, now
            return
        if since is not None and since < self.answered_at:
            return
        self.timeouts += 1
        if self.timeouts == SILENT_AFTER:
            self.probe_at = now + PROBE_SECONDS
            logger.warning(
                "a host fell silent", extra={"action": "host_silent", "host": str(self.origin)}
            )

    def silence(self) -> Failure:
        """What a row of a silent host gets."""
        return Failure(
            ErrorCode.TIMEOUT,
            f"the host is silent: {self.timeouts} timeouts in a row, tried again now and then",
        )


class Hosts:
    """Every host somebody waits for, and those that timed out last."""

    def __init__(self, *, permits: int, most_permits: int, trusted: frozenset[str]) -> None:
        self._permits = permits
        self._most = most_permits
        self._trusted = trusted
        self._known: dict[Origin, Host] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, origin: Origin) -> Host:
        """The host of *origin*, met now or before."""
        host = self._known.get(origin)
        if host is None:
            trusted = origin.host in self._trusted or str(origin) in self._trusted
            host = Host(origin, self._most if trusted else self._permits)
            self._known[origin] = host
        return host

    def tidy(self, host: Host) -> None:
        """Forget a host nobody waits for; one that timed out is remembered, within bounds."""
        if host.lines or host.busy:
            return
        if not host.timeouts:
            self._known.pop(host.origin, None)
        elif len(self._known) > _REMEMBERED:
            for origin, other in self._known.items():
                if not other.lines and not other.busy:
                    del self._known[origin]
                    break
