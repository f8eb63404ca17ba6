"""One client's connection: bytes come in, requests are told apart, answers go out in order.

Counts what all connections served. `Connection` asks a `Host` what to answer and knows how to put
it on the wire: framing, latency, bodies cut short, bodies without end.
"""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Protocol, cast

from hosting import answers
from hosting.answers import Answer, Framing
from hosting.requests import NonsenseError, Request, body_length, parse

MAX_HEAD_BYTES = 65_536
MAX_AHEAD_BYTES = 262_144  # of pipelined requests, before reading waits for answering
CHUNK_BYTES = 16_384
ZEROS = bytes(CHUNK_BYTES)
CONTROLS = ("/_count", "/_requests", "/_reset")
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


class Host(Protocol):
    """What a connection asks of the host behind it."""

    counts: Counts
    connections: set["Connection"]

    def answer(self, request: Request) -> Answer:
        """What a request for a picture gets."""

    def control(self, request: Request) -> Answer:
        """What a request about the host itself gets."""


class Connection(asyncio.Protocol):
    """Requests are answered one by one: what is pipelined waits in `ahead`."""

    transport: asyncio.Transport

    def __init__(self, host: Host) -> None:
        self.host = host
        self.ahead = b""
        self.skip = 0  # bytes of a request's body still to come, of no interest
        self.counted = False  # this client asked for something besides the counts
        self.waiting = False  # an answer is under way
        self.pumping = False  # and has no end
        self.paused = False  # the client reads slower than we write
        self.later: asyncio.Handle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self.transport = cast(asyncio.Transport, transport)
        self.host.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The client left, or we closed: whatever was under way ends here."""
        self.host.connections.discard(self)
        if self.later:
            self.later.cancel()
        self.host.counts.in_flight -= self.waiting
        self.host.counts.connections_open -= self.counted

    def pause_writing(self) -> None:
        """The client does not keep up."""
        self.paused = True

    def resume_writing(self) -> None:
        """The client caught up."""
        self.paused = False
        if self.pumping:
            self.pump()
        elif not self.waiting:
            self.advance()

    def data_received(self, data: bytes) -> None:
        """Bytes came in; while an answer is under way they wait."""
        self.ahead += data
        if not self.waiting and not self.paused:
            self.advance()
        elif len(self.ahead) > MAX_AHEAD_BYTES:
            self.transport.pause_reading()

    def advance(self) -> None:
        """Answer request after request, until one takes its time or none is whole."""
        while not (self.waiting or self.paused or self.transport.is_closing()):
            if self.skip:
                taken = min(self.skip, len(self.ahead))
                self.ahead, self.skip = self.ahead[taken:], self.skip - taken
            end = self.ahead.find(b"\r\n\r\n")
            sane = self.ahead[:1].isalpha()  # a TLS greeting, say, is told at once
            if end < 0 and len(self.ahead) < MAX_HEAD_BYTES and (sane or not self.ahead):
                break
            head, self.ahead = self.ahead[:end], self.ahead[end + 4 :]
            try:
                if not 0 <= end < MAX_HEAD_BYTES:
                    raise NonsenseError("A request's head has an end, and less than 64 KiB")
                request = parse(head.decode("utf-8", "surrogateescape"))
                self.skip = body_length(request)
            except NonsenseError as error:
                refused = Request("GET", "", {}, keep_alive=False)
                self.write(refused, answers.plain(400, text=str(error)))
            else:
                self.take(request)
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def take(self, request: Request) -> None:
        """Count a request and answer it, now or later."""
        if request.target in CONTROLS:
            self.write(request, self.host.control(request))
            return
        counts = self.host.counts
        if not self.counted:
            self.counted = True
            counts.open()
        counts.take(request)
        self.waiting = True
        try:
            answer = self.host.answer(request)
        except NonsenseError as error:
            answer = answers.plain(400, text=str(error))
        if answer.delay_s:
            loop = asyncio.get_running_loop()
            self.later = loop.call_later(answer.delay_s, self.finish_late, request, answer)
        elif not answer.silent:
            self.finish(request, answer)

    def finish_late(self, request: Request, answer: Answer) -> None:
        """The latency is over: answer, then see what came in meanwhile."""
        self.later = None
        if not answer.silent:
            self.finish(request, answer)
            self.advance()

    def finish(self, request: Request, answer: Answer) -> None:
        """Send a counted answer; the next request's turn comes unless this one never ends."""
        counts = self.host.counts
        counts.statuses[answer.status] += 1
        counts.bytes += self.write(request, answer)
        if answer.stalls:
            return
        if answer.framing is Framing.ENDLESS and request.method == "GET":
            self.pump()
            return
        self.waiting = False
        counts.in_flight -= 1

    def write(self, request: Request, answer: Answer) -> int:
        """Put an answer on the wire and close where that is part of it; say the body's length."""
        framing, body = answer.framing, answer.body
        head = f"HTTP/1.1 {answer.status} {answers.phrase(answer.status)}\r\n{answer.headers}"
        if framing is Framing.LENGTH:
            if answer.status not in (204, 304):
                head += f"Content-Length: {len(body)}\r\n"
        elif framing is not Framing.CLOSE:
            head += "Transfer-Encoding: chunked\r\n"
        closes = framing is Framing.CLOSE or not request.keep_alive
        head += "Connection: close\r\n\r\n" if closes else "\r\n"
        pieces: list[bytes | memoryview] = [head.encode("utf-8", "surrogateescape")]
        if answer.sent is not None:
            body = body[: answer.sent]
            closes = not answer.stalls
        if request.method == "HEAD":
            body = b""
        elif framing in (Framing.CHUNKED, Framing.ENDLESS):
            for start in range(0, len(body), CHUNK_BYTES):
                pieces += chunk(body[start : start + CHUNK_BYTES])
            if framing is Framing.CHUNKED and answer.sent is None:
                pieces += chunk(b"")
        else:
            pieces.append(body)
        self.transport.writelines(pieces)
        if closes:
            self.transport.close()
        return len(body)

    def pump(self) -> None:
        """More of a body without end: a chunk now, the next one when the loop comes round."""
        if self.transport.is_closing():
            return
        self.pumping = True
        if self.later:
            self.later.cancel()  # a pause between two turns must not leave two pumps
        if not self.paused:
            self.transport.writelines(chunk(ZEROS))
            self.host.counts.bytes += len(ZEROS)
            self.later = asyncio.get_running_loop().call_soon(self.pump)


def chunk(data: bytes | memoryview) -> list[bytes | memoryview]:
    """A chunk as HTTP frames it; the empty one is the last."""
    return [b"%x\r\n" % len(data), data, b"\r\n"]
