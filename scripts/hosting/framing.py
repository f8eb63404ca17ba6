"""Bodies that do not end where, when or how their head says."""

import itertools
from collections.abc import Callable, Iterator, Mapping

from hosting.answers import Answer, Asking
from hosting.misdeed import Make, Misdeed, head, headed, length, wired
from hosting.pictures import Picture
from hosting.wire import Ending, Piece

DRIP_SECONDS = 0.2
ZEROS = bytes(16_384)
CHUNKED = "Transfer-Encoding: chunked"
CLOSE = "Connection: close"
LITTLE_BYTES = 16 * 1024


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    """A chunk as HTTP frames it; the empty one is the last."""
    return b"%x%s\r\n%s\r\n" % (len(data), extension, data)


def drops(data: bytes) -> Iterator[Piece]:
    """A byte now and then."""
    for byte in data:
        yield bytes([byte])
        yield DRIP_SECONDS


def _drip_head(_: Asking, picture: Picture) -> Answer:
    return wired(drops(head(length(picture.data)) + picture.data))


def _drip_body(_: Asking, picture: Picture) -> Answer:
    return wired(itertools.chain([head(length(picture.data))], drops(picture.data)))


def _drip_chunks(_: Asking, picture: Picture) -> Answer:
    def pieces() -> Iterator[Piece]:
        yield head(CHUNKED)
        for byte in picture.data:
            yield chunk(bytes([byte]))
            yield DRIP_SECONDS

    return wired(pieces())


def _endless_body(_: Asking, picture: Picture) -> Answer:
    return wired(itertools.chain([head(CLOSE), picture.data], itertools.repeat(ZEROS)))


def _endless_chunks(_: Asking, picture: Picture) -> Answer:
    return wired(itertools.chain([head(CHUNKED), chunk(picture.data)], _forever(chunk(ZEROS))))


def _forever(piece: bytes) -> Iterator[bytes]:
    return itertools.repeat(piece)


def _telling(told: Callable[[int], str], *, ending: Ending = Ending.CLOSE) -> Make:
    """The whole picture below a Content-Length made from its true one."""
    return lambda _, picture: wired([head(told(len(picture.data))), picture.data], ending)


def _chunks(cut: Callable[[bytes], bytes], ending: Ending = Ending.CLOSE) -> Make:
    """A chunked head, and what *cut* makes of the picture."""
    return lambda _, picture: wired([head(CHUNKED), cut(picture.data)], ending)


def _little(cut: Callable[[bytes], bytes]) -> Make:
    """The same of a little picture: framing that outweighs a large one is refused."""

    def make(asking: Asking, picture: Picture) -> Answer:
        if len(picture.data) > LITTLE_BYTES:
            picture = min(asking.shelf.values(), key=lambda other: len(other.data))
        return wired([head(CHUNKED), cut(picture.data)], Ending.KEEP)

    return make


def _then(end: bytes, repeated: bytes) -> Make:
    """The picture in one chunk, *end*, and *repeated* for ever."""
    return lambda _, picture: wired(
        itertools.chain([head(CHUNKED), chunk(picture.data), end], _forever(repeated))
    )


def _bytes(data: bytes) -> bytes:
    return b"".join(chunk(data[at : at + 1]) for at in range(len(data))) + chunk(b"")


def _extended(data: bytes) -> bytes:
    """A chunk for every 64 bytes, each with half a kilobyte of extension."""
    extension = b";x=" + b"y" * 512
    parts = (data[at : at + 64] for at in range(0, len(data), 64))
    return b"".join(chunk(part, extension) for part in parts) + chunk(b"")


MISDEEDS: Mapping[str, Misdeed] = {
    "drip-head": Misdeed("the head, one byte each 200 ms", _drip_head),
    "drip-body": Misdeed("the body, one byte each 200 ms", _drip_body),
    "drip-chunks": Misdeed("a chunk of one byte each 200 ms", _drip_chunks),
    "endless-body": Misdeed("the picture, then zeros for ever, until the close", _endless_body),
    "endless-chunks": Misdeed("the same in chunks", _endless_chunks),
    "length-longer": Misdeed(
        "a Content-Length 1,000 more than comes", _telling(lambda n: f"Content-Length: {n + 1000}")
    ),
    "length-shorter": Misdeed(
        "a Content-Length half of what comes",
        _telling(lambda n: f"Content-Length: {n // 2}", ending=Ending.KEEP),
    ),
    "length-99-gb": Misdeed(
        "a Content-Length of 99 GB", _telling(lambda _: "Content-Length: 99000000000")
    ),
    "length-400-digits": Misdeed(
        "a Content-Length of 400 digits", _telling(lambda _: f"Content-Length: {'9' * 400}")
    ),
    "length-negative": Misdeed("Content-Length: -5", _telling(lambda _: "Content-Length: -5")),
    "length-garbage": Misdeed("Content-Length: 12abc", _telling(lambda _: "Content-Length: 12abc")),
    "length-hex": Misdeed("Content-Length: 0x10", _telling(lambda _: "Content-Length: 0x10")),
    "length-empty": Misdeed(
        "Content-Length without a value", _telling(lambda _: "Content-Length:")
    ),
    "length-twice": Misdeed(
        "two Content-Lengths that differ",
        _telling(lambda n: f"Content-Length: {n}\r\nContent-Length: {n - 1}"),
    ),
    "length-and-chunked": Misdeed(
        "Content-Length beside Transfer-Encoding: chunked",
        lambda _, picture: wired(
            [head(length(picture.data), CHUNKED), chunk(picture.data), chunk(b"")]
        ),
    ),
    "chunk-bad-size": Misdeed(
        "a chunk of size `zz`", _chunks(lambda data: b"zz\r\n" + data + b"\r\n0\r\n\r\n")
    ),
    "chunk-negative": Misdeed(
        "a chunk of size `-5`", _chunks(lambda data: b"-5\r\n" + data + b"\r\n0\r\n\r\n")
    ),
    "chunk-huge": Misdeed(
        "a chunk of more bytes than 64 bits count",
        _chunks(lambda data: b"f" * 20 + b"\r\n" + data),
    ),
    "chunk-overflow": Misdeed(
        "a chunk longer than its size says",
        _chunks(lambda data: b"%x\r\n%s\r\n0\r\n\r\n" % (len(data) // 2, data)),
    ),
    "chunk-cut": Misdeed(
        "the close in the middle of a chunk",
        _chunks(lambda data: b"%x\r\n%s" % (len(data), data[: len(data) // 2])),
    ),
    "chunk-no-last": Misdeed("the close before the last chunk", _chunks(chunk)),
    "chunk-bytes": Misdeed("a little picture in chunks of one byte", _little(_bytes)),
    "chunk-extensions": Misdeed(
        "a little picture, half a kilobyte of extension with every chunk of 64 bytes",
        _little(_extended),
    ),
    "chunk-endless-extension": Misdeed(
        "a chunk extension without end", _then(b"5;x=", b"y" * 4096)
    ),
    "chunk-endless-extensions": Misdeed(
        "chunks of one byte with a kilobyte of extension, for ever",
        _then(b"", chunk(b"x", b";x=" + b"y" * 1024) * 16),
    ),
    "chunk-endless-bytes": Misdeed("chunks of one byte for ever", _then(b"", chunk(b"x") * 1024)),
    "chunk-endless-size": Misdeed("a chunk size of zeros without end", _then(b"", b"0" * 4096)),
    "chunk-endless-trailers": Misdeed(
        "trailers without end", _then(b"0\r\n", b"X-Trailer: yes\r\n" * 256)
    ),
    "chunk-endless-trailer": Misdeed("one trailer without end", _then(b"0\r\nX: ", b"y" * 4096)),
    "transfer-unknown": Misdeed(
        "Transfer-Encoding: banana, the picture until the close",
        headed("Transfer-Encoding: banana"),
    ),
    "transfer-twice": Misdeed(
        "Transfer-Encoding: chunked, chunked",
        lambda _, picture: wired(
            [head(f"{CHUNKED}, chunked"), chunk(chunk(picture.data) + chunk(b"")), chunk(b"")]
        ),
    ),
}
