"""What a host served, of all its connections together."""

from collections import Counter, deque
from dataclasses import dataclass, field

from hosting.requests import Request

KINDS_KEPT = 1000  # of user agents and of hosts: a flood of names must not grow the memory


@dataclass(slots=True)
class Counts:
    """What was served since the start or the last reset; `bytes` are those of bodies."""

    requests: int = 0
    bytes: int = 0
    connections: int = 0  # that asked for something besides the counts
    connections_open: int = 0
    connections_open_peak: int = 0
    in_flight: int = 0  # asked and not answered yet
    in_flight_peak: int = 0
    ranges: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    user_agents: Counter[str] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)
    recent: deque[Request] = field(default_factory=lambda: deque(maxlen=10_000))

    def open(self) -> None:
        """A connection asks for its first picture."""
        self.connections += 1
        self.connections_open += 1
        self.connections_open_peak = max(self.connections_open_peak, self.connections_open)

    def take(self, request: Request) -> None:
        """A request came in."""
        self.requests += 1
        self.in_flight += 1
        self.in_flight_peak = max(self.in_flight_peak, self.in_flight)
        self.ranges += "range" in request.headers
        self.recent.append(request)
        for kinds, kind in ((self.user_agents, "user-agent"), (self.hosts, "host")):
            name = request.headers.get(kind, "")
            if name in kinds or len(kinds) < KINDS_KEPT:
                kinds[name] += 1

    def told(self) -> dict[str, object]:
        """The answer to `/_count`."""
        counted = {name: getattr(self, name) for name in self.__slots__ if name != "recent"}
        return counted | {"user_agents": sorted(self.user_agents)}
