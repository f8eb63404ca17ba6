"""Which answer a request gets: a picture as good servers give it, or a misbehaviour it asks for.

In comes a parsed `Request`, out goes an `Answer`; nothing here touches a socket. The first parts of
a path may be prefixes, each changing the answer; they can follow one another, and what is left
chooses the picture: `/slow/50/no-range/cat` is the picture of `/cat`, late and whole.

    /by-name/<file>             that very file
    /slow/<ms>/…                answers so much later
    /silent/…                   never answers
    /status/<code>/…            that status, with a line of text
    /redirect/<n>/…             n hops of 302, then the rest
    /redirect-to?url=…          302 to any address (`&status=307` for another status)
    /html/…  /empty/…           a page instead of a picture · a picture of no bytes
    /flaky/<k>/…                503 the first k times, for each rest
    /retry-after/<seconds>/…    429 with Retry-After the first time, for each rest
    /no-range/…                 the whole picture, whatever Range says
    /no-length/…  /chunked/…    the same without Content-Length: until the close · chunked
    /no-total/…                 206 with `bytes a-b/*`
    /wrong-offset/…             206 that starts one byte later than asked
    /refuse-range/<status>/…    that status to a Range, the picture without
    /truncated/…  /stall/…      half of the body, then the close · then nothing
    /endless/…                  the picture, then zeros until the client leaves
    /only-tag/…  /weak-tag/…    no Last-Modified · and the ETag a weak one
    /only-date/…                no ETag
    /no-validators/…            neither
    /no-conditions/…            both, and no 304 whatever the client has
    /hostile/<name>/…           what hostile hosts do; `--list-hostile` prints the names
"""

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import parse_qs, unquote

from hosting.answers import Answer, Asking, Framing, Ranges, plain, serve
from hosting.hostile import MISDEEDS
from hosting.pictures import MADE_AT, Picture, choose, picture
from hosting.requests import NonsenseError
from hosting.validators import Validators

EMPTY = picture("empty", b"", "image/jpeg", MADE_AT)
PAGE = picture("page", b"<!doctype html><title>Not here</title>\n", "text/html", MADE_AT)

# A prefix takes what follows it and gives the rest of the target, the picture to serve, or the
# answer itself.
Step = Callable[[Asking, str], str | Picture | Answer]


def _number(tail: str, *, most: int) -> tuple[int, str]:
    """A prefix's number, and the target behind it."""
    digits, _, rest = tail.partition("/")
    digits = digits.partition("?")[0]
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and int(digits) <= most):
        raise NonsenseError(f"A number up to {most} belongs before {rest!r}")
    return int(digits), f"/{rest}"


def _final(tail: str) -> tuple[int, str]:
    """A prefix's status, one that ends an answer, and the target behind it."""
    status, rest = _number(tail, most=999)
    if status < 200:
        raise NonsenseError("A final status is at least 200")
    return status, rest


def _set(**changes: object) -> Step:
    """A prefix that only changes the manner of the answer."""

    def step(asking: Asking, tail: str) -> str:
        for name, value in changes.items():
            setattr(asking, name, value)
        return f"/{tail}"

    return step


def _by_name(asking: Asking, tail: str) -> Picture | Answer:
    name = unquote(tail.partition("?")[0])
    return asking.shelf.get(name) or plain(404, text=f"no picture {name}")


def _slow(asking: Asking, tail: str) -> str:
    milliseconds, rest = _number(tail, most=3_600_000)
    asking.delay_s += milliseconds / 1000
    return rest


def _silent(asking: Asking, tail: str) -> Answer:  # noqa: ARG001
    return Answer(0, "", b"", silent=True)


def _status(asking: Asking, tail: str) -> Answer:  # noqa: ARG001
    return plain(_final(tail)[0])


def _redirect(asking: Asking, tail: str) -> str | Answer:  # noqa: ARG001
    hops, rest = _number(tail, most=1000)
    return rest if hops == 0 else plain(302, f"Location: {_after(hops - 1, rest)}\r\n")


def _after(hops: int, rest: str) -> str:
    return f"/redirect/{hops}{rest}" if hops else rest


def _redirect_to(asking: Asking, tail: str) -> Answer:  # noqa: ARG001
    query = parse_qs(asking.request.target.partition("redirect-to?")[2])
    url = query.get("url", [""])[0]
    if not url or not url.isprintable():
        raise NonsenseError("redirect-to needs a url of printable characters")
    status, _ = _final(query.get("status", ["302"])[0])
    return plain(status, f"Location: {url}\r\n")


def _page(asking: Asking, tail: str) -> Picture:  # noqa: ARG001
    asking.ranges = Ranges.IGNORED
    return PAGE


def _empty(asking: Asking, tail: str) -> Picture:  # noqa: ARG001
    return EMPTY


def _flaky(asking: Asking, tail: str) -> str | Answer:
    times, rest = _number(tail, most=1000)
    asking.seen["flaky/" + tail] += 1
    return plain(503) if asking.seen["flaky/" + tail] <= times else rest


def _retry_after(asking: Asking, tail: str) -> str | Answer:
    seconds, rest = _number(tail, most=1_000_000)
    asking.seen["retry-after/" + tail] += 1
    first = asking.seen["retry-after/" + tail] == 1
    return plain(429, f"Retry-After: {seconds}\r\n") if first else rest


def _refuse_range(asking: Asking, tail: str) -> str:
    asking.refusal, rest = _final(tail)
    return rest


def _hostile(asking: Asking, tail: str) -> Answer:
    name, _, rest = tail.partition("/")
    if name not in MISDEEDS:
        return plain(404, text=f"no misdeed {name}")
    names = sorted(asking.shelf)
    file = unquote(rest.removeprefix("by-name/").partition("?")[0])
    chosen = asking.shelf.get(file) or asking.shelf[choose(f"/{rest}", names)]
    return MISDEEDS[name].make(asking, chosen)


PREFIXES: Mapping[str, Step] = {
    "by-name": _by_name,
    "slow": _slow,
    "silent": _silent,
    "status": _status,
    "redirect": _redirect,
    "redirect-to": _redirect_to,
    "html": _page,
    "empty": _empty,
    "flaky": _flaky,
    "retry-after": _retry_after,
    "refuse-range": _refuse_range,
    "hostile": _hostile,
    "no-range": _set(ranges=Ranges.IGNORED),
    "no-length": _set(ranges=Ranges.IGNORED, framing=Framing.CLOSE),
    "chunked": _set(ranges=Ranges.IGNORED, framing=Framing.CHUNKED),
    "endless": _set(ranges=Ranges.IGNORED, framing=Framing.ENDLESS),
    "no-total": _set(ranges=Ranges.NO_TOTAL),
    "wrong-offset": _set(ranges=Ranges.WRONG_OFFSET),
    "only-tag": _set(validators=Validators.TAG),
    "weak-tag": _set(validators=Validators.WEAK),
    "only-date": _set(validators=Validators.DATE),
    "no-validators": _set(validators=Validators.NONE),
    "no-conditions": _set(conditions=False),
    "truncated": _set(halves=True),
    "stall": _set(halves=True, stalls=True),
}


def answer(asking: Asking, names: Sequence[str]) -> Answer:
    """Follow the prefixes, then serve the picture of what is left."""
    rest = asking.request.target
    while step := PREFIXES.get(rest[1:].partition("/")[0].partition("?")[0]):
        found = step(asking, rest[1:].partition("/")[2])
        if isinstance(found, str):
            rest = found
            continue
        result = serve(found, asking) if isinstance(found, Picture) else found
        break
    else:
        edition = asking.editions.picture(rest, asking.shelf, names)
        result = plain(404, text="removed") if edition is None else serve(edition, asking)
    result.delay_s = asking.delay_s
    return result
