"""Turns, mirrors and cuts: what the properties of an AVIF or HEIF picture do to it.

The properties `irot`, `imir` and `clap` of ISO/IEC 23008-12, section 6.5.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["orientation", "shown"]

#: Orientation by (quarter turns anticlockwise, axis mirrored in first or None).
_TURNS: dict[tuple[int, int | None], int] = {
    (turns, axis): told
    for axis, by_turns in ((None, (1, 8, 3, 6)), (0, (4, 5, 2, 7)), (1, (2, 7, 4, 5)))
    for turns, told in enumerate(by_turns)
}


def orientation(properties: Sequence[tuple[bytes, bytes]]) -> int:
    """The orientation, 1–8, that the first turn and the first mirror of a picture make."""
    first = dict(reversed(properties))
    turn, axis = first.get(b"irot"), first.get(b"imir")
    return _TURNS[turn[0] & 3 if turn else 0, axis[0] & 1 if axis else None]


def shown(
    size: tuple[int, int], properties: Sequence[tuple[bytes, bytes]]
) -> tuple[int, int] | None:
    """The size that is left when all is done, in its order; None for a cut that cannot be."""
    for name, value in properties:
        if name == b"irot" and value[:1] and value[0] & 1:
            size = size[1], size[0]
        elif name == b"clap" and len(value) >= 16:
            wide, wide_parts, high, high_parts = (
                int.from_bytes(value[at : at + 4]) for at in range(0, 16, 4)
            )
            if not (wide_parts and high_parts):
                return None
            size = _rounded(wide, wide_parts), _rounded(high, high_parts)
    return size


def _rounded(value: int, parts: int) -> int:
    return (2 * value + parts) // (2 * parts)
