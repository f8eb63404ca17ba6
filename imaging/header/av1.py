"""AV1: the largest frame that coded data speak of, which a container need not tell.

After the AV1 bitstream specification (version 1.0.0 with errata 1), sections 5.3–5.5 and 5.9: the
units (OBU), their sequence headers, and of frame headers as much as tells a size of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["MAX_UNITS", "largest_frame"]

MAX_UNITS = 1_000  #: looked at; a still picture has some five, more if its tiles are units
_SEQUENCE_HEADER, _FRAME_HEADER, _FRAME = 1, 3, 6
_ENOUGH_OF_UNIT = 512  #: 32 operating points do not take a sequence header so far
_CHOOSE = 2  #: each frame says for itself
_SWITCH = 3  #: a type of frame that always has a size of its own


class _Bits:
    """Numbers out of the front of a unit; behind its end there are zeros."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data.ljust(_ENOUGH_OF_UNIT, b"\0"))
        self._left = 8 * _ENOUGH_OF_UNIT

    def take(self, count: int) -> int:
        """The next `count` bits."""
        self._left -= count
        return self._value >> max(self._left, 0) & (1 << count) - 1

    def skip_variable(self) -> None:
        """Step over a number of the kind `uvlc`."""
        zeros = 0
        while zeros < 32 and not self.take(1):
            zeros += 1
        self.take(zeros)


class _Sequence:
    """What a sequence header tells of the size of frames, and of where they tell their own."""

    def __init__(self, bits: _Bits) -> None:
        bits.take(4)
        self.reduced = bool(bits.take(1))
        self.time_bits = 0
        self.id_bits = 0
        if self.reduced:
            bits.take(5)
        else:
            self._skip_timing(bits)
        wide, high = bits.take(4) + 1, bits.take(4) + 1
        self.size = bits.take(wide) + 1, bits.take(high) + 1
        self.most = 1 << wide, 1 << high  #: what a frame with a size of its own can say
        if not self.reduced and bits.take(1):
            self.id_bits = bits.take(4) + bits.take(3) + 3
        bits.take(3)
        self.screen = self.whole = _CHOOSE
        if not self.reduced:
            bits.take(4)
            if bits.take(1):
                bits.take(2)
            self.screen = _CHOOSE if bits.take(1) else bits.take(1)
            if self.screen:
                self.whole = _CHOOSE if bits.take(1) else bits.take(1)

    def _skip_timing(self, bits: _Bits) -> None:
        delay_bits, modelled = 0, 0
        if bits.take(1):  # timing
            bits.take(64)
            if equal := bits.take(1):
                bits.skip_variable()
            if modelled := bits.take(1):
                delay_bits = bits.take(5) + 1
                bits.take(32 + 5)
                time_bits = bits.take(5) + 1
                self.time_bits = 0 if equal else time_bits
        delayed = bits.take(1)
        for _ in range(bits.take(5) + 1):
            bits.take(12)
            if bits.take(5) > 7:
                bits.take(1)
            if modelled and bits.take(1):
                bits.take(2 * delay_bits + 1)
            if delayed and bits.take(1):
                bits.take(4)

    def frame(self, bits: _Bits) -> tuple[int, int]:
        """The most that a frame can be, by the front of its header."""
        if self.reduced or bits.take(1):  # or is one shown before
            return self.size
        kind, shown = bits.take(2), bits.take(1)
        if shown:
            bits.take(self.time_bits)
        else:
            bits.take(1)
        if not (kind == _SWITCH or (kind == 0 and shown)):
            bits.take(1)
        bits.take(1)
        screen = bits.take(1) if self.screen == _CHOOSE else self.screen
        if screen and self.whole == _CHOOSE:
            bits.take(1)
        bits.take(self.id_bits)
        return self.most if kind == _SWITCH or bits.take(1) else self.size


def largest_frame(data: bytes | memoryview) -> tuple[int, int] | None:
    """The largest (width, height) that a decoder of these units may make room for.

    A frame that says it has a size of its own is taken for the largest its field can hold. None
    without a sequence header among the first `MAX_UNITS` units, or where there are more of them.
    """
    largest: tuple[int, int] | None = None
    sequence: _Sequence | None = None
    for number, (kind, start, end) in enumerate(_units(data)):
        if number == MAX_UNITS:
            return None
        if kind == _SEQUENCE_HEADER:
            sequence = _Sequence(_Bits(bytes(data[start : min(end, start + _ENOUGH_OF_UNIT)])))
            size = sequence.size
        elif kind in (_FRAME_HEADER, _FRAME) and sequence:
            size = sequence.frame(_Bits(bytes(data[start : min(end, start + 64)])))
        else:
            continue
        largest = max(largest or size, size, key=lambda size: size[0] * size[1])
    return largest


def _units(data: bytes | memoryview) -> Iterator[tuple[int, int, int]]:
    """The units of coded data: (type, start of the payload, its end)."""
    pos = 0
    while pos < len(data):
        head = data[pos]
        start = pos + (2 if head & 4 else 1)
        end = len(data)
        if head & 2:
            size = shift = 0
            for byte in data[start : start + 8]:
                start += 1
                size |= (byte & 0x7F) << shift
                shift += 7
                if not byte & 0x80:
                    break
            end = min(start + size, len(data))
        yield head >> 3 & 15, start, end
        pos = max(end, start)
