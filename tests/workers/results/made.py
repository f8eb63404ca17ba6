"""Result files made of the records themselves, as runs and streams write them."""

from __future__ import annotations

from imaging.facts import ErrorCode, Failure, ImageInfo
from workers.batches.records import BatchRecord, BatchRow
from workers.lines import start_line
from workers.records import Fetch, Record
from workers.summary import Summary

__all__ = ["BATCHES", "FACTS", "START", "batch", "fact", "file_of", "summary_of"]

_INFO = ImageInfo("JPEG", (800, 600), "RGB", 1, animated=False, image_size=12345)
_FAILURES = (
    Failure(ErrorCode.HTTP_STATUS, "404 Not Found", 404),
    Failure(ErrorCode.TIMEOUT),
    Failure(ErrorCode.BAD_ROW, "no url: „ü“"),
)

START = start_line(kind="images_info", manifest="ünïcode.tsv", options={"limit": None})


def fact(index: int) -> Record:
    """The record of a row; every third failed, each for another reason."""
    failure = _FAILURES[index // 3 % 3] if index % 3 == 2 else None
    bad = failure is not None and failure.code is ErrorCode.BAD_ROW
    return Record(
        index,
        f"ü{index}",
        None if bad else f"http://a.test/{index}/„",
        failure or _INFO,
        None if bad else Fetch(status=200, bytes=100 + index, attempts=1, requests=1),
        extra=b'{"text":"a\\u2028b"}',
    )


def batch(number: int, size: int = 4) -> BatchRecord:
    """A batch whose rows are those of `fact`."""
    rows = []
    for index in range(number * size, (number + 1) * size):
        record = fact(index)
        outcome = b'{"a":1}' if isinstance(record.outcome, ImageInfo) else record.outcome
        rows.append(BatchRow(index, record.id, record.url, outcome, record.fetch))
    return BatchRecord(number, (8, 8), "none", rows)


def summary_of(*records: Record | BatchRecord, reason: str | None = None) -> bytes:
    """The last line of a run with these records."""
    summary = Summary()
    for record in records:
        summary.count(record)
    return summary.line(seconds=1.5, manifest_sha256="0" * 64, reason=reason)


def file_of(*records: Record | BatchRecord) -> bytes:
    """A whole file of them."""
    return b"".join([START, *(record.line() for record in records), summary_of(*records)])


FACTS = file_of(*(fact(index) for index in (3, 0, 1, 2, 7, 5, 4, 6, 8)))
BATCHES = file_of(*(batch(number) for number in (1, 0, 2)))
