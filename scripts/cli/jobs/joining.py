"""Answers that were cut, and others that go on behind a cursor → the lines of one whole answer.

A `progress` line's cursor covers exactly the lines before it. What was given out behind the last
cursor when a connection is cut comes once more on the next one, in the same order: it is known by
its digest, and passed over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import orjson

__all__ = ["Joined", "NoResults"]

#: The line of a batch with its array in it has up to some 70 MB.
LONGEST_LINE = 256 * 1024 * 1024

_IMAGE = b'{"type":"image",'


class NoResults(Exception):
    """What came are no results, or not those that came before."""


class Joined:
    """Takes what comes, and gives out whole lines, each once."""

    def __init__(self, job: str, cursor: str | None = None, *, begun: bool = False) -> None:
        """Of the results of *job* behind *cursor*; *begun*: their `start` line is out already."""
        self.cursor = cursor
        self.rows = 0  #: of records given out
        self.failed = 0  #: rows of the job that failed, as last told
        self.heard = 0  #: records given out, and signs that there are none yet
        self.summary: dict[str, Any] | None = None
        self.last = b""  #: the line of the summary, which is not given out by `take`
        self._job = job
        self._begun = begun
        self._told = cursor  # by the last progress line given out
        self._open: deque[bytes] = deque()  # digests of lines given out behind the cursor
        self._again: deque[bytes] = deque()  # of these, those that are to come once more
        self._rest: list[bytes] = []  # of a line
        self._size = 0
        self._first = True

    def connected(self) -> None:
        """A new answer begins, behind `cursor`; what was left of a line is cut off."""
        self._rest, self._size, self._first = [], 0, True
        self.summary = None
        self._again = deque(self._open)

    def take(self, data: bytes) -> bytes:
        """The new whole lines that *data* brings, up to a summary.

        Raises:
            NoResults: they are not what they should be.
        """
        return b"".join(self._new(line) for line in self._lines(data))

    def _lines(self, data: bytes) -> Iterator[bytes]:
        at = 0
        while end := data.find(b"\n", at) + 1:
            self._rest.append(data[at:end])
            line, self._rest, self._size = b"".join(self._rest), [], 0
            at = end
            yield line
        if at < len(data):
            self._rest.append(data[at:])
            self._size += len(data) - at
            if self._size > LONGEST_LINE:
                raise NoResults(f"a line of more than {LONGEST_LINE} bytes")

    def _new(self, line: bytes) -> bytes:
        """The line, or nothing where it is not to be given out."""
        if self.summary is not None:
            raise NoResults("there are lines behind the summary")
        if line.startswith(_IMAGE) and not self._first:
            return self._record(line, 1)
        said = _said(line)
        kind = said.get("type")
        if self._first:
            return self._start(line, said)
        if kind in ("image", "batch"):
            rows = said.get("rows")
            return self._record(line, len(rows) if isinstance(rows, list) else 1)
        if kind == "summary":
            self.summary, self.last = said, line
            return b""
        return self._progress(line, said)

    def _start(self, line: bytes, said: dict[str, Any]) -> bytes:
        if said.get("type") != "start" or said.get("job") != self._job:
            raise NoResults("what is answered are not the results of this job")
        self._first = False
        begun, self._begun = self._begun, True
        return b"" if begun else line

    def _record(self, line: bytes, rows: int) -> bytes:
        digest = blake2b(line, digest_size=16).digest()
        if self._again:
            if self._again.popleft() != digest:
                raise NoResults("the results are not those that were given out before")
            return b""
        self._open.append(digest)
        self.rows += rows
        self.heard += 1
        return line

    def _progress(self, line: bytes, said: dict[str, Any]) -> bytes:
        """A cursor: nothing before it comes once more. Told once for each place."""
        cursor = said.get("cursor")
        if not isinstance(cursor, str):
            return b""
        failed = said.get("failed")
        self.failed = failed if type(failed) is int else self.failed
        self.heard += not self._again
        self.cursor = cursor
        self._open = deque(self._again)  # still to come once more, behind this cursor
        if cursor == self._told or self._again:
            return b""
        self._told = cursor
        return line


def _said(line: bytes) -> dict[str, Any]:
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict):
        raise NoResults("a line is no JSON object")
    return said
