"""Pictures that stand for others: many URLs of one host with the same bytes.

At header depth the bytes are not known, but their number and the dimension are; of formats whose
size follows from the dimension that says nothing, and they are left alone. It is a suspicion and no
verdict: the record says so beside how it was fetched, for what is seen depends on which rows came
before.
"""

from __future__ import annotations

from collections import OrderedDict

from imaging.facts import ImageInfo
from workers.fetch.targets import Target, parse_target

__all__ = ["SUSPICIOUS_URLS", "Placeholders"]

#: From so many URLs on with the same picture.
SUSPICIOUS_URLS = 10
#: Pictures that are remembered, each with fewer URLs than that.
MOST_PICTURES = 20_000

#: Of the same dimension and mode nearly all files have the same size.
_SIZED_BY_DIMENSION = frozenset({"BMP", "DIB", "TIFF", "ICO", "CUR", "PSD"})


class Placeholders:
    """What hosts gave for their URLs, in one run."""

    def __init__(self, most: int = MOST_PICTURES) -> None:
        self._most = most
        #: The URLs of each picture, by its hash; none once they are too many to be told apart.
        self._urls: OrderedDict[int, tuple[bytes, ...] | None] = OrderedDict()

    def __len__(self) -> int:
        """How many pictures are remembered."""
        return len(self._urls)

    def suspects(self, url: bytes, host: str, final_url: str | None, info: ImageInfo) -> bool:
        """Note that a URL, by its key, led to this picture. Returns whether too many do.

        *host* is that of the URL; where redirects led on, that of *final_url* counts instead, and
        so does whoever else was led to that same place.
        """
        same_place = False
        if final_url is not None:
            same_place = self._many(hash(final_url), url)
            host = _host(final_url) or host
        if info.sha256 is not None:
            picture = hash((host, info.sha256))
        elif (
            info.image_size is None
            or info.image_dimension is None
            or info.image_format in _SIZED_BY_DIMENSION
        ):
            return same_place
        else:
            picture = hash((host, info.image_size, info.image_dimension, info.image_format))
        return self._many(picture, url) or same_place

    def _many(self, what: int, url: bytes) -> bool:
        known = self._urls
        if what not in known:  # as nearly always
            known[what] = (url,)
            if len(known) > self._most:
                known.popitem(last=False)
            return False
        known.move_to_end(what)
        urls = known[what]
        if urls is not None and url not in urls:
            urls = (*urls, url)
            known[what] = urls = urls if len(urls) < SUSPICIOUS_URLS else None
        return urls is None


def _host(url: str) -> str | None:
    """The host of a URL as records tell it."""
    target = parse_target(url)
    return target.origin.host if isinstance(target, Target) else None
