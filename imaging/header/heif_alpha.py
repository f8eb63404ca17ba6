"""The transparency of an AVIF or HEIF picture: which other item or track holds it.

The name of an `auxC` or `auxi` property tells what an accessory is (ISO/IEC 23008-12, section
6.5.8; AVIF 1.1, section 4).
"""

from __future__ import annotations

from imaging.header.heif_items import Items

__all__ = ["Alphas", "UncertainError", "is_alpha"]

_ALPHA = (
    b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0",
    b"urn:mpeg:hevc:2015:auxid:1\0",
    b"urn:mpeg:avc:2015:auxid:1\0",
)
_LIKE_ALPHA = tuple(name[:-1] for name in _ALPHA)


class UncertainError(Exception):
    """An accessory is not by its name what it is by its place; decoders may differ."""


def is_alpha(kind: bytes) -> bool:
    """Whether a property of this payload is that of transparency. Raises `UncertainError`."""
    name = kind[4:] + b"\0"
    if name.startswith(_ALPHA):
        return True
    if name.startswith(_LIKE_ALPHA):
        raise UncertainError
    return False


class Alphas:
    """The transparency among the items of one file; each is judged once."""

    def __init__(self, items: Items) -> None:
        self._items = items
        self._judged: dict[int, bool] = {}

    def of(self, item: int) -> int | None:
        """The item that is the transparency of another. Raises `UncertainError`."""
        for other in self._items.pointing_at(item, b"auxl"):
            found = self._judged.get(other)
            if found is None:
                found = is_alpha(self._items.first(other, b"auxC") or b"")
                self._judged[other] = found
            if found:
                return other
        return None
