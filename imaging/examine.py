"""The bytes of a whole file → every fact of the picture: the entry point of full depth.

Runs in a pool child. Format, dimension, mode, orientation and animation come from the same walk
as at header depth, so both depths agree.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

from imaging.decode import decode
from imaging.facts import Failure, ImageInfo
from imaging.header import count_frames
from imaging.measure import analysed_dimension, measure
from imaging.options import Limits
from imaging.thumbnail import thumbnail as shrink

__all__ = ["Examined", "examine"]


@dataclass(frozen=True, slots=True)
class Examined:
    """All that full depth tells of one picture."""

    info: ImageInfo
    thumbnail: str | None  #: a `data:` URI, where one was asked for


def examine(data: bytes, *, limits: Limits, thumbnail: int | None = None) -> Examined | Failure:
    """Decode a whole file and tell all its facts; `thumbnail` is a long side, 1 to 256 pixels."""
    decoded = decode(data, limits=limits, needed=analysed_dimension)
    if isinstance(decoded, Failure):
        return decoded
    frames = count_frames(data)
    animated = decoded.info.animated
    if animated is None and frames is not None:
        animated = frames > 1
    info = decoded.info._replace(
        animated=animated,
        image_size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        frames=frames,
        has_icc=decoded.has_icc,
        **asdict(measure(decoded.image)),
    )
    small = None if thumbnail is None else shrink(decoded.image, side=thumbnail)
    return Examined(info, small)
