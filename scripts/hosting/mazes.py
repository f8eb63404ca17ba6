"""Redirects that lead nowhere, for ever, or where nobody should go."""

import itertools
from collections.abc import Mapping

from hosting.answers import Answer, Asking, plain
from hosting.framing import CHUNKED, ZEROS, chunk
from hosting.misdeed import Make, Misdeed, head, wired
from hosting.pictures import Picture
from hosting.wire import Ending


def _to(place: str) -> Make:
    """302 to a place; `{rest}` is the request's target without this misdeed."""
    return lambda asking, _: plain(302, f"Location: {place.format(rest=rest(asking))}\r\n")


def rest(asking: Asking) -> str:
    """The part of the target behind `/hostile/<name>`."""
    return "/" + asking.request.target.split("/", 3)[3]


def _itself(asking: Asking, picture: Picture) -> Answer:  # noqa: ARG001
    return plain(302, f"Location: {asking.request.target}\r\n")


def _fresh(asking: Asking, picture: Picture) -> Answer:  # noqa: ARG001
    asking.seen["maze"] += 1
    return plain(302, f"Location: /hostile/redirect-maze/{asking.seen['maze']}\r\n")


def _endless(asking: Asking, picture: Picture) -> Answer:  # noqa: ARG001
    begin = head(CHUNKED, f"Location: {rest(asking)}", status="302 Found")
    return wired(itertools.chain([begin], itertools.repeat(chunk(ZEROS))), status=302)


def _stalled(asking: Asking, picture: Picture) -> Answer:  # noqa: ARG001
    begin = head("Content-Length: 500", f"Location: {rest(asking)}", status="302 Found")
    return wired([begin], Ending.SILENT, 302)


PLACES = {
    "file": "file:///etc/passwd",
    "ftp": "ftp://127.0.0.1/x",
    "data": "data:image/gif;base64,R0lGODlhAQABAAAAACw=",
    "javascript": "javascript:alert(1)",
    "no-host": "http://",
    "bad-address": "http://[::bad/",
    "bad-port": "http://127.0.0.1:99999/",
    "bad-label": "http://a..b/",
    "long-host": f"http://{'a' * 300}/",
}

MISDEEDS: Mapping[str, Misdeed] = {
    "redirect-loop": Misdeed("302 to itself", _itself),
    "redirect-maze": Misdeed("302 to a new address every time", _fresh),
    "redirect-nowhere": Misdeed("302 without a Location", lambda *_: plain(302)),
    "redirect-empty": Misdeed("302 with an empty Location", _to("")),
    "redirect-endless": Misdeed("302 to the picture, with a body without end", _endless),
    "redirect-stalled": Misdeed("302 to the picture, with a body that never comes", _stalled),
    **{
        f"redirect-{name}": Misdeed(f"302 to `{place[:40]}`", _to(place))
        for name, place in PLACES.items()
    },
}
