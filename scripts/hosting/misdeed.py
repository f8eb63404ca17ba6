"""One thing a host does wrong: what it is, and the answer that does it."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from hosting.answers import Answer, Asking
from hosting.pictures import Picture
from hosting.wire import Ending, Piece, Wire

#: A request and the picture it would get → the answer.
Make = Callable[[Asking, Picture], Answer]


class Misdeed(NamedTuple):
    """A sentence for people, and how the answer is made."""

    says: str
    make: Make


def wired(pieces: Iterable[Piece], ending: Ending = Ending.CLOSE, status: int = 200) -> Answer:
    """An answer of pieces; `status` is only what is counted."""
    return Answer(status, "", b"", wire=Wire(pieces, ending))


def head(*lines: str, status: str = "200 OK") -> bytes:
    """The head of an answer, as it should look: status line, a type, further lines."""
    every = [f"HTTP/1.1 {status}", "Content-Type: image/jpeg", *lines, "", ""]
    return "\r\n".join(every).encode("latin-1")


def length(data: bytes) -> str:
    """The header line that tells the truth about a body."""
    return f"Content-Length: {len(data)}"


def said(*pieces: bytes, ending: Ending = Ending.CLOSE) -> Make:
    """The same bytes to every request."""
    return lambda _asking, _picture: wired(pieces, ending)


def headed(*lines: str, status: str = "200 OK", ending: Ending = Ending.CLOSE) -> Make:
    """A head of these lines, then the whole picture as it is."""
    return lambda _asking, picture: wired([head(*lines, status=status), picture.data], ending)
