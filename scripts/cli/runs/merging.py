"""New records in the place of old ones, in a result file that is otherwise as it was."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from typing import IO

import numpy as np

from scripts.cli.files.result_file import ResultFile
from workers.results.indexes import Indexes
from workers.results.recorded import Recorded, read_line
from workers.results.survey import Survey, records
from workers.summary import Summary

__all__ = ["is_merged", "merged"]


def merged(
    base: ResultFile, found: Survey, beside: ResultFile, summary: Summary
) -> Iterator[bytes]:
    """The records of *base*, in their order, those that *beside* has anew as they stand there.

    *summary* counts them. Records of cancelled rows stay, if there are no others.
    """
    seen = Indexes()
    with base.reading() as old, beside.reading() as new:
        again = _Places(new, beside.size)
        for before in records(old, found.end, cancelled=True):
            record = again.instead_of(before)
            if any(row["index"] in seen for row in record.rows):
                continue  # recorded twice: the first counts
            for row in record.rows:
                seen.add(row["index"])
            summary.count(record)
            yield record.text


def is_merged(beside: ResultFile, into: ResultFile, found: Survey) -> bool:
    """Whether all records of *beside*, if there are any, stand in *into* already, which *found* is
    of.
    """
    with into.reading() as old, beside.reading() as new:
        again = _Places(new, beside.size)
        left = len(again)
        for record in records(old, found.end):
            left -= again.has(record)
    return len(again) > 0 and not left


class _Places:
    """Where in a file the record of a row stands: three numbers for each."""

    def __init__(self, file: IO[bytes], end: int) -> None:
        self._descriptor = file.fileno()
        found = array("q")
        for record in records(file, end):
            found.extend((record.index, file.tell() - len(record.text), len(record.text)))
        places = np.frombuffer(found, dtype=np.int64).reshape(-1, 3)
        self._places = places[places[:, 0].argsort()]

    def __len__(self) -> int:
        return len(self._places)

    def has(self, record: Recorded) -> bool:
        """Whether that very line is there."""
        return self._line(record.index) == record.text

    def instead_of(self, before: Recorded) -> Recorded:
        """The record there of the same rows, if there is one, else *before*."""
        line = self._line(before.index)
        if line is None:
            return before
        record = Recorded(line, read_line(line))
        same = [row["index"] for row in record.rows] == [row["index"] for row in before.rows]
        return record if same else before

    def _line(self, index: int) -> bytes | None:
        at = int(np.searchsorted(self._places[:, 0], index))
        if at == len(self._places) or self._places[at, 0] != index:
            return None
        _, offset, length = self._places[at].tolist()
        return os.pread(self._descriptor, length, offset)
