"""A JSON array → its elements with their byte offsets, never held whole."""

from __future__ import annotations

import re

from workers.errors import ManifestError
from workers.manifest.lines import MAX_LINE_BYTES, Line

__all__ = ["ArrayCutter"]

_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_TEXT = rb"[^\"{}\[\]]++|" + _STRING
_NESTED = rb"[{\[](?:" + _TEXT + rb")*+[}\]]"
_OBJECT = rb"\{(?:" + _TEXT + rb"|" + _NESTED + rb")*+\}"
#: An element with little nested in it, and its comma: what nearly all manifests hold, at once.
_FLAT = re.compile(
    rb"[ \t\r\n]*+(" + _OBJECT + rb"|" + _STRING + rb")[ \t\r\n]*+,",
    re.DOTALL,
)
#: Outside of a string only these decide where an element ends; inside, only the others.
_OUTSIDE = re.compile(_STRING + rb'|["{}\[\],]', re.DOTALL)
_INSIDE = re.compile(rb'["\\]')

_OPEN, _CLOSE = b"{[", b"}]"
_SPACE = b" \t\r\n"
_BEFORE = b"\xef\xbb\xbf" + _SPACE


class ArrayCutter:
    """Cuts a stream of blocks at the commas of the outermost array. Used as `LineCutter` is.

    Brackets are counted and strings passed over; whether an element is JSON is for the reader
    to say. An element that is longer than the cap is told as such and never held whole.
    """

    def __init__(self, max_bytes: int = MAX_LINE_BYTES, *, start: int = 0) -> None:
        """Of blocks from offset *start* on: there stands the comma or bracket of an element."""
        self._max = max_bytes
        self._rest = b""  # of the element begun
        self._scanned = 0  # bytes of the rest that are behind the scan
        self._skipping = False
        self._depth = 0
        self._inside = False  # a string
        self._offset = start  # of the first byte of the rest
        self._state = "within" if start else "before"  # before | within | behind the array

    def feed(self, block: bytes) -> list[Line]:
        """The elements that *block* completes.

        Raises:
            ManifestError: something else than an array begins, or stands behind it.
        """
        if self._state == "before":
            text = block.lstrip(_BEFORE)
            self._offset += len(block) - len(text)
            if not text:
                return []
            if not text.startswith(b"["):
                raise ManifestError("the JSON is not an array")
            self._state, self._offset, block = "within", self._offset + 1, text[1:]
        lines: list[Line] = []
        if self._state == "within":
            block = self._cut(self._rest + block, lines)
        if self._state == "behind" and block.strip(_SPACE):
            if not lines:
                raise ManifestError("something stands behind the end of the JSON array")
            self._rest = block  # told by the next call: these elements are whole
        return lines

    def finish(self) -> list[Line]:
        """Nothing is left at the end. Raises ManifestError where the array is not closed."""
        if self._state == "within":
            raise ManifestError("the JSON array ends in the middle")
        if self._state == "behind" and self._rest:
            raise ManifestError("something stands behind the end of the JSON array")
        return []

    def _cut(self, text: bytes, lines: list[Line]) -> bytes:
        """Append the elements of *text*; returns what stands behind the array."""
        start, at = 0, self._scanned
        while True:
            if at == start and not self._skipping:
                while (flat := _FLAT.match(text, start)) is not None:
                    self._offset += flat.end() - start
                    start = flat.end()
                    self._add(lines, text[flat.start(1) : start - 1])
                at = start
            token = (_INSIDE if self._inside else _OUTSIDE).search(text, at)
            if token is None:
                at = len(text)
                break
            sign, at = token[0], token.end()
            if sign == b'"':
                self._inside = not self._inside
            elif sign == b"\\":
                if at == len(text):  # what it escapes is still to come
                    at -= 1
                    break
                at += 1
            elif sign in _OPEN:
                self._depth += 1
            elif sign in _CLOSE and self._depth:
                self._depth -= 1
            elif sign == b"," and not self._depth:
                self._offset += at - start
                self._add(lines, text[start : at - 1])
                start = at
            elif sign == b"]":
                self._offset += at - start
                self._add(lines, text[start : at - 1])
                self._state, self._rest = "behind", b""
                return text[at:]
        self._keep(text[start:], at - start)
        return b""

    def _keep(self, rest: bytes, scanned: int) -> None:
        """Hold the element begun, for the next block to go on with."""
        if not self._skipping:
            begun = rest.lstrip(_SPACE)
            passed = len(rest) - len(begun)
            self._offset += passed
            rest, scanned = begun, scanned - passed
        if self._skipping or len(rest) > self._max:
            self._skipping = True
            self._offset += scanned
            rest, scanned = rest[scanned:], 0  # at most a backslash, which waits for its character
        self._rest, self._scanned = rest, scanned

    def _add(self, lines: list[Line], text: bytes) -> None:
        """Add the element that ends here; nothing between two commas is none."""
        skipped, self._skipping = self._skipping, False
        text = text.lstrip(_SPACE)
        if skipped or len(text) > self._max:
            lines.append(Line(None, self._offset))
        elif text:
            lines.append(Line(text.rstrip(_SPACE), self._offset))
