"""Pictures that downloads are tried with, and what must come of them."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image

from tests import samples
from tests.picture_hosts import PictureHost
from tests.workers.fetch.downloading import Fetcher, info
from tests.workers.fetch.raw_hosts import head
from workers.records import Fetch

__all__ = [
    "FAT_EXIF",
    "FAT_PROFILE",
    "LARGE",
    "PICTURE",
    "PLAIN",
    "SMALL",
    "ranging",
    "request_range",
    "same",
]

#: Paths of the picture host: of a few kilobytes, of some more, and one of many.
SMALL = "by-name/made-0012-grey.jpg"
PLAIN = "by-name/made-0000-plain.jpg"
LARGE = "by-name/made-0004-plain.gif"
#: With metadata before the dimensions that the first range does not hold.
FAT_EXIF = "by-name/made-0006-fat-exif.jpg"
FAT_PROFILE = "by-name/made-0011-fat-profile.jpg"
#: For raw hosts: a JPEG of `samples.SIZE`.
PICTURE = samples.SAMPLES["jpeg-RGB"]


def opened(host: PictureHost, path: str) -> tuple[bytes, Image.Image]:
    """The picture of a path and what Pillow says of it."""
    data = host.body(f"/{path}")
    return data, Image.open(io.BytesIO(data))


async def same(fetch: Fetcher, host: PictureHost, manner: str, picture: str = PLAIN) -> Fetch:
    """Fetch a picture in some manner; its facts must be those of the file. Returns `fetch`."""
    data, image = opened(host, picture)
    host.reset()
    [(outcome, how)] = await fetch.answers(f"{host}/{manner}{picture}")
    facts = info(outcome)
    assert facts.image_dimension == image.size
    assert facts.image_format == image.format
    assert facts.image_size == len(data)
    return how


def request_range(request: bytes) -> tuple[int, int] | None:
    """The first and last byte a request asks for."""
    for line in request.split(b"\r\n"):
        if line.lower().startswith(b"range: bytes="):
            low, high = line.partition(b"=")[2].split(b"-")
            return int(low), int(high)
    return None


def ranging(data: bytes, **fields: object) -> Callable[[bytes], bytes]:
    """Answers each request with the part of *data* it asks for."""

    def answer(request: bytes) -> bytes:
        asked = request_range(request)
        if asked is None:
            return head("200 OK", Content_Length=len(data), **fields) + data
        low, high = asked[0], min(asked[1], len(data) - 1)
        said = head(
            "206 Partial Content",
            Content_Range=f"bytes {low}-{high}/{len(data)}",
            Content_Length=high + 1 - low,
            **fields,
        )
        return said + data[low : high + 1]

    return answer
