"""SVG: the size its root tag declares; nothing is drawn, and no XML is parsed.

What stands before the root tag is stepped over (declaration, comments, document type), entities
are not resolved, and only `width`, `height` and `viewBox` are looked at (SVG 2, sections 8.2 and
8.6; units and their 96 to the inch: CSS Values 3, section 6.2). A side that is missing, `auto` or
a percentage follows from the viewBox: its own size, or its proportions where the other side is
told. Sides are rounded to whole pixels, halves up, to no less than 1. A length relative to a font
or a window, no viewBox, or nonsense: no dimension.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from imaging.facts import ErrorCode, Failure, ImageInfo
from imaging.header.pieces import Need, Pieces

__all__ = ["walk"]

_MAX_BYTES = 64 * 1024  #: up to the end of the root tag; editors write some kilobytes
_MAX_STEPS = 1000  #: comments, quoted values and attributes looked at; editors write some dozens
_HOPED = 512
_LONGEST = 1 << 31  #: pixels; a longer side is nonsense

_LONGEST_VALUE = 200  #: characters of a length or viewBox

_SPACE = " \t\r\n"
_SPACES = re.compile(r"[ \t\r\n]*+")
_NAME = re.compile(r"[A-Za-z_][\w.:-]*")
_QUOTE_OR_END = re.compile(r"[\"'>]")
_QUOTE_OR_SUBSET = re.compile(r"[\"'>\[]")
_IN_SUBSET = re.compile(r"[\"'\]]|<!--|<\?")
_ATTRIBUTE = re.compile(r"(?<=\s)([^\s=/\"'<>]++)\s*+=\s*+(\"[^\"]*+\"|'[^']*+')")
_LENGTH = re.compile(r"([+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?)\s*+(%|[A-Za-z]*+)")
_BETWEEN = re.compile(r"[\s,]++")
_PIXELS = {
    "": 1.0,
    "px": 1.0,
    "in": 96.0,
    "pc": 16.0,
    "pt": 96 / 72,
    "cm": 96 / 2.54,
    "mm": 96 / 25.4,
    "q": 96 / 101.6,
}


class _EndError(Exception):
    """The text ends before what was looked for."""


class _TooMuchError(Exception):
    """More pieces than a drawing has before its picture."""


class _Unknown(float):
    """A length that only a font or a window could tell."""


def walk(pieces: Pieces) -> ImageInfo | Need | Failure | None:
    """Tell the facts of an SVG drawing; None for what is none, as far as can be seen."""
    text = _text(pieces.head[:_MAX_BYTES])
    if not text.startswith("<", _past_space(text, 0)):
        return None
    inside = False
    steps = iter(range(_MAX_STEPS))
    try:
        root = _root(text, steps)
        if root is None:
            return None
        inside = True
        given = _attributes(text[root : _tag_end(text, root, steps)], steps)
    except _TooMuchError:
        return Failure(ErrorCode.CORRUPT_IMAGE, "SVG with too long a root tag") if inside else None
    except _EndError:
        if len(pieces.head) >= _MAX_BYTES:
            many = Failure(
                ErrorCode.CORRUPT_IMAGE, f"SVG with a root tag beyond {_MAX_BYTES} bytes"
            )
            return many if inside else None
        if pieces.complete:
            return Failure(ErrorCode.TRUNCATED_IMAGE, "its root tag has no end") if inside else None
        at = len(pieces.head)
        return pieces.need(at, 1, hoped=min(max(at, _HOPED - at), _MAX_BYTES - at))
    return ImageInfo("SVG", _dimension(given), None, 1, None, pieces.total)


def _text(data: bytes) -> str:
    """The text of a head; of other encodings than UTF-16 the ASCII in it is all that counts."""
    if data.startswith((b"\xff\xfe", b"<\0")):
        return data.decode("utf-16-le", "replace").removeprefix("\ufeff")
    if data.startswith((b"\xfe\xff", b"\0<")):
        return data.decode("utf-16-be", "replace").removeprefix("\ufeff")
    return data.removeprefix(b"\xef\xbb\xbf").decode("latin-1")


def _step(steps: Iterator[int]) -> None:
    """Take one of the steps there are, which bounds the work: each costs much more than a byte."""
    if next(steps, None) is None:
        raise _TooMuchError


def _root(text: str, steps: Iterator[int]) -> int | None:
    """Where the name of the root tag ends if it is an SVG's, else None."""
    pos = 0
    while True:
        _step(steps)
        pos = _past_space(text, pos)
        if text.startswith("<?", pos):
            pos = _past(text, "?>", pos + 2)
        elif text.startswith("<!--", pos):
            pos = _past(text, "-->", pos + 4)
        elif text.startswith("<!DOCTYPE", pos):
            pos = _past_doctype(text, pos + len("<!DOCTYPE"), steps)
        elif any(mark.startswith(text[pos:]) for mark in ("<!DOCTYPE", "<!--")):
            raise _EndError
        else:
            break
    name = _NAME.match(text, pos + 1)
    if text[pos] != "<" or name is None:
        return None
    if name.end() == len(text):
        raise _EndError
    return name.end() if name[0].rpartition(":")[2] == "svg" else None


def _past_space(text: str, pos: int) -> int:
    found = _SPACES.match(text, pos)
    return found.end() if found else pos


def _past(text: str, mark: str, pos: int) -> int:
    found = text.find(mark, pos)
    if found < 0:
        raise _EndError
    return found + len(mark)


def _past_doctype(text: str, pos: int, steps: Iterator[int]) -> int:
    """Step over a document type, with the entities it may declare."""
    pattern = _QUOTE_OR_SUBSET
    while found := pattern.search(text, pos):
        _step(steps)
        pos = found.end()
        if found[0] == ">":
            return pos
        if found[0] == "[":
            pattern = _IN_SUBSET
        elif found[0] == "]":
            pattern = _QUOTE_OR_SUBSET
        else:
            pos = _past(text, {"<!--": "-->", "<?": "?>"}.get(found[0], found[0]), pos)
    raise _EndError


def _tag_end(text: str, pos: int, steps: Iterator[int]) -> int:
    while found := _QUOTE_OR_END.search(text, pos):
        _step(steps)
        if found[0] == ">":
            return found.start()
        pos = _past(text, found[0], found.end())
    raise _EndError


def _attributes(tag: str, steps: Iterator[int]) -> dict[str, str]:
    given: dict[str, str] = {}
    for found in _ATTRIBUTE.finditer(tag):
        _step(steps)
        given.setdefault(found[1], found[2][1:-1])
    return given


def _dimension(given: dict[str, str]) -> tuple[int, int] | None:
    wide, high = _length(given.get("width", "")), _length(given.get("height", ""))
    if isinstance(wide, _Unknown) or isinstance(high, _Unknown):
        return None
    if wide is None or high is None:
        box = _box(given.get("viewBox", ""))
        if box is None:
            return None
        box_wide, box_high = box
        if wide is not None:
            high = wide * box_high / box_wide
        elif high is not None:
            wide = high * box_wide / box_high
        else:
            wide, high = box_wide, box_high
    if not (0 < wide < _LONGEST and 0 < high < _LONGEST):
        return None
    return max(int(wide + 0.5), 1), max(int(high + 0.5), 1)


def _length(value: str) -> float | None:
    """A length in pixels, None for one that the viewBox tells."""
    value = value.strip(_SPACE)
    if value in ("", "auto"):
        return None
    found = _LENGTH.fullmatch(value) if len(value) <= _LONGEST_VALUE else None
    if found is None:
        return _Unknown()
    if found[2] == "%":
        return None
    pixels = _PIXELS.get(found[2].lower())
    return _Unknown() if pixels is None else float(found[1]) * pixels


def _box(value: str) -> tuple[float, float] | None:
    """Width and height of a viewBox."""
    parts = _BETWEEN.split(value.strip(_SPACE)) if len(value) <= _LONGEST_VALUE else []
    numbers = [_LENGTH.fullmatch(part) for part in parts]
    if len(numbers) != 4 or any(number is None or number[2] for number in numbers):
        return None
    wide, high = float(parts[2]), float(parts[3])
    return (wide, high) if 0 < wide < _LONGEST and 0 < high < _LONGEST else None
