"""Answers to a Range that claim something else than was asked, or than they bring."""

from collections.abc import Callable, Mapping

from hosting.answers import Answer, Asking, serve
from hosting.misdeed import Make, Misdeed, head, length, wired
from hosting.pictures import Picture
from hosting.requests import parse_range
from hosting.wire import Ending

PARTIAL = "206 Partial Content"


def _ranged(
    claim: Callable[[int, int, int], str],
    part: Callable[[bytes, int, int], bytes] = lambda data, start, stop: data[start:stop],
    *,
    always: bool = False,
) -> Make:
    """206 with the header line *claim* makes of (start, stop, total), and *part* of the picture.

    Without a Range: the picture, or (*always*) as if all of it had been asked for.
    """

    def make(asking: Asking, picture: Picture) -> Answer:
        total = len(picture.data)
        said = asking.request.headers.get("range", f"bytes=0-{total - 1}" if always else "")
        span = parse_range(said, total)
        if span is None:
            return serve(picture, asking)
        body = part(picture.data, *span)
        lines = [line for line in (claim(*span, total), length(body)) if line]
        return wired([head(*lines, status=PARTIAL), body], Ending.KEEP, 206)

    return make


def _said(form: str) -> Callable[[int, int, int], str]:
    """A Content-Range of this form; {a} is the first byte, {b} the last, {n} the total."""
    return lambda start, stop, total: "Content-Range: " + form.format(a=start, b=stop - 1, n=total)


def _honest(start: int, stop: int, total: int) -> str:
    return f"Content-Range: bytes {start}-{stop - 1}/{total}"


def _multipart(data: bytes, start: int, stop: int) -> bytes:
    return b"--x\r\nContent-Type: image/jpeg\r\n\r\n" + data[start:stop] + b"\r\n--x--\r\n"


def _refused(asking: Asking, picture: Picture) -> Answer:  # noqa: ARG001
    line = f"Content-Range: bytes */{len(picture.data)}"
    return wired([head(line, "Content-Length: 0", status="416 No")], Ending.KEEP, 416)


def _nothing(asking: Asking, picture: Picture) -> Answer:  # noqa: ARG001
    line = "Content-Range: bytes */0"
    return wired([head(line, "Content-Length: 0", status="416 No")], Ending.KEEP, 416)


MISDEEDS: Mapping[str, Misdeed] = {
    "range-unasked": Misdeed(
        "206 to every request, without a Content-Range", _ranged(lambda *_: "", always=True)
    ),
    "range-always": Misdeed(
        "206 to every request, with a true Content-Range", _ranged(_honest, always=True)
    ),
    "range-no-claim": Misdeed("206 to a Range, without a Content-Range", _ranged(lambda *_: "")),
    "range-no-total": Misdeed("bytes a-b/*", _ranged(_said("bytes {a}-{b}/*"))),
    "range-other-start": Misdeed("bytes 100-b/n", _ranged(_said("bytes 100-{b}/{n}"))),
    "range-reversed": Misdeed("bytes b-a/n", _ranged(_said("bytes {b}-{a}/{n}"))),
    "range-behind-the-end": Misdeed("bytes a-b/5", _ranged(_said("bytes {a}-{b}/5"))),
    "range-other-unit": Misdeed("lines a-b/n", _ranged(_said("lines {a}-{b}/{n}"))),
    "range-garbage": Misdeed("bytes all of it", _ranged(_said("bytes all of it"))),
    "range-digits": Misdeed("a total of 300 digits", _ranged(_said("bytes {a}-{b}/" + "9" * 300))),
    "range-multipart": Misdeed(
        "multipart/byteranges instead of the part", _ranged(lambda *_: "", _multipart)
    ),
    "range-huge-total": Misdeed(
        "a true part of a file said to have 9 PB", _ranged(_said("bytes {a}-{b}/9000000000000000"))
    ),
    "range-longer": Misdeed(
        "everything from the first byte asked, said to be the part",
        _ranged(_honest, lambda data, start, _: data[start:]),
    ),
    "range-shorter": Misdeed(
        "half of the part said to be all of it",
        _ranged(_honest, lambda data, start, stop: data[start : (start + stop) // 2]),
    ),
    "range-refused": Misdeed("416 to every request", _refused),
    "range-nothing": Misdeed("416 that says the file has no byte", _nothing),
}
