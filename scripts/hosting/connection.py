"""One client's connection: bytes come in, requests are told apart, answers go out in order.

`Connection` asks a `Host` what to answer and knows how to put
it on the wire: framing, latency, bodies cut short, bodies without end.
"""

import asyncio
import itertools
from typing import Protocol, cast

from hosting import answers
from hosting.answers import Answer, Framing
from hosting.counts import Counts
from hosting.requests import NonsenseError, Request, body_length, parse
from hosting.wire import Player, Wire

MAX_HEAD_BYTES = 65_536
MAX_AHEAD_BYTES = 262_144  # of pipelined requests, before reading waits for answering
CHUNK_BYTES = 16_384
ZEROS = bytes(CHUNK_BYTES)
CONTROLS = ("/_count", "/_requests", "/_reset")
EDITING = ("/_change/", "/_remove/")


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
        self.paused = False  # the client reads slower than we write
        self.asked = 0
        self.later: asyncio.Handle | None = None
        self.player: Player | None = None  # says an answer piece by piece

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self.transport = cast(asyncio.Transport, transport)
        self.host.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The client left, or we closed: whatever was under way ends here."""
        self.host.connections.discard(self)
        if self.later:
            self.later.cancel()
        if self.player:
            self.player.stop()
        self.host.counts.in_flight -= self.waiting
        self.host.counts.connections_open -= self.counted

    def pause_writing(self) -> None:
        """The client does not keep up."""
        self.paused = True
        if self.player:
            self.player.pause()

    def resume_writing(self) -> None:
        """The client caught up."""
        self.paused = False
        if self.player:
            self.player.resume()
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
        if request.target in CONTROLS or request.target.startswith(EDITING):
            self.write(request, self.host.control(request))
            return
        counts = self.host.counts
        if not self.counted:
            self.counted = True
            counts.open()
        self.asked += 1
        request = request._replace(number=self.asked)
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
        if answer.wire is not None:
            self.play(answer.wire)
            return
        counts.bytes += self.write(request, answer)
        if answer.stalls:
            return
        if answer.framing is Framing.ENDLESS and request.method == "GET":
            self.play(Wire(itertools.repeat(b"".join(chunk(ZEROS)))))
            return
        self.done()

    def done(self) -> None:
        """An answer was said to its end."""
        self.waiting = False
        self.host.counts.in_flight -= 1

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

    def play(self, wire: Wire) -> None:
        """Say an answer piece by piece; the next request's turn comes if it lets the client stay.

        Asked for by a client that does not read yet, it waits for it.
        """
        self.player = Player(self.transport, wire, sent=self.count, done=self.played)
        if self.paused:
            self.player.pause()
        self.player.go_on()

    def count(self, sent: int) -> None:
        """Bytes of a wire went out."""
        self.host.counts.bytes += sent

    def played(self) -> None:
        """A wire was said to its end, and the client may ask on."""
        self.player = None
        self.done()
        self.advance()


def chunk(data: bytes | memoryview) -> list[bytes | memoryview]:
    """A chunk as HTTP frames it; the empty one is the last."""
    return [b"%x\r\n" % len(data), data, b"\r\n"]
