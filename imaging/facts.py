"""What comes out of looking at a picture: `ImageInfo`, or a `Failure` of a closed set of codes.

Plain frozen values that pickle; no I/O and no Pillow here, so every room may import them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

__all__ = ["DECODED_FORMATS", "RETRYABLE_STATUSES", "ErrorCode", "Failure", "ImageInfo", "Stage"]

#: What Pillow may open at full depth, in Pillow's own names. JPEG covers MPO: naming "MPO" in
#: `Image.open(formats=…)` raises KeyError for every file that is no picture. HEIF needs an extra.
DECODED_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "ICO", "HEIF")

#: HTTP statuses worth asking again for, besides every 5xx.
RETRYABLE_STATUSES = frozenset({408, 425, 429})


class Stage(StrEnum):
    """Where a row failed."""

    MANIFEST = "manifest"  #: reading the row itself
    FETCH = "fetch"  #: getting the bytes
    IMAGE = "image"  #: understanding the bytes
    PREDICT = "predict"  #: what a predictor made of the pixels
    RUN = "run"  #: the census itself: cancelled, or a bug


class ErrorCode(StrEnum):
    """Why a row has no facts: a closed set, each with its stage and a sentence for people."""

    stage: Stage
    sentence: str
    retryable: bool

    def __new__(cls, code: str, stage: Stage, sentence: str, retryable: bool = False) -> ErrorCode:
        member = str.__new__(cls, code)
        member._value_ = code
        member.stage = stage
        member.sentence = sentence
        member.retryable = retryable
        return member

    BAD_ROW = "bad_row", Stage.MANIFEST, "the manifest row cannot be read"
    BAD_URL = "bad_url", Stage.MANIFEST, "the URL is not a valid http(s) URL"
    BAD_SCHEME = "bad_scheme", Stage.MANIFEST, "only http and https URLs are fetched"
    BLOCKED_ADDRESS = "blocked_address", Stage.FETCH, "the address is not a public one"
    DNS_NOT_FOUND = "dns_not_found", Stage.FETCH, "the host name does not exist"
    DNS_TEMPORARY = "dns_temporary", Stage.FETCH, "the host name could not be looked up now", True
    CONNECT = "connect", Stage.FETCH, "no connection to the host", True
    TLS = "tls", Stage.FETCH, "the TLS handshake or certificate failed"
    TIMEOUT = "timeout", Stage.FETCH, "the host did not answer in time", True
    HTTP_STATUS = "http_status", Stage.FETCH, "the host answered with an error status"
    BAD_REDIRECT = "bad_redirect", Stage.FETCH, "the redirect leads nowhere a download may go"
    TOO_MANY_REDIRECTS = "too_many_redirects", Stage.FETCH, "more redirects than allowed"
    TOO_LARGE = "too_large", Stage.FETCH, "the body is larger than allowed"
    TRUNCATED_BODY = "truncated_body", Stage.FETCH, "the connection ended before the body", True
    HTTP_PROTOCOL = "http_protocol", Stage.FETCH, "the answer is not valid HTTP"
    EMPTY_BODY = "empty_body", Stage.FETCH, "the body is empty"
    NOT_AN_IMAGE = "not_an_image", Stage.IMAGE, "the bytes are not a picture"
    UNSUPPORTED_FORMAT = "unsupported_format", Stage.IMAGE, "a picture of a kind not supported"
    TRUNCATED_IMAGE = "truncated_image", Stage.IMAGE, "the picture ends too early"
    CORRUPT_IMAGE = "corrupt_image", Stage.IMAGE, "the picture is damaged"
    TOO_MANY_PIXELS = "too_many_pixels", Stage.IMAGE, "more pixels than may be decoded"
    TOO_MANY_SCANS = "too_many_scans", Stage.IMAGE, "more JPEG scans than may be decoded"
    DECODE_TIMEOUT = "decode_timeout", Stage.IMAGE, "decoding took too long"
    WORKER_DIED = "worker_died", Stage.IMAGE, "the process decoding the picture died"
    PREDICTOR_FAILED = "predictor_failed", Stage.PREDICT, "the predictor raised an error"
    OPTED_OUT = "opted_out", Stage.FETCH, "the host asks not to be used for machine learning"
    CANCELLED = "cancelled", Stage.RUN, "the work was cancelled"
    INTERNAL = "internal", Stage.RUN, "an error of the census itself"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there are no facts. `http_status` is set where the code is `http_status`."""

    code: ErrorCode
    message: str = ""
    http_status: int | None = None

    @property
    def retryable(self) -> bool:
        """Whether asking again later may succeed: follows the code, or the HTTP status."""
        if self.http_status is not None:
            return self.http_status in RETRYABLE_STATUSES or 500 <= self.http_status <= 599
        return self.code.retryable


class ImageInfo(NamedTuple):
    """The facts of one picture. What the bytes read do not tell is None.

    A named tuple: a frozen dataclass of so many fields takes longer to make than a header to read.
    The first block is known at header depth, the second at full depth only. The measures are
    taken on the upright first frame, scaled to a long side of at most 512 pixels.
    """

    image_format: str  #: Pillow's name: JPEG, MPO, PNG, GIF, WEBP, BMP, …
    image_dimension: tuple[int, int] | None  #: [width, height] as stored; of a TIFF upright
    image_mode: str | None = None  #: Pillow's mode of the first frame
    orientation: int | None = None  #: 1–8 as EXIF counts
    animated: bool | None = None  #: more than one frame
    image_size: int | None = None  #: bytes of the whole file

    sha256: str | None = None  #: of the file's bytes, hexadecimal
    phash: str | None = None  #: 64-bit DCT perceptual hash, 16 hexadecimal digits
    frames: int | None = None  #: counted, up to 10,000; None beyond
    has_icc: bool | None = None  #: an embedded ICC profile
    sharpness: float | None = None  #: variance of the Laplacian of luma, 0 = flat
    brightness: float | None = None  #: mean luma, 0–255
    contrast: float | None = None  #: standard deviation of luma, 0–127.5
    colourfulness: float | None = None  #: Hasler–Süsstrunk M3, 0 = grey
