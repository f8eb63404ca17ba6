"""Connections that break: before, in and behind an answer, or on their second request."""

from collections.abc import Mapping

from hosting.answers import Answer, Asking, serve
from hosting.misdeed import Misdeed, head, length, wired
from hosting.pictures import Picture
from hosting.wire import Ending

#: What was sent is on its way before the reset, which would take it along.
BEFORE_RESET = 0.05


def _half(ending: Ending, pause: float) -> Misdeed:
    def make(asking: Asking, picture: Picture) -> Answer:  # noqa: ARG001
        whole = head(length(picture.data)) + picture.data
        return wired([whole[: len(whole) // 2], pause], ending)

    return Misdeed(f"half of the body, then {ending.value}", make)


def _second(ending: Ending) -> Misdeed:
    def make(asking: Asking, picture: Picture) -> Answer:
        if asking.request.number > 1:
            return wired([], ending)
        return serve(picture, asking)

    return Misdeed(f"one good answer, then {ending.value} at the second request", make)


def _bare(says: str, data: bytes, ending: Ending) -> Misdeed:
    return Misdeed(says, lambda *_: wired([data, BEFORE_RESET] if data else [], ending))


MISDEEDS: Mapping[str, Misdeed] = {
    "close-at-once": _bare("closed before a byte", b"", Ending.CLOSE),
    "close-in-head": _bare("closed in the head", b"HTTP/1.1 200 OK\r\nCont", Ending.CLOSE),
    "close-in-body": _half(Ending.CLOSE, 0.0),
    "close-second": _second(Ending.CLOSE),
    "reset-at-once": _bare("reset before a byte", b"", Ending.RESET),
    "reset-in-head": _bare("reset in the head", b"HTTP/1.1 200 OK\r\nCont", Ending.RESET),
    "reset-in-body": _half(Ending.RESET, BEFORE_RESET),
    "reset-second": _second(Ending.RESET),
    "silent-at-once": _bare("nothing, ever", b"", Ending.SILENT),
    "silent-in-head": _bare("silence in the head", b"HTTP/1.1 200 OK\r\nCont", Ending.SILENT),
    "silent-in-body": _half(Ending.SILENT, 0.0),
}
