"""A file behind ranges: what a downloader does with the walker's `Need`s."""

from __future__ import annotations

from imaging.facts import Failure, ImageInfo
from imaging.header import Need, inspect

MAX_ROUNDS = 40


def served(data: bytes, first: int, *, least: int = 0, total: bool = True) -> ImageInfo | Failure:
    """Inspect a file of which `first` bytes come at once and every `Need` is fetched.

    `least` is how many bytes a range has at least, `total` whether its size is known from the
    start. Asserts that every `Need` asks for something further on than all that was fetched, or
    says what is told without it (but for the sides of a TIFF, which may stand anywhere), and inside
    the file where its size is known.
    """
    size = len(data) if total else None
    more: list[tuple[int, bytes]] = []
    furthest = min(first, len(data))
    for _ in range(MAX_ROUNDS):
        answer = inspect(data[:first], total=size, more=more)
        if not isinstance(answer, Need):
            return answer
        end = answer.offset + answer.length
        assert answer.length > 0
        forward = answer.offset >= furthest or answer.otherwise is not None
        assert forward or data[:2] in (b"II", b"MM")
        if end > len(data):
            assert size is None
            size = len(data)  # the range answer told it, or the body ended
            continue
        end = max(end, answer.offset + least)
        more.append((answer.offset, data[answer.offset : end]))
        furthest = max(furthest, answer.offset + len(more[-1][1]))
    raise AssertionError(f"still asking after {MAX_ROUNDS} rounds")


def agreeing(part: ImageInfo, whole: ImageInfo) -> bool:
    """Whether every fact told of a part is None or the one told of the whole file."""
    return all(getattr(part, field) in (None, getattr(whole, field)) for field in whole._fields)
