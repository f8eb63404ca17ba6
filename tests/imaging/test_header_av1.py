"""AV1: how large the frames are that coded data speak of."""

from __future__ import annotations

import pytest

from imaging.header.av1 import MAX_UNITS, largest_frame
from tests.samples import SAMPLES


def bits(*numbers: tuple[int, int]) -> bytes:
    """Numbers of so many bits each: (number, bits)."""
    text = "".join(f"{number:0{count}b}" for number, count in numbers)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8)


def unit(kind: int, payload: bytes, *, sized: bool = True) -> bytes:
    if not sized:
        return bytes([kind << 3]) + payload
    return bytes([kind << 3 | 2, 0x80 | len(payload) & 0x7F, len(payload) >> 7]) + payload


def size(width: int, height: int) -> tuple[tuple[int, int], ...]:
    return (15, 4), (15, 4), (width - 1, 16), (height - 1, 16)


def still(width: int, height: int) -> bytes:
    """A sequence header of the short kind."""
    return unit(1, bits((0, 3), (1, 1), (1, 1), (8, 5), *size(width, height)))


def sequence(width: int, height: int) -> bytes:
    """One of the long kind, with timing, a model of the decoder, and numbered frames."""
    timing = (1, 1), (1, 32), (25, 32), (1, 1), (1, 3), (0, 2), (1, 1), (9, 5), (1, 32), (9, 5)
    points = (9, 5), (1, 1), (1, 5), (0, 12), (9, 5), (0, 1), (1, 1), (0, 21), (1, 1), (5, 4)
    more = (0, 12), (5, 5), (0, 1), (0, 1)
    numbered = (1, 1), (2, 4), (3, 3), (0, 3), (0, 4), (1, 1), (0, 2), (0, 1), (0, 1)
    head = (0, 3), (0, 1), (0, 1)
    return unit(1, bits(*head, *timing, *points, *more, *size(width, height), *numbered))


def frame(*, own_size: bool) -> bytes:
    """A key frame that is shown."""
    head = (0, 1), (0, 2), (1, 1), (0, 1), (0, 8), (int(own_size), 1)
    return unit(6, bits(*head, (0, 40)))


@pytest.mark.parametrize("header", [still, sequence])
def test_size_stands_in_the_sequence_header(header: object) -> None:
    """Of either kind."""
    assert callable(header)
    assert largest_frame(unit(2, b"") + header(9000, 300)) == (9000, 300)


def test_the_largest_counts() -> None:
    """A decoder follows every sequence header it meets."""
    assert largest_frame(still(64, 64) + unit(5, bytes(300)) + still(900, 70)) == (900, 70)
    assert largest_frame(still(900, 70) + still(64, 64)) == (900, 70)


def test_frame_with_a_size_of_its_own_is_taken_for_the_largest() -> None:
    """It may be more than the sequence header allows, and decoders do not mind."""
    assert largest_frame(sequence(64, 64) + frame(own_size=False)) == (64, 64)
    assert largest_frame(sequence(64, 64) + frame(own_size=True)) == (65_536, 65_536)


def test_units_without_a_size_reach_to_the_end() -> None:
    """As containers may have their last one."""
    header = still(640, 480)
    assert largest_frame(unit(2, b"") + unit(1, header[3:], sized=False)) == (640, 480)


@pytest.mark.parametrize("name", ["avif-RGB", "avif-animated", "avif-large"])
def test_encoders_sequences_are_read(name: str) -> None:
    """Pictures and sequences as libaom writes them."""
    data = SAMPLES[name]
    coded = data[data.index(b"mdat") + 4 :]
    assert largest_frame(coded) == ((640, 480) if name == "avif-large" else (61, 43))


def test_what_is_no_av1_has_no_size() -> None:
    """Nothing, noise, cut anywhere, or more units than are looked at."""
    assert largest_frame(b"") is None
    assert largest_frame(bytes(range(256))[40:90]) is None
    for end in range(len(still(64, 64))):
        largest_frame(still(64, 64)[:end])
    assert largest_frame(still(64, 64) + unit(5, b"") * MAX_UNITS) is None
