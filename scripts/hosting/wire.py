"""An answer that is said piece by piece: bytes, pauses between them, and how it ends.

What an ordinary `Answer` cannot say (a byte now and then, a body without end, a reset in the
middle) is a `Wire`: an iterator of pieces, asked for the next one only when the client has taken
those before, so that an endless one costs no memory.
"""

import asyncio
import enum
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

#: Bytes to send, or seconds to wait before the next piece.
Piece = bytes | float

PIECES_IN_A_TURN = 8
#: SO_LINGER on, with no time: a close becomes a reset.
NO_LINGER = struct.pack("ii", 1, 0)


class Ending(enum.Enum):
    """What happens behind the last piece."""

    KEEP = "the next request is answered"
    CLOSE = "the connection is closed"
    RESET = "the connection is reset"
    SILENT = "nothing more, ever"


@dataclass(slots=True)
class Wire:
    """Everything that is said to one request, head included."""

    pieces: Iterable[Piece]
    ending: Ending = Ending.CLOSE


class Player:
    """Says a wire on a transport; `done` is called behind the last piece, where it says KEEP."""

    def __init__(
        self,
        transport: asyncio.Transport,
        wire: Wire,
        *,
        sent: Callable[[int], None],
        done: Callable[[], None],
    ) -> None:
        self.transport = transport
        self.pieces: Iterator[Piece] = iter(wire.pieces)
        self.ending = wire.ending
        self.sent = sent
        self.done = done
        self.paused = False
        self.later: asyncio.Handle | None = None

    def go_on(self) -> None:
        """A few pieces now; the next ones when the loop comes round, or the pause is over."""
        self.later = None
        loop = asyncio.get_running_loop()
        for _ in range(PIECES_IN_A_TURN):
            if self.paused or self.transport.is_closing():
                return
            piece = next(self.pieces, None)
            if piece is None:
                self.end()
                return
            if isinstance(piece, float):
                self.later = loop.call_later(piece, self.go_on)
                return
            self.transport.write(piece)
            self.sent(len(piece))
        self.later = loop.call_soon(self.go_on)

    def end(self) -> None:
        """Behind the last piece."""
        match self.ending:
            case Ending.KEEP:
                self.done()
            case Ending.CLOSE:
                self.transport.close()
            case Ending.RESET:
                reset(self.transport)
            case Ending.SILENT:
                pass

    def pause(self) -> None:
        """The client does not keep up."""
        self.paused = True

    def resume(self) -> None:
        """The client caught up."""
        self.paused = False
        if self.later is None:
            self.go_on()

    def stop(self) -> None:
        """The client left."""
        self.paused = True
        if self.later is not None:
            self.later.cancel()


def reset(transport: asyncio.Transport) -> None:
    """Close without a goodbye: the client's next read or write fails."""
    plug = transport.get_extra_info("socket")
    with socket.socket(fileno=socket.dup(plug.fileno())) as same:  # uvloop's own sets no options
        same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    transport.abort()
