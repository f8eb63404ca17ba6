"""Heads that are none: status lines, header floods, interim answers without end."""

import itertools
from collections.abc import Mapping

from hosting.misdeed import Make, Misdeed, head, headed, length, said, wired
from hosting.wire import Ending

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"


def _line(status_line: str) -> Make:
    """A picture below a status line of its own."""
    return lambda _, picture: wired(
        [f"{status_line}\r\n{length(picture.data)}\r\n\r\n".encode("latin-1"), picture.data]
    )


def _fielded(field: bytes) -> Make:
    """A picture with a header line of its own, as raw bytes."""
    return lambda _, picture: wired(
        [OK + field + f"\r\n{length(picture.data)}\r\n\r\n".encode(), picture.data], Ending.KEEP
    )


def _endless(begin: bytes, repeated: bytes) -> Make:
    return lambda _asking, _picture: wired(itertools.chain([begin], itertools.repeat(repeated)))


def _interim(count: int) -> Make:
    """So many `100 Continue`, then the picture."""
    blocks = [CONTINUE * (count // 10)] * 10
    return lambda _, picture: wired(
        [*blocks, head(length(picture.data)), picture.data], Ending.KEEP
    )


def _newlines(newline: str) -> Make:
    """Every line of the head ends in *newline*."""
    return lambda _, picture: wired(
        [
            head(length(picture.data)).replace(b"\r\n", newline.encode()),
            picture.data,
        ]
    )


COOKIES = [f"Set-Cookie: c{number}={'x' * 4060}; Path=/" for number in range(60)]
NEVER = "Content-Length: 0\r\nRetry-After: {}\r\n\r\n"

MISDEEDS: Mapping[str, Misdeed] = {
    "http-0.9": Misdeed("the picture without any head", lambda _, picture: wired([picture.data])),
    "status-line-garbage": Misdeed("a status line of other words", said(b"hello there\r\n\r\n")),
    "status-line-endless": Misdeed("a status line without end", _endless(OK[:-2], b"K" * 4096)),
    "status-line-icy": Misdeed("a status line of another protocol", _line("ICY 200 OK")),
    "status-line-http-9": Misdeed("HTTP/9.9", _line("HTTP/9.9 200 OK")),
    "status-000": Misdeed("status 000", _line("HTTP/1.1 000 Nothing")),
    "status-abc": Misdeed("status abc", _line("HTTP/1.1 abc What")),
    "status-1000": Misdeed("status 1000", _line("HTTP/1.1 1000 Much")),
    "status-999": Misdeed("status 999", _line("HTTP/1.1 999 Go Away")),
    "status-101": Misdeed(
        "101 Switching Protocols, unasked",
        headed("Connection: upgrade", "Upgrade: x", status="101 Switching Protocols"),
    ),
    "status-204-body": Misdeed(
        "204 with the picture as its body",
        lambda _, picture: wired([head(length(picture.data), status="204 None"), picture.data]),
    ),
    "status-404": Misdeed("404", said(head("Content-Length: 0", status="404 Not Found"))),
    "status-410": Misdeed("410", said(head("Content-Length: 0", status="410 Gone"))),
    "status-403": Misdeed("403", said(head("Content-Length: 0", status="403 Forbidden"))),
    "status-500": Misdeed("500", said(head("Content-Length: 0", status="500 Oh"))),
    "status-503": Misdeed("503", said(head("Content-Length: 0", status="503 Busy"))),
    "reason-binary": Misdeed(
        "404 with a reason that is not UTF-8",
        said(b"HTTP/1.1 404 \xff\xfe\r\nContent-Length: 0\r\n\r\n"),
    ),
    "retry-after-forever": Misdeed(
        "429 with Retry-After: 99999999",
        said(f"HTTP/1.1 429 No\r\n{NEVER.format(99_999_999)}".encode()),
    ),
    "retry-after-garbage": Misdeed(
        "503 with a Retry-After of 300 digits",
        said(f"HTTP/1.1 503 No\r\n{NEVER.format('9' * 300)}".encode()),
    ),
    "header-100-kb": Misdeed("one header of 100 KB", _fielded(b"X-Long: " + b"y" * 100_000)),
    "newlines-endless": Misdeed("empty lines instead of a head", _endless(b"", b"\r\n" * 2048)),
    "header-endless": Misdeed("one header without end", _endless(OK + b"X-Long: ", b"y" * 4096)),
    "headers-50k": Misdeed("50,000 headers", _fielded(b"\r\n".join([b"X-Many: yes"] * 50_000))),
    "headers-endless": Misdeed("headers without end", _endless(OK, b"X-Many: yes\r\n" * 256)),
    "header-nul": Misdeed("a NUL in a header", _fielded(b"X-Nul: a\0b")),
    "header-no-colon": Misdeed("a header line without a colon", _fielded(b"no colon")),
    "header-binary": Misdeed(
        "an ETag and a Content-Type that are not UTF-8",
        _fielded(b'ETag: "\xff\xfe"\r\nContent-Type: image/\xe9'),
    ),
    "header-fold": Misdeed("a header folded over two lines", _fielded(b"X-Fold: a\r\n b")),
    "header-lf": Misdeed("lines that end in LF alone", _newlines("\n")),
    "header-cr": Misdeed("lines that end in CR alone", _newlines("\r")),
    "header-cookies": Misdeed(
        "60 Set-Cookie of 4 KB each", _fielded("\r\n".join(COOKIES).encode())
    ),
    "interim-10": Misdeed("ten `100 Continue` before the answer", _interim(10)),
    "interim-200k": Misdeed("200,000 `100 Continue` before the answer", _interim(200_000)),
    "interim-endless": Misdeed("`100 Continue` for ever", _endless(b"", CONTINUE * 100)),
}
